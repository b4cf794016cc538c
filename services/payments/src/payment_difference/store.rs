//! Differences in the database.

use std::collections::HashSet;

use nonrecours_kernel::{
    ConventionId, InstalmentId, InstalmentName, Money, OperatorId, PaymentDifferenceId,
    PaymentDifferenceName, ProgrammeId, ProgrammeName, RecoveryId, RecoveryName, ReturnFileId,
    ReturnFileName, SlipId, SlipName, Text,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Cause, Outcome, PaymentDifference, Settlement, Subject};
use crate::return_file::{Divergence, OrderKey, Stranger};

/// Writes an open difference.
pub async fn insert(tx: &mut Tx, difference: &PaymentDifference) -> Result<(), Error> {
    let (order, reference) = match &difference.subject {
        Subject::Order { key, .. } => (Some(key), None),
        Subject::Reference(reference) => (None, Some(reference.as_str())),
    };
    sqlx::query!(
        "INSERT INTO payment_difference (programme_id, payment_difference_id, return_file_id, operator_id,
                                         convention_id, instalment_id, attempt, stated_reference, cause, detail_en,
                                         detail_fr, stated_amount, stated_date, revision, create_time, update_time,
                                         came_back)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        difference.name.programme.uuid(),
        difference.name.payment_difference.uuid(),
        difference.return_file.return_file.uuid(),
        order.map(|(instalment, _)| instalment.operator.uuid()),
        order.map(|(instalment, _)| instalment.convention.uuid()),
        order.map(|(instalment, _)| instalment.instalment.uuid()),
        order.map(|(_, attempt)| *attempt),
        reference,
        difference.cause.code(),
        &*difference.text.en,
        &*difference.text.fr,
        difference.stated_amount.map(Money::amount),
        difference.stated_date,
        difference.revision,
        difference.create_time,
        difference.update_time,
        difference.came_back
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the same payment under a reference that no order has was stated before.
pub async fn reference_stated(
    tx: &mut Tx,
    programme: &ProgrammeName,
    stranger: &Stranger,
) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payment_difference
                          WHERE programme_id = $1 AND stated_reference = $2 AND stated_amount = $3
                            AND stated_date = $4) AS "found!""#,
        programme.programme.uuid(),
        stranger.reference,
        stranger.amount.amount(),
        stranger.date
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Locks a difference until the end of the transaction, where no order stands above it.
pub async fn lock(tx: &mut Tx, name: &PaymentDifferenceName) -> Result<(), Error> {
    sqlx::query!(
        "SELECT FROM payment_difference WHERE programme_id = $1 AND payment_difference_id = $2 FOR UPDATE",
        name.programme.uuid(),
        name.payment_difference.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// Whether the same was stated of the order before, settled or not: it is not asked twice.
pub async fn stated(tx: &mut Tx, order: &OrderKey, divergence: &Divergence) -> Result<bool, Error> {
    let (instalment, attempt) = order;
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payment_difference
                          WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3 AND attempt = $4
                            AND cause = $5 AND stated_amount IS NOT DISTINCT FROM $6
                            AND stated_date IS NOT DISTINCT FROM $7 AND came_back = $8) AS "found!""#,
        instalment.operator.uuid(),
        instalment.convention.uuid(),
        instalment.instalment.uuid(),
        attempt,
        divergence.cause.code(),
        divergence.amount.map(Money::amount),
        divergence.date,
        divergence.came_back
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// One difference.
pub async fn get(
    tx: &mut Tx,
    name: &PaymentDifferenceName,
) -> Result<Option<PaymentDifference>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT programme_id, payment_difference_id, return_file_id, slip_id AS "slip_id?", operator_id, convention_id,
                instalment_id, attempt, stated_reference, cause, detail_en, detail_fr,
                slip_order.amount AS "ordered_amount?", stated_amount, stated_date, outcome, explanation, settle_actor,
                settle_time, revision, create_time, update_time, came_back, settled_amount, recovery_convention_id,
                recovery_id
         FROM payment_difference
         LEFT JOIN slip_order USING (programme_id, operator_id, convention_id, instalment_id, attempt)
         WHERE programme_id = $1 AND payment_difference_id = $2"#,
        name.programme.uuid(),
        name.payment_difference.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::difference).transpose()
}

/// Differences of a programme after one, oldest first; only those that are open when asked.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    open_only: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<PaymentDifference>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT programme_id, payment_difference_id, return_file_id, slip_id AS "slip_id?", operator_id, convention_id,
                instalment_id, attempt, stated_reference, cause, detail_en, detail_fr,
                slip_order.amount AS "ordered_amount?", stated_amount, stated_date, outcome, explanation, settle_actor,
                settle_time, revision, create_time, update_time, came_back, settled_amount, recovery_convention_id,
                recovery_id
         FROM payment_difference
         LEFT JOIN slip_order USING (programme_id, operator_id, convention_id, instalment_id, attempt)
         WHERE programme_id = $1 AND (outcome IS NULL OR NOT $2)
           AND ($3::uuid IS NULL OR payment_difference_id > $3)
         ORDER BY payment_difference_id LIMIT $4"#,
        programme.programme.uuid(),
        open_only,
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Row::difference).collect()
}

/// Writes how a difference was settled.
pub async fn settle(
    tx: &mut Tx,
    difference: &PaymentDifference,
    settlement: &Settlement,
) -> Result<(), Error> {
    let recovery = settlement.outcome.recovery();
    sqlx::query!(
        "UPDATE payment_difference
         SET outcome = $3, explanation = $4, settle_actor = $5, settle_time = $6, revision = $7, update_time = $8,
             settled_amount = $9, recovery_convention_id = $10, recovery_id = $11
         WHERE programme_id = $1 AND payment_difference_id = $2",
        difference.name.programme.uuid(),
        difference.name.payment_difference.uuid(),
        settlement.outcome.code(),
        settlement.explanation,
        settlement.actor,
        settlement.time,
        difference.revision,
        difference.update_time,
        settlement.outcome.booked().map(Money::amount),
        recovery.map(|name| name.convention.uuid()),
        recovery.map(|name| name.recovery.uuid())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of these instalments of which a difference waits to be settled.
pub async fn open(
    tx: &mut Tx,
    instalments: &[InstalmentName],
) -> Result<HashSet<InstalmentName>, Error> {
    let column =
        |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> { instalments.iter().map(id).collect() };
    let rows = sqlx::query!(
        r#"SELECT DISTINCT operator_id AS "operator_id!", convention_id AS "convention_id!", instalment_id AS "instalment_id!"
         FROM payment_difference
         JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (operator_id, convention_id, instalment_id)
              USING (operator_id, convention_id, instalment_id)
         WHERE outcome IS NULL"#,
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid())
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| InstalmentName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
            instalment: InstalmentId::from_uuid(row.instalment_id),
        })
        .collect())
}

struct Row {
    programme_id: Uuid,
    payment_difference_id: Uuid,
    return_file_id: Uuid,
    slip_id: Option<Uuid>,
    operator_id: Option<Uuid>,
    convention_id: Option<Uuid>,
    instalment_id: Option<Uuid>,
    attempt: Option<i16>,
    stated_reference: Option<String>,
    cause: String,
    detail_en: String,
    detail_fr: String,
    ordered_amount: Option<Decimal>,
    stated_amount: Option<Decimal>,
    stated_date: Option<Date>,
    outcome: Option<String>,
    explanation: Option<String>,
    settle_actor: Option<String>,
    settle_time: Option<OffsetDateTime>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    came_back: bool,
    settled_amount: Option<Decimal>,
    recovery_convention_id: Option<Uuid>,
    recovery_id: Option<Uuid>,
}

impl Row {
    fn difference(self) -> Result<PaymentDifference, Error> {
        let programme = ProgrammeId::from_uuid(self.programme_id);
        let name = PaymentDifferenceName {
            programme,
            payment_difference: PaymentDifferenceId::from_uuid(self.payment_difference_id),
        };
        let damaged = || Error::Damaged(name.to_string());
        let subject = self.subject(programme).ok_or_else(damaged)?;
        let booked = self.settled_amount.map(Money::try_from).transpose();
        let booked = booked.map_err(|_| damaged())?;
        let recovery = self.recovery();
        let settlement = match (
            self.outcome,
            self.explanation,
            self.settle_actor,
            self.settle_time,
        ) {
            (Some(outcome), Some(explanation), Some(actor), Some(time)) => Some(Settlement {
                outcome: Outcome::of(&outcome, booked, recovery).ok_or_else(damaged)?,
                explanation,
                actor,
                time,
            }),
            _ => None,
        };
        let cause = Cause::ALL
            .into_iter()
            .find(|cause| cause.code() == self.cause);
        let stated_amount = self.stated_amount.map(Money::try_from).transpose();
        Ok(PaymentDifference {
            name,
            return_file: ReturnFileName {
                programme,
                return_file: ReturnFileId::from_uuid(self.return_file_id),
            },
            subject,
            cause: cause.ok_or_else(damaged)?,
            text: Text::new(self.detail_en, self.detail_fr),
            stated_amount: stated_amount.map_err(|_| damaged())?,
            stated_date: self.stated_date,
            came_back: self.came_back,
            settlement,
            revision: self.revision,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }

    fn recovery(&self) -> Option<RecoveryName> {
        Some(RecoveryName {
            operator: OperatorId::from_uuid(self.operator_id?),
            convention: ConventionId::from_uuid(self.recovery_convention_id?),
            recovery: RecoveryId::from_uuid(self.recovery_id?),
        })
    }

    /// Nothing when it is none that the table's constraints allow.
    fn subject(&self, programme: ProgrammeId) -> Option<Subject> {
        if let Some(reference) = &self.stated_reference {
            return Some(Subject::Reference(reference.clone()));
        }
        let instalment = InstalmentName {
            operator: OperatorId::from_uuid(self.operator_id?),
            convention: ConventionId::from_uuid(self.convention_id?),
            instalment: InstalmentId::from_uuid(self.instalment_id?),
        };
        Some(Subject::Order {
            slip: SlipName {
                programme,
                slip: SlipId::from_uuid(self.slip_id?),
            },
            key: (instalment, self.attempt?),
            ordered: Money::try_from(self.ordered_amount?).ok()?,
        })
    }
}
