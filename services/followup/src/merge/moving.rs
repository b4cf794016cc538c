//! Moving what hangs on one record to another, and telling of each.

use nonrecours_contracts::followup as wire;
use nonrecours_kernel::{OperatorId, ReferralId, ReferralName};
use nonrecours_pg::{All as _, Change, Entry, Error, Tx};
use prost::{Message, Name};
use uuid::Uuid;

use super::domain::Moved;
use crate::{
    entitlement, note,
    record::{Content, Record},
    referral, step,
};

/// What moves, by kind.
#[derive(Default)]
pub struct Moving {
    entitlements: Vec<Uuid>,
    steps: Vec<Uuid>,
    notes: Vec<Uuid>,
    referrals: Vec<Uuid>,
    holds: Vec<Uuid>,
}

impl Moving {
    /// From kinds and ids; passes over what does not move by itself.
    pub fn of<'a>(records: impl Iterator<Item = (&'a str, Uuid)>) -> Self {
        let mut moving = Self::default();
        for (kind, id) in records {
            match kind {
                "ENTITLEMENT" => moving.entitlements.push(id),
                "STEP" => moving.steps.push(id),
                "NOTE" => moving.notes.push(id),
                "REFERRAL" => moving.referrals.push(id),
                "LEGAL_HOLD" => moving.holds.push(id),
                _ => {}
            }
        }
        moving
    }

    /// The kind and id of each.
    pub fn records(&self) -> Vec<(&'static str, Uuid)> {
        let of = |kind: &'static str, ids: &[Uuid]| -> Vec<(&'static str, Uuid)> {
            ids.iter().map(|id| (kind, *id)).collect()
        };
        [
            of("ENTITLEMENT", &self.entitlements),
            of("STEP", &self.steps),
            of("NOTE", &self.notes),
            of("REFERRAL", &self.referrals),
            of("LEGAL_HOLD", &self.holds),
        ]
        .concat()
    }

    /// How many.
    pub fn counts(&self) -> Moved {
        let count = |ids: &[Uuid]| i32::try_from(ids.len()).unwrap_or(i32::MAX);
        Moved {
            entitlements: count(&self.entitlements),
            steps: count(&self.steps),
            notes: count(&self.notes),
            referrals: count(&self.referrals),
        }
    }

    /// Moves them to a person; gives what the feed tells of each. When a record last changed does not move: nothing was
    /// learnt of the person.
    pub async fn to(
        &self,
        tx: &mut Tx,
        operator: OperatorId,
        person: Uuid,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let references = sqlx::query_scalar!(
            "UPDATE entitlement SET beneficiary_id = $3, revision = revision + 1
             WHERE operator_id = $1 AND entitlement_id = ANY($2) RETURNING external_reference",
            operator.uuid(),
            &self.entitlements,
            person
        )
        .all(tx.conn())
        .await?;
        let records = entitlement::store::find(tx, operator, &texts(&references)).await?;
        entries.extend(records.iter().map(|record| {
            entry(
                "entitlement.moved",
                record,
                &wire::Entitlement::from(record),
            )
        }));
        let references = sqlx::query_scalar!(
            "UPDATE step SET beneficiary_id = $3, revision = revision + 1
             WHERE operator_id = $1 AND step_id = ANY($2) RETURNING external_reference",
            operator.uuid(),
            &self.steps,
            person
        )
        .all(tx.conn())
        .await?;
        let records = step::store::find(tx, operator, &texts(&references)).await?;
        entries.extend(
            records
                .iter()
                .map(|record| entry("step.moved", record, &wire::Step::from(record))),
        );
        // What a note says stays sealed under the key of whom it was written on.
        let references = sqlx::query_scalar!(
            "UPDATE note SET beneficiary_id = $3, revision = revision + 1
             WHERE operator_id = $1 AND note_id = ANY($2) RETURNING external_reference",
            operator.uuid(),
            &self.notes,
            person
        )
        .all(tx.conn())
        .await?;
        let records = note::store::find(tx, operator, &texts(&references)).await?;
        entries.extend(
            records
                .iter()
                .map(|record| entry("note.moved", record, &wire::Note::from(record))),
        );
        sqlx::query!(
            "UPDATE referral SET beneficiary_id = $3, revision = revision + 1
             WHERE operator_id = $1 AND referral_id = ANY($2)",
            operator.uuid(),
            &self.referrals,
            person
        )
        .execute(tx.conn())
        .await?;
        for id in &self.referrals {
            let name = ReferralName {
                operator,
                referral: ReferralId::from_uuid(*id),
            };
            let Some(referral) = referral::store::get(tx, &name).await? else {
                continue;
            };
            let change = Change {
                kind: "referral.moved",
                operator: Some(operator),
                name: &name.to_string(),
                revision: referral.revision,
            };
            entries.push(Entry::new(change, &wire::Referral::from(&referral)));
        }
        sqlx::query!(
            "UPDATE legal_hold SET beneficiary_id = $3 WHERE operator_id = $1 AND hold_id = ANY($2)",
            operator.uuid(),
            &self.holds,
            person
        )
        .execute(tx.conn())
        .await?;
        Ok(entries)
    }
}

fn texts(references: &[String]) -> Vec<&str> {
    references.iter().map(String::as_str).collect()
}

fn entry<C: Content, M: Message + Name>(
    kind: &'static str,
    record: &Record<C>,
    snapshot: &M,
) -> Entry {
    let change = Change {
        kind,
        operator: Some(record.convention.operator),
        name: &record.name(),
        revision: record.revision,
    };
    Entry::new(change, snapshot)
}
