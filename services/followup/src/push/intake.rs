//! What both ways of pushing share: a batch in, its answer out, counted.

use nonrecours_contracts::followup::{
    PushMode, PushRecordsResponse, PushUnit, Record, RecordOutcome,
};
use nonrecours_kernel::{ConventionName, IdSource, Scope};
use nonrecours_pg::Db;
use opentelemetry::{KeyValue, global, metrics::Counter};
use uuid::Uuid;

use super::{
    batch::{self, Job, Rules},
    group::Groups,
    kind::Traces,
    mark::{self, Mark},
    turn::Turn,
};
use crate::{convention, error::Error, vault::Vault};

/// Takes batches.
#[derive(Clone)]
pub(super) struct Intake {
    db: Db,
    ids: IdSource,
    vault: Vault,
    groups: Groups,
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
            groups: Groups::new(db.clone(), ids.clone(), vault.clone()),
            db,
            ids,
            vault,
            records,
        }
    }

    /// Refuses at once what a batch would be refused for; gives how far a stream has come that can be resumed.
    pub(super) async fn check(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        stream: Option<Uuid>,
    ) -> Result<i64, Error> {
        let mut tx = self.db.read(scope).await?;
        let in_force = convention::store::in_force(&mut tx, convention).await?;
        batch::check_in_force(convention, in_force)?;
        match stream {
            Some(stream) => Ok(mark::last(&mut tx, convention, stream).await?),
            None => Ok(0),
        }
    }

    /// How far a stream has come: the number of its last batch that is done. NOT_FOUND when the convention is unknown.
    pub(super) async fn progress(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        stream: Uuid,
    ) -> Result<i64, Error> {
        let mut tx = self.db.read(scope).await?;
        if convention::store::in_force(&mut tx, convention)
            .await?
            .is_none()
        {
            return Err(nonrecours_rpc::Failure::not_found(convention).into());
        }
        Ok(mark::last(&mut tx, convention, stream).await?)
    }

    /// Stores a batch of a stream in its turn, and answers it under its number.
    pub(super) async fn take(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        rules: Rules,
        (sequence, records): (i64, &[Record]),
        mark: Option<&Mark>,
        turn: &Turn,
    ) -> Result<PushRecordsResponse, Error> {
        let job = Job {
            db: &self.db,
            ids: &self.ids,
            ring: &self.vault.ring(),
            scope,
            convention,
            rules,
            records,
            sequence,
            mark,
            traces: &Traces::new(),
        };
        let answer = job.store(turn).await?;
        self.count(rules, &answer);
        Ok(answer)
    }

    /// Stores a batch by itself: with others that wait, unless it is tried only, or stands or falls together.
    pub(super) async fn take_one(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        rules: Rules,
        records: Vec<Record>,
    ) -> Result<PushRecordsResponse, Error> {
        if rules != Rules::default() {
            let turn = Turn::alone();
            return self
                .take(scope, convention, rules, (0, &records), None, &turn)
                .await;
        }
        let answer = self.groups.store(scope, convention, records).await?;
        self.count(rules, &answer);
        Ok(answer)
    }

    fn count(&self, rules: Rules, answer: &PushRecordsResponse) {
        if rules.dry_run || answer.repeated {
            return;
        }
        for (outcome, count) in [
            (RecordOutcome::Stored, answer.stored),
            (RecordOutcome::Unchanged, answer.unchanged),
            (RecordOutcome::Stale, answer.stale),
            (RecordOutcome::Superseded, answer.superseded),
            (RecordOutcome::Rejected, answer.rejected),
            (RecordOutcome::HeldBack, answer.held_back),
        ] {
            if count > 0 {
                let label = KeyValue::new("nonrecours.record.outcome", outcome.as_str_name());
                self.records.add(u64::from(count.unsigned_abs()), &[label]);
            }
        }
    }
}

/// What a client asked for.
pub(super) fn rules(mode: PushMode, unit: PushUnit) -> Rules {
    Rules {
        dry_run: mode == PushMode::Validate,
        all_or_none: unit == PushUnit::All,
    }
}
