//! What both ways of pushing share: a batch in, its answer out, counted.

use nonrecours_contracts::followup::{
    PushMode, PushRecordsResponse, PushUnit, Record, RecordOutcome,
};
use nonrecours_kernel::{ConventionName, IdSource, Scope};
use nonrecours_pg::Db;
use opentelemetry::{KeyValue, global, metrics::Counter};

use super::batch::{self, Rules};
use crate::{convention, error::Error, vault::Vault};

/// Takes batches.
#[derive(Clone)]
pub(super) struct Intake {
    db: Db,
    ids: IdSource,
    vault: Vault,
    records: Counter<u64>,
}

impl Intake {
    pub(super) fn new(db: Db, ids: IdSource, vault: Vault) -> Self {
        let records = global::meter("nonrecours.followup")
            .u64_counter("nonrecours.followup.records")
            .with_unit("{record}")
            .with_description("Records pushed, by outcome")
            .build();
        Self {
            db,
            ids,
            vault,
            records,
        }
    }

    /// Refuses at once what a batch would be refused for.
    pub(super) async fn check(
        &self,
        scope: &Scope,
        convention: &ConventionName,
    ) -> Result<(), Error> {
        let mut tx = self.db.read(scope).await?;
        let in_force = convention::store::in_force(&mut tx, convention).await?;
        batch::check_in_force(convention, in_force)
    }

    /// Stores a batch, and answers it under its number.
    pub(super) async fn take(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        rules: Rules,
        sequence: i64,
        records: &[Record],
    ) -> Result<PushRecordsResponse, Error> {
        let ring = self.vault.ring();
        let results = batch::store(
            &self.db, &self.ids, &ring, scope, convention, rules, records,
        )
        .await?;
        let count = |outcome: RecordOutcome| {
            let count = results
                .iter()
                .filter(|result| result.outcome() == outcome)
                .count();
            // The contract's rules keep a batch small.
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            if !rules.dry_run {
                let label = KeyValue::new("nonrecours.record.outcome", outcome.as_str_name());
                self.records.add(u64::from(count.unsigned_abs()), &[label]);
            }
            count
        };
        Ok(PushRecordsResponse {
            sequence,
            stored: count(RecordOutcome::Stored),
            unchanged: count(RecordOutcome::Unchanged),
            stale: count(RecordOutcome::Stale),
            superseded: count(RecordOutcome::Superseded),
            rejected: count(RecordOutcome::Rejected),
            held_back: count(RecordOutcome::HeldBack),
            results,
        })
    }
}

/// What a client asked for.
pub(super) fn rules(mode: PushMode, unit: PushUnit) -> Rules {
    Rules {
        dry_run: mode == PushMode::Validate,
        all_or_none: unit == PushUnit::All,
    }
}
