//! One batch: one transaction, done whole or not at all.

use nonrecours_contracts::followup::{
    Beneficiary as WireBeneficiary, Entitlement as WireEntitlement, Record as WireRecord,
    RecordOutcome, RecordResult, RecordViolation, Session as WireSession,
};
use nonrecours_kernel::{ConventionName, IdSource, Scope, Violation, paris_date};
use nonrecours_pg::{self as pg, Change, Db, Entry};
use nonrecours_rpc::Failure;
use prost::{Message, Name};

use super::{
    plan::{Outcome, Plan},
    read::{Batch, KnownBeneficiaries},
};
use crate::{
    beneficiary, convention, entitlement,
    error::Error,
    indicator::rollup::Keeper,
    record::{Content, Record, Reference},
    session,
};

/// How often a batch is tried when other batches of the operator are in its way; then the stream is refused
/// CONCURRENT_UPDATE. Each time at least one of those others has been done.
const MAX_ATTEMPTS: u32 = 5;

/// Stores a batch under a convention of the scope's operator: one result a record, in their order. When it returns, what
/// it says is durable.
pub async fn store(
    db: &Db,
    ids: &IdSource,
    scope: &Scope,
    convention: &ConventionName,
    records: &[WireRecord],
) -> Result<Vec<RecordResult>, Error> {
    retried(|| store_once(db, ids, scope, convention, records)).await
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
    scope: &Scope,
    name: &ConventionName,
    records: &[WireRecord],
) -> Result<Vec<RecordResult>, Error> {
    let operator = name.operator;
    let mut tx = db.begin(scope).await?;
    check_in_force(name, convention::store::hold_in_force(&mut tx, name).await?)?;
    let now = tx.now();
    let batch = Batch::read(records, paris_date(now));
    let mut results = Results::of(records);
    for (place, violations) in batch.rejected {
        results.settle(place, Outcome::Rejected(violations));
    }
    let mut changes = Vec::new();

    let sent = batch
        .beneficiaries
        .iter()
        .filter_map(|candidate| candidate.reference.as_ref());
    let referred = batch
        .claims
        .iter()
        .filter_map(|pending| pending.beneficiary.as_ref());
    let stored =
        beneficiary::store::find(&mut tx, operator, &distinct(sent.chain(referred))).await?;
    let mut known = KnownBeneficiaries::default();
    stored.iter().for_each(|record| known.stored(record));
    let plan = Plan::make(name, now, ids, stored, batch.beneficiaries);
    let mut figures = Keeper::new(operator);
    figures.beneficiaries(&mut tx, &plan).await?;
    beneficiary::store::insert(&mut tx, name, &plan.inserts).await?;
    beneficiary::store::update(&mut tx, operator, &plan.updates).await?;
    changes.extend(
        plan.written()
            .map(|record| change("beneficiary.stored", record, &WireBeneficiary::from(record))),
    );
    for record in &plan.inserts {
        if let Some(from) = batch.first_places.get(&record.reference) {
            known.brought(record, *from);
        }
    }
    results.settle_all(plan.outcomes);

    let references = distinct(
        batch
            .claims
            .iter()
            .filter_map(|pending| pending.reference.as_ref()),
    );
    let stored = entitlement::store::find(&mut tx, operator, &references).await?;
    let candidates = batch
        .claims
        .into_iter()
        .map(|pending| known.resolve(name, pending))
        .collect();
    let plan = Plan::make(name, now, ids, stored, candidates);
    figures.entitlements(&mut tx, &plan).await?;
    entitlement::store::insert(&mut tx, name, &plan.inserts).await?;
    entitlement::store::update(&mut tx, operator, &plan.updates).await?;
    changes.extend(
        plan.written()
            .map(|record| change("entitlement.stored", record, &WireEntitlement::from(record))),
    );
    results.settle_all(plan.outcomes);

    let references = distinct(
        batch
            .sessions
            .iter()
            .filter_map(|candidate| candidate.reference.as_ref()),
    );
    let stored = session::store::find(&mut tx, operator, &references).await?;
    let plan = Plan::make(name, now, ids, stored, batch.sessions);
    figures.sessions(&mut tx, &plan).await?;
    session::store::insert(&mut tx, name, &plan.inserts).await?;
    session::store::update(&mut tx, operator, &plan.updates).await?;
    changes.extend(
        plan.written()
            .map(|record| change("session.stored", record, &WireSession::from(record))),
    );
    results.settle_all(plan.outcomes);

    tx.record_all(&changes).await?;
    figures.settle(&mut tx).await?;
    tx.commit().await?;
    results.supersede(&batch.superseded);
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

fn distinct<'a>(references: impl Iterator<Item = &'a Reference>) -> Vec<&'a str> {
    let mut references: Vec<&str> = references.map(Reference::as_str).collect();
    references.sort_unstable();
    references.dedup();
    references
}

fn change<C: Content, M: Message + Name>(
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
