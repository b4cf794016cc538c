//! One batch: one transaction, done whole or not at all.

use nonrecours_contracts::followup::{
    Record as WireRecord, RecordOutcome, RecordResult, RecordViolation,
};
use nonrecours_kernel::{ConventionName, IdSource, Scope, Violation, paris_date};
use nonrecours_pg::{self as pg, Db};
use nonrecours_rpc::Failure;
use uuid::Uuid;

use super::{
    kind::Writing,
    known::{Known, person_id, right_id},
    plan::Outcome,
    read::{Batch, local_codes},
};
use crate::{
    convention,
    erasure::tombstone,
    error::Error,
    indicator::rollup::Keeper,
    local_aid,
    merge::{self, alias::Aliases},
    subject_request::limit,
    vault::KeyRing,
};

/// How often a batch is tried when other batches of the operator are in its way; then the stream is refused
/// CONCURRENT_UPDATE. Each time at least one of those others has been done.
const MAX_ATTEMPTS: u32 = 5;

/// How a batch is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Nothing is stored: only told what would become of it.
    pub dry_run: bool,
    /// A rejected record keeps the others out.
    pub all_or_none: bool,
}

/// Stores a batch under a convention of the scope's operator: one result a record, in their order. When it returns, what
/// it says is durable.
pub async fn store(
    db: &Db,
    ids: &IdSource,
    ring: &KeyRing,
    scope: &Scope,
    convention: &ConventionName,
    rules: Rules,
    records: &[WireRecord],
) -> Result<Vec<RecordResult>, Error> {
    retried(|| store_once(db, ids, ring, scope, convention, rules, records)).await
}

/// Does it again while another transaction was in the way, [`MAX_ATTEMPTS`] times in all.
async fn retried<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 1..MAX_ATTEMPTS {
        match attempt().await {
            Err(Error::Store(pg::Error::Conflict(_))) => {}
            done => return done,
        }
    }
    attempt().await
}

async fn store_once(
    db: &Db,
    ids: &IdSource,
    ring: &KeyRing,
    scope: &Scope,
    name: &ConventionName,
    rules: Rules,
    records: &[WireRecord],
) -> Result<Vec<RecordResult>, Error> {
    let operator = name.operator;
    let mut tx = db.begin(scope).await?;
    check_in_force(name, convention::store::hold_in_force(&mut tx, name).await?)?;
    let rights = local_aid::store::rights(&mut tx, operator, &local_codes(records)).await?;
    let mut batch = Batch::read(records, &rights, paris_date(tx.now()));
    let mut writing = Writing {
        tx,
        convention: name,
        ids,
        figures: Keeper::new(operator),
        changes: Vec::new(),
        outcomes: Vec::new(),
    };

    let sent = batch
        .beneficiaries
        .iter()
        .filter_map(|candidate| candidate.reference.as_ref());
    let referred = batch.persons_referred_to();
    let mut stored = writing.find(sent.chain(referred)).await?;
    let missing = batch.persons_missing(&stored);
    let aliases = Aliases::among(&mut writing.tx, operator, &missing).await?;
    let led = batch.lead(&aliases);
    let survivors = aliases.survivors_but(&stored);
    stored.extend(writing.find(survivors.iter().copied()).await?);
    let mut persons = Known::stored(&stored, person_id);
    let missing = batch.persons_missing(&stored);
    let erased = tombstone::among(&mut writing.tx, ring, operator, missing).await?;
    batch.refuse_erased(&erased);
    let ids: Vec<Uuid> = stored.iter().map(|person| person.id.uuid()).collect();
    let limited = limit::among(&mut writing.tx, operator, &ids).await?;
    persons.limit(&limited, &mut batch.beneficiaries);
    batch
        .identities
        .compare(
            &mut writing.tx,
            ring,
            operator,
            &stored,
            &mut batch.beneficiaries,
        )
        .await?;
    let plan = writing.write(stored, batch.beneficiaries).await?;
    batch
        .identities
        .write(&mut writing.tx, ring, operator, plan.written())
        .await?;
    persons.written(&plan, &batch.first_persons, person_id);

    let sent = batch
        .claims
        .iter()
        .filter_map(|pending| pending.reference.as_ref());
    let referred = batch
        .steps
        .iter()
        .filter_map(|pending| pending.entitlement.as_ref());
    let stored = writing.find(sent.chain(referred)).await?;
    let mut rights = Known::stored(&stored, right_id);
    let candidates = batch
        .claims
        .into_iter()
        .map(|pending| persons.resolve(name, pending))
        .collect();
    let plan = writing.write(stored, candidates).await?;
    rights.written(&plan, &batch.first_claims, right_id);

    let sent = batch
        .steps
        .iter()
        .filter_map(|pending| pending.step.reference.as_ref());
    let stored = writing.find(sent).await?;
    let candidates = batch
        .steps
        .into_iter()
        .map(|pending| rights.resolve(&persons, name, pending))
        .collect();
    writing.write(stored, candidates).await?;

    let sent = batch
        .notes
        .iter()
        .filter_map(|pending| pending.reference.as_ref());
    let stored = writing.find(sent).await?;
    let mut candidates: Vec<_> = batch
        .notes
        .into_iter()
        .map(|pending| persons.resolve(name, pending))
        .collect();
    let texts = &batch.texts;
    texts
        .compare(&mut writing.tx, ring, operator, &stored, &mut candidates)
        .await?;
    let plan = writing.write(stored, candidates).await?;
    texts
        .write(&mut writing.tx, ring, operator, plan.written())
        .await?;

    let sent = batch
        .sessions
        .iter()
        .filter_map(|candidate| candidate.reference.as_ref());
    let stored = writing.find(sent).await?;
    writing.write(stored, batch.sessions).await?;

    let Writing {
        mut tx,
        figures,
        changes,
        outcomes,
        ..
    } = writing;
    let held_back = rules.all_or_none
        && (!batch.rejected.is_empty()
            || outcomes
                .iter()
                .any(|(_, outcome)| matches!(outcome, Outcome::Rejected(_))));
    let mut results = Results::of(records);
    for (place, violations) in batch.rejected {
        results.settle(place, Outcome::Rejected(violations));
    }
    let used = led.stored(&outcomes);
    results.settle_all(outcomes);
    if held_back {
        results.not_stored(RecordOutcome::HeldBack);
    } else if rules.dry_run {
        results.not_stored(RecordOutcome::Stored);
    }
    results.supersede(&batch.superseded);
    if rules.dry_run || held_back {
        // What was tried goes with the transaction; what is told of records already stored is journalled all the same.
        drop(tx);
        let tx = db.disclose(scope).await?;
        tx.tell(results.names(), ()).await?;
    } else {
        tx.record_all(&changes).await?;
        merge::store::mark_used(&mut tx, operator, &used).await?;
        figures.settle(&mut tx).await?;
        tx.tell(results.names(), ()).await?;
    }
    Ok(results.0)
}

/// Refused with NOT_FOUND when the convention is unknown, with CONVENTION_NOT_IN_FORCE when it is not in force.
pub fn check_in_force(name: &ConventionName, in_force: Option<bool>) -> Result<(), Error> {
    match in_force {
        None => Err(Failure::not_found(name).into()),
        Some(false) => Err(Error::ConventionNotInForce(*name)),
        Some(true) => Ok(()),
    }
}

/// The results of a batch, one a record.
struct Results(Vec<RecordResult>);

impl Results {
    fn of(records: &[WireRecord]) -> Self {
        let unsettled = |record: &WireRecord| RecordResult {
            external_reference: record.external_reference.clone(),
            ..RecordResult::default()
        };
        Self(records.iter().map(unsettled).collect())
    }

    /// The names of the records that are told of.
    fn names(&self) -> Vec<String> {
        let named = self.0.iter().filter(|result| !result.name.is_empty());
        named.map(|result| result.name.clone()).collect()
    }

    fn settle_all(&mut self, outcomes: Vec<(usize, Outcome)>) {
        for (place, outcome) in outcomes {
            self.settle(place, outcome);
        }
    }

    fn settle(&mut self, place: usize, outcome: Outcome) {
        let (outcome, name, violations) = match outcome {
            Outcome::Stored(name) => (RecordOutcome::Stored, name, Vec::new()),
            Outcome::Unchanged(name) => (RecordOutcome::Unchanged, name, Vec::new()),
            Outcome::Stale(name) => (RecordOutcome::Stale, name, Vec::new()),
            Outcome::Rejected(violations) => (RecordOutcome::Rejected, String::new(), violations),
        };
        if let Some(result) = self.0.get_mut(place) {
            result.set_outcome(outcome);
            result.name = name;
            result.violations = violations.into_iter().map(violation).collect();
        }
    }

    /// What would have been stored has this outcome instead, and no name.
    fn not_stored(&mut self, outcome: RecordOutcome) {
        let stored = RecordOutcome::Stored;
        for result in self
            .0
            .iter_mut()
            .filter(|result| result.outcome() == stored)
        {
            result.set_outcome(outcome);
            result.name.clear();
        }
    }

    /// A superseded record goes by the name of the one that counts.
    fn supersede(&mut self, superseded: &[(usize, usize)]) {
        for (place, by) in superseded {
            let name = self.0.get(*by).map(|result| result.name.clone());
            if let (Some(result), Some(name)) = (self.0.get_mut(*place), name) {
                result.set_outcome(RecordOutcome::Superseded);
                result.name = name;
            }
        }
    }
}

fn violation(violation: Violation) -> RecordViolation {
    RecordViolation {
        field: violation.field,
        reason: violation.reason,
        message_fr: violation.text.fr.into_owned(),
        message_en: violation.text.en.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    /// Fails with a conflict so many times, and says how often it was tried.
    async fn conflicts(times: u32) -> (Result<(), &'static str>, u32) {
        let mut tried = 0;
        let done = retried(|| {
            tried += 1;
            let conflict = || pg::Error::Conflict(sqlx::Error::RowNotFound);
            ready(if tried <= times {
                Err(conflict().into())
            } else {
                Ok(())
            })
        })
        .await;
        (done.map_err(|error| Failure::from(error).reason()), tried)
    }

    #[tokio::test]
    async fn a_batch_in_the_way_of_others_is_tried_a_few_times() {
        assert_eq!(conflicts(0).await, (Ok(()), 1));
        assert_eq!(conflicts(MAX_ATTEMPTS - 1).await, (Ok(()), MAX_ATTEMPTS));
        assert_eq!(
            conflicts(MAX_ATTEMPTS).await,
            (Err("CONCURRENT_UPDATE"), MAX_ATTEMPTS)
        );
    }

    #[tokio::test]
    async fn another_failure_is_not_tried_again() {
        let mut tried = 0;
        let done: Result<(), Error> = retried(|| {
            tried += 1;
            ready(Err(Failure::not_found("x").into()))
        })
        .await;
        assert_eq!(
            (done.map_err(|error| Failure::from(error).reason()), tried),
            (Err("NOT_FOUND"), 1)
        );
    }
}
