//! One batch: one transaction, done whole or not at all.

use nonrecours_contracts::followup::{
    PushRecordsResponse, Record as WireRecord, RecordOutcome, RecordResult,
};
use nonrecours_kernel::{ConventionName, IdSource, Scope, paris_date};
use nonrecours_pg::{self as pg, Db, Tx};
use nonrecours_rpc::Failure;
use uuid::Uuid;

use super::{
    ground::Ground,
    kind::{Traces, Writing},
    known::{Known, person_id, right_id},
    mark::Mark,
    plan::Outcome,
    read::{Batch, local_codes},
    results::Results,
    turn::Turn,
};
use crate::{
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
const MAX_ATTEMPTS: u32 = 10;

/// How a batch is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Nothing is stored: only told what would become of it.
    pub dry_run: bool,
    /// A rejected record keeps the others out.
    pub all_or_none: bool,
}

/// A batch to be stored under a convention of the scope's operator.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Where to.
    pub db: &'a Db,
    /// Where new ids come from.
    pub ids: &'a IdSource,
    /// What identities are sealed under.
    pub ring: &'a KeyRing,
    /// Who acts.
    pub scope: &'a Scope,
    /// What the records fall under.
    pub convention: &'a ConventionName,
    /// How it is taken.
    pub rules: Rules,
    /// The records.
    pub records: &'a [WireRecord],
    /// Number of its answer.
    pub sequence: i64,
    /// What it leaves behind, in a stream that can be resumed.
    pub mark: Option<&'a Mark>,
    /// Traces of the requests that brought records, by the record's reference, where it is not that of the batch.
    pub traces: &'a Traces,
}

impl Job<'_> {
    /// Stores the batch in its turn: one result a record, in their order. When it returns, what it says is durable.
    pub async fn store(self, turn: &Turn) -> Result<PushRecordsResponse, Error> {
        let answer = retried(|attempt| self.once(turn, attempt)).await?;
        turn.done();
        Ok(answer)
    }

    async fn once(self, turn: &Turn, attempt: u32) -> Result<PushRecordsResponse, Error> {
        turn.may_begin(attempt).await?;
        let mut tx = self.db.begin(self.scope).await?;
        turn.begun();
        if let Some(mark) = self.mark
            && let Some(answer) = mark.find(&mut tx, self.convention).await?
        {
            turn.may_commit().await?;
            return Ok(tx.tell(names(&answer), answer).await?);
        }
        let (tx, answer) = self.write(tx, turn).await?;
        let tx = match (tx, self.mark) {
            // What it stores it has noted already, record by record.
            (Some(tx), _) => return Ok(tx.tell(names_of_others(&answer), answer).await?),
            // Nothing is stored; that the batch was answered is.
            (None, Some(mark)) => {
                let mut tx = self.db.begin(self.scope).await?;
                mark.leave(&mut tx, self.convention, &answer).await?;
                tx
            }
            // What is told of records already stored is journalled all the same.
            (None, None) => self.db.disclose(self.scope).await?,
        };
        Ok(tx.tell(names(&answer), answer).await?)
    }

    /// Writes the batch; gives the transaction to be committed, unless nothing is to be stored.
    async fn write(
        self,
        mut tx: Tx,
        turn: &Turn,
    ) -> Result<(Option<Tx>, PushRecordsResponse), Error> {
        let (name, operator, ring) = (self.convention, self.convention.operator, self.ring);
        let rights =
            local_aid::store::rights(&mut tx, operator, &local_codes(self.records)).await?;
        let mut batch = Batch::read(self.records, &rights, paris_date(tx.now()));
        let mut writing = Writing {
            tx,
            convention: name,
            ids: self.ids,
            figures: Keeper::new(operator),
            changes: Vec::new(),
            outcomes: Vec::new(),
            traces: self.traces,
        };

        let sent = batch
            .beneficiaries
            .iter()
            .filter_map(|candidate| candidate.reference.as_ref());
        let referred = batch.persons_referred_to();
        let mut stored = writing.find(sent.chain(referred)).await?;
        let ground = Ground::hold(&mut writing.tx, name).await?;
        check_in_force(name, ground.in_force)?;
        let aliases = if ground.merges {
            let missing = batch.persons_missing(&stored);
            Aliases::among(&mut writing.tx, operator, &missing).await?
        } else {
            Aliases::default()
        };
        let led = batch.lead(&aliases);
        let survivors = aliases.survivors_but(&stored);
        stored.extend(writing.find(survivors.iter().copied()).await?);
        // Of whom a merge was undone after the first look and before the second, neither has told.
        let unmet = batch.persons_unmet(&stored);
        stored.extend(writing.find(unmet.into_iter()).await?);
        let mut persons = Known::stored(&stored, person_id);
        // The survivor of a merge was looked for after the ground, and may have been the first to be erased meanwhile.
        if ground.erasures || ground.merges {
            let missing = batch.persons_missing(&stored);
            let erased = tombstone::among(&mut writing.tx, ring, operator, missing).await?;
            batch.refuse_erased(&erased);
        }
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
        turn.may_write().await?;
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

        turn.held();
        let Writing {
            mut tx,
            figures,
            changes,
            outcomes,
            ..
        } = writing;
        let rules = self.rules;
        let held_back = rules.all_or_none
            && (!batch.rejected.is_empty()
                || outcomes
                    .iter()
                    .any(|(_, outcome)| matches!(outcome, Outcome::Rejected(_))));
        let mut results = Results::of(self.records);
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
        let answer = results.answer(self.sequence);
        if rules.dry_run || held_back {
            // What was tried goes with the transaction.
            drop(tx);
            turn.may_commit().await?;
            return Ok((None, answer));
        }
        tx.record_all(&changes).await?;
        turn.may_commit().await?;
        merge::store::mark_used(&mut tx, operator, &used).await?;
        figures.settle(&mut tx).await?;
        if let Some(mark) = self.mark {
            mark.leave(&mut tx, name, &answer).await?;
        }
        Ok((Some(tx), answer))
    }
}

/// The names of the records that an answer tells of.
fn names(answer: &PushRecordsResponse) -> Vec<String> {
    named(answer.results.iter())
}

/// The names of those that it did not store.
fn names_of_others(answer: &PushRecordsResponse) -> Vec<String> {
    let stored = RecordOutcome::Stored;
    named(
        answer
            .results
            .iter()
            .filter(|result| result.outcome() != stored),
    )
}

fn named<'a>(results: impl Iterator<Item = &'a RecordResult>) -> Vec<String> {
    let named = results.filter(|result| !result.name.is_empty());
    named.map(|result| result.name.clone()).collect()
}

/// Does it again while another transaction was in the way, [`MAX_ATTEMPTS`] times in all; each attempt knows its number.
async fn retried<T, F>(mut attempt: impl FnMut(u32) -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for number in 0..MAX_ATTEMPTS - 1 {
        match attempt(number).await {
            Err(Error::Store(pg::Error::Conflict(_))) => {}
            done => return done,
        }
    }
    attempt(MAX_ATTEMPTS - 1).await
}

/// Refused with NOT_FOUND when the convention is unknown, with CONVENTION_NOT_IN_FORCE when it is not in force.
pub fn check_in_force(name: &ConventionName, in_force: Option<bool>) -> Result<(), Error> {
    match in_force {
        None => Err(Failure::not_found(name).into()),
        Some(false) => Err(Error::ConventionNotInForce(*name)),
        Some(true) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    /// Fails with a conflict so many times, and says how often it was tried.
    async fn conflicts(times: u32) -> (Result<(), &'static str>, u32) {
        let mut tried = 0;
        let done = retried(|_| {
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
        let done: Result<(), Error> = retried(|_| {
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
