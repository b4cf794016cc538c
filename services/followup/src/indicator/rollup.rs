//! Keeping the roll-ups: a transaction that changes records holds what they counted for before, and at its end adds the
//! difference. What a record counts for is said once, in SQL (view `indicator_contribution`), for all that ever counts.

use std::collections::BTreeSet;

use nonrecours_kernel::OperatorId;
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

use super::arrivals::Arrivals;
use crate::{
    beneficiary::domain::Beneficiary, entitlement::domain::Entitlement, push::plan::Plan, renewal,
    session::domain::Session, step::domain::Step,
};

/// The figures that one transaction moves, of one operator.
pub struct Keeper {
    operator: OperatorId,
    /// New persons without rights.
    arrivals: Arrivals,
    /// Other persons, and sessions, whose figures move: held, or new.
    subjects: BTreeSet<Uuid>,
    /// What those held counted for, as the database wrote it.
    before: Vec<String>,
}

impl Keeper {
    /// Before the first change.
    pub fn new(operator: OperatorId) -> Self {
        Self {
            operator,
            arrivals: Arrivals::default(),
            subjects: BTreeSet::new(),
            before: Vec::new(),
        }
    }

    /// To be called before persons are written.
    pub async fn beneficiaries(
        &mut self,
        tx: &mut Tx,
        plan: &Plan<Beneficiary>,
    ) -> Result<(), Error> {
        let changed = plan.updates.iter().map(|record| record.id.uuid());
        self.persons(tx, changed).await?;
        self.arrivals.add(&plan.inserts);
        Ok(())
    }

    /// To be called before rights are written: the figures of their persons move, and of those whose they were.
    pub async fn entitlements(
        &mut self,
        tx: &mut Tx,
        plan: &Plan<Entitlement>,
    ) -> Result<(), Error> {
        let changed: Vec<Uuid> = plan.updates.iter().map(|record| record.id.uuid()).collect();
        let mut persons: Vec<Uuid> = plan
            .written()
            .map(|record| record.content.beneficiary.uuid())
            .collect();
        if !changed.is_empty() {
            persons.extend(
                sqlx::query_scalar!(
                    "SELECT stored.beneficiary_id
                     FROM UNNEST($2::uuid[]) AS changed (id)
                     CROSS JOIN LATERAL (SELECT beneficiary_id FROM entitlement
                                         WHERE operator_id = $1 AND entitlement_id BETWEEN changed.id AND changed.id
                                         ORDER BY entitlement_id LIMIT 1) AS stored",
                    self.operator.uuid(),
                    &changed
                )
                .all(tx.conn())
                .await?,
            );
        }
        self.persons(tx, persons.into_iter()).await
    }

    /// To be called before steps are written. They count for nothing, but one that renews a right may avoid an
    /// interruption, which does.
    pub async fn steps(&mut self, tx: &mut Tx, plan: &Plan<Step>) -> Result<(), Error> {
        let renewed: Vec<Uuid> = plan
            .written()
            .filter(|record| record.content.act.renewal)
            .map(|record| record.content.beneficiary.uuid())
            .collect();
        self.persons(tx, renewed.into_iter()).await
    }

    /// To be called before sessions are written.
    pub async fn sessions(&mut self, tx: &mut Tx, plan: &Plan<Session>) -> Result<(), Error> {
        let changed: Vec<Uuid> = plan.updates.iter().map(|record| record.id.uuid()).collect();
        self.hold(tx, &changed).await?;
        self.subjects
            .extend(plan.written().map(|record| record.id.uuid()));
        Ok(())
    }

    /// Holds stored persons whose figures are about to move. Two transactions that move those of one person, each with a
    /// right of theirs, must not both miss what the other does: the second waits here.
    pub async fn persons(
        &mut self,
        tx: &mut Tx,
        persons: impl Iterator<Item = Uuid>,
    ) -> Result<(), Error> {
        let mut unknown = BTreeSet::new();
        for person in persons {
            if self.arrivals.remove(person) {
                // New, so that nobody else moves their figures, but with more than they came with.
                self.subjects.insert(person);
            } else if !self.subjects.contains(&person) {
                unknown.insert(person);
            }
        }
        let persons = unknown;
        if persons.is_empty() {
            return Ok(());
        }
        // In the order of their ids, so that two batches never wait for each other in a circle.
        let persons: Vec<Uuid> = persons.into_iter().collect();
        sqlx::query!(
            "SELECT stored.beneficiary_id
             FROM UNNEST($2::uuid[]) AS moved (id)
             CROSS JOIN LATERAL (SELECT beneficiary_id FROM beneficiary
                                 WHERE operator_id = $1 AND beneficiary_id BETWEEN moved.id AND moved.id
                                 ORDER BY beneficiary_id LIMIT 1 FOR NO KEY UPDATE) AS stored",
            self.operator.uuid(),
            &persons
        )
        .all(tx.conn())
        .await?;
        self.hold(tx, &persons).await?;
        self.subjects.extend(persons);
        Ok(())
    }

    async fn hold(&mut self, tx: &mut Tx, subjects: &[Uuid]) -> Result<(), Error> {
        if subjects.is_empty() {
            return Ok(());
        }
        let before = sqlx::query_scalar!(
            r#"SELECT jsonb_agg(to_jsonb(held))::text
               FROM (
                   SELECT convention_id, dimension, code, month,
                          sum(persons_spotted) AS persons_spotted, sum(persons_informed) AS persons_informed,
                          sum(persons_oriented) AS persons_oriented, sum(persons_supported) AS persons_supported,
                          sum(persons_followed) AS persons_followed, sum(persons_opened) AS persons_opened,
                          sum(persons_decided) AS persons_decided, sum(persons_in_autonomy) AS persons_in_autonomy,
                          sum(persons_on_behalf) AS persons_on_behalf, sum(persons_avoiding) AS persons_avoiding,
                          sum(persons_notified) AS persons_notified, sum(persons_estimated) AS persons_estimated,
                          sum(entitlements_followed) AS entitlements_followed,
                          sum(entitlements_opened) AS entitlements_opened,
                          sum(entitlements_decided) AS entitlements_decided, sum(decision_days) AS decision_days,
                          sum(in_autonomy) AS in_autonomy, sum(on_behalf) AS on_behalf,
                          sum(interruptions_avoided) AS interruptions_avoided, sum(sessions_held) AS sessions_held,
                          sum(persons_met) AS persons_met, sum(amount_notified) AS amount_notified,
                          sum(amount_estimated) AS amount_estimated, sum(notified_squares) AS notified_squares,
                          sum(estimated_squares) AS estimated_squares
                   FROM indicator_contribution
                   WHERE operator_id = $1 AND subject_id = ANY($2)
                   GROUP BY convention_id, dimension, code, month
               ) AS held"#,
            self.operator.uuid(),
            subjects
        )
        .fetch_one(tx.conn())
        .await?;
        self.before.extend(before);
        Ok(())
    }

    /// To be called last: others who count under the same convention wait from here to the end of the transaction.
    pub async fn settle(mut self, tx: &mut Tx) -> Result<(), Error> {
        if self.subjects.is_empty() {
            if self.arrivals.is_empty() {
                return Ok(());
            }
            return self.arrivals.settle(tx, self.operator).await;
        }
        // All in one statement, and so in one order of the rows: two batches never wait for each other in a circle.
        self.subjects.extend(self.arrivals.drain());
        let subjects: Vec<Uuid> = self.subjects.into_iter().collect();
        // An interruption that this transaction avoids counts with it.
        renewal::sweep::settle(tx, self.operator, &subjects).await?;
        sqlx::query!(
            "INSERT INTO indicator_rollup AS kept
                 (operator_id, convention_id, dimension, code, month, persons_spotted, persons_informed,
                 persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
                 persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
                 entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy,
                 on_behalf, interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated,
                 notified_squares, estimated_squares)
             SELECT $1, moved.*
             FROM (
                 SELECT convention_id, dimension, code, month,
                        sum(sign * persons_spotted) AS persons_spotted,
                        sum(sign * persons_informed) AS persons_informed,
                        sum(sign * persons_oriented) AS persons_oriented,
                        sum(sign * persons_supported) AS persons_supported,
                        sum(sign * persons_followed) AS persons_followed,
                        sum(sign * persons_opened) AS persons_opened, sum(sign * persons_decided) AS persons_decided,
                        sum(sign * persons_in_autonomy) AS persons_in_autonomy,
                        sum(sign * persons_on_behalf) AS persons_on_behalf,
                        sum(sign * persons_avoiding) AS persons_avoiding,
                        sum(sign * persons_notified) AS persons_notified,
                        sum(sign * persons_estimated) AS persons_estimated,
                        sum(sign * entitlements_followed) AS entitlements_followed,
                        sum(sign * entitlements_opened) AS entitlements_opened,
                        sum(sign * entitlements_decided) AS entitlements_decided,
                        sum(sign * decision_days) AS decision_days, sum(sign * in_autonomy) AS in_autonomy,
                        sum(sign * on_behalf) AS on_behalf,
                        sum(sign * interruptions_avoided) AS interruptions_avoided,
                        sum(sign * sessions_held) AS sessions_held, sum(sign * persons_met) AS persons_met,
                        sum(sign * amount_notified) AS amount_notified,
                        sum(sign * amount_estimated) AS amount_estimated,
                        sum(sign * notified_squares) AS notified_squares,
                        sum(sign * estimated_squares) AS estimated_squares
                 FROM (
                     SELECT 1 AS sign, convention_id, dimension, code, month, persons_spotted, persons_informed,
                     persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
                     persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
                     entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy,
                     on_behalf, interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated,
                     notified_squares, estimated_squares
                     FROM indicator_contribution
                     WHERE operator_id = $1 AND subject_id = ANY($2)
                     UNION ALL
                     SELECT -1, convention_id, dimension, code, month, persons_spotted, persons_informed,
                     persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
                     persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
                     entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy,
                     on_behalf, interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated,
                     notified_squares, estimated_squares
                     FROM unnest($3::text[]) AS held (document)
                     CROSS JOIN LATERAL jsonb_populate_recordset(NULL::indicator_rollup, held.document::jsonb)
                 ) AS part
                 GROUP BY convention_id, dimension, code, month
             ) AS moved
             WHERE (persons_spotted, persons_informed, persons_oriented, persons_supported, persons_followed,
             persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding,
             persons_notified, persons_estimated, entitlements_followed, entitlements_opened, entitlements_decided,
             decision_days, in_autonomy, on_behalf, interruptions_avoided, sessions_held, persons_met,
             amount_notified, amount_estimated, notified_squares, estimated_squares)
                   <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
             -- So that two batches never wait for each other in a circle.
             ORDER BY convention_id, dimension, code, month
             ON CONFLICT (operator_id, convention_id, dimension, code, month) DO UPDATE
             SET persons_spotted = kept.persons_spotted + excluded.persons_spotted,
                 persons_informed = kept.persons_informed + excluded.persons_informed,
                 persons_oriented = kept.persons_oriented + excluded.persons_oriented,
                 persons_supported = kept.persons_supported + excluded.persons_supported,
                 persons_followed = kept.persons_followed + excluded.persons_followed,
                 persons_opened = kept.persons_opened + excluded.persons_opened,
                 persons_decided = kept.persons_decided + excluded.persons_decided,
                 persons_in_autonomy = kept.persons_in_autonomy + excluded.persons_in_autonomy,
                 persons_on_behalf = kept.persons_on_behalf + excluded.persons_on_behalf,
                 persons_avoiding = kept.persons_avoiding + excluded.persons_avoiding,
                 persons_notified = kept.persons_notified + excluded.persons_notified,
                 persons_estimated = kept.persons_estimated + excluded.persons_estimated,
                 entitlements_followed = kept.entitlements_followed + excluded.entitlements_followed,
                 entitlements_opened = kept.entitlements_opened + excluded.entitlements_opened,
                 entitlements_decided = kept.entitlements_decided + excluded.entitlements_decided,
                 decision_days = kept.decision_days + excluded.decision_days,
                 in_autonomy = kept.in_autonomy + excluded.in_autonomy,
                 on_behalf = kept.on_behalf + excluded.on_behalf,
                 interruptions_avoided = kept.interruptions_avoided + excluded.interruptions_avoided,
                 sessions_held = kept.sessions_held + excluded.sessions_held,
                 persons_met = kept.persons_met + excluded.persons_met,
                 amount_notified = kept.amount_notified + excluded.amount_notified,
                 amount_estimated = kept.amount_estimated + excluded.amount_estimated,
                 notified_squares = kept.notified_squares + excluded.notified_squares,
                 estimated_squares = kept.estimated_squares + excluded.estimated_squares",
            self.operator.uuid(),
            &subjects,
            &self.before
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}
