//! Two batches of a stream in hand: the second is read, and written, beside the end of the first.
//!
//! A batch behind another takes row locks once the other has all of its own, so that the one ahead never waits for it,
//! and counts and commits once the other is durable: what is stored is always the beginning of the stream. One that
//! touches a record of the other starts when the other is done (ADR 0016).

use std::{
    hash::BuildHasher as _,
    sync::{Arc, LazyLock},
};

use hashbrown::{DefaultHashBuilder, HashSet};
use nonrecours_contracts::followup::{Record, record::Content};
use nonrecours_pg as pg;
use nonrecours_rpc::Failure;
use tokio::sync::watch;

use crate::error::Error;

/// What hashes the references of all batches.
static HASHES: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    /// It has its transaction.
    Begun,
    /// It has its row locks, and asks for no more.
    Held,
    /// Others were in its way: it starts again.
    Again,
    Done,
}

/// The place of a batch in its stream. Dropped before it is done, whatever is behind it gives up.
pub struct Turn {
    ahead: Option<watch::Receiver<Progress>>,
    /// It touches a record of the one ahead.
    touches: bool,
    references: Arc<HashSet<u64>>,
    progress: watch::Sender<Progress>,
}

/// What the next batch of a stream has to know of this one.
#[derive(Clone)]
pub struct Ahead {
    references: Arc<HashSet<u64>>,
    progress: watch::Receiver<Progress>,
}

impl Turn {
    /// That of a batch by itself.
    pub fn alone() -> Self {
        Self::new(None, HashSet::new())
    }

    /// That of the next batch of a stream.
    pub fn behind(ahead: Option<Ahead>, records: &[Record]) -> Self {
        Self::new(ahead, references(records))
    }

    fn new(ahead: Option<Ahead>, references: HashSet<u64>) -> Self {
        Self {
            touches: ahead
                .as_ref()
                .is_some_and(|ahead| !ahead.references.is_disjoint(&references)),
            ahead: ahead.map(|ahead| ahead.progress),
            references: Arc::new(references),
            progress: watch::Sender::new(Progress::Waiting),
        }
    }

    /// For the next one.
    pub fn ahead(&self) -> Ahead {
        Ahead {
            references: Arc::clone(&self.references),
            progress: self.progress.subscribe(),
        }
    }

    /// Until it may begin its transaction. Started again, it has the stream for itself.
    pub(super) async fn may_begin(&self, attempt: u32) -> Result<(), Error> {
        let alone = self.touches || attempt > 0;
        if attempt > 0 {
            self.progress.send_replace(Progress::Again);
        }
        self.until(|progress| match progress {
            Progress::Done => true,
            // The one ahead has its connection: it never waits for one that this one holds.
            Progress::Begun | Progress::Held => !alone,
            Progress::Waiting | Progress::Again => false,
        })
        .await
        .map(drop)
    }

    /// It has its transaction.
    pub(super) fn begun(&self) {
        self.progress.send_replace(Progress::Begun);
    }

    /// Until it may write records, and so lock them.
    pub(super) async fn may_write(&self) -> Result<(), Error> {
        self.until(|progress| matches!(progress, Progress::Held | Progress::Done))
            .await
            .map(drop)
    }

    /// It has written its records.
    pub(super) fn held(&self) {
        self.progress.send_replace(Progress::Held);
    }

    /// Until it may count and commit. Conflict when the one ahead starts again: this one lets go, and starts after it.
    pub(super) async fn may_commit(&self) -> Result<(), Error> {
        let ahead = self
            .until(|progress| matches!(progress, Progress::Done | Progress::Again))
            .await?;
        match ahead {
            Progress::Again => Err(Error::Store(pg::Error::Conflict(sqlx::Error::RowNotFound))),
            _ => Ok(()),
        }
    }

    /// It is durable.
    pub(super) fn done(&self) {
        self.progress.send_replace(Progress::Done);
    }

    async fn until(&self, come: impl FnMut(&Progress) -> bool) -> Result<Progress, Error> {
        let Some(ahead) = &self.ahead else {
            return Ok(Progress::Done);
        };
        match ahead.clone().wait_for(come).await {
            Ok(progress) => Ok(*progress),
            // The one ahead has failed, and with it the stream: this is told to nobody.
            Err(_) => Err(Failure::concurrent_update().into()),
        }
    }
}

/// The references that the records of a batch have, and those that they refer to, by their hashes: two that meet by chance
/// make a batch start later, and that is all.
fn references(records: &[Record]) -> HashSet<u64> {
    let mut references = HashSet::with_capacity(records.len());
    for record in records {
        references.insert(HASHES.hash_one(&record.external_reference));
        let (person, right) = match &record.content {
            Some(Content::Entitlement(content)) => (&content.beneficiary_reference, None),
            Some(Content::Step(content)) => (
                &content.beneficiary_reference,
                Some(&content.entitlement_reference),
            ),
            Some(Content::Note(content)) => (&content.beneficiary_reference, None),
            Some(Content::Beneficiary(_) | Content::Session(_)) | None => continue,
        };
        references.insert(HASHES.hash_one(person));
        let right = right.filter(|right| !right.is_empty());
        references.extend(right.map(|right| HASHES.hash_one(right)));
    }
    references
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Poll};

    use futures_util::poll;
    use nonrecours_contracts::followup::{BeneficiaryContent, EntitlementContent};

    use super::*;

    fn person(reference: &str) -> Record {
        Record {
            external_reference: reference.to_owned(),
            version: 0,
            content: Some(Content::Beneficiary(BeneficiaryContent::default())),
        }
    }

    fn right(reference: &str, person: &str) -> Record {
        let content = EntitlementContent {
            beneficiary_reference: person.to_owned(),
            ..EntitlementContent::default()
        };
        Record {
            external_reference: reference.to_owned(),
            version: 0,
            content: Some(Content::Entitlement(content)),
        }
    }

    async fn waits<T>(step: impl Future<Output = T>) -> bool {
        matches!(poll!(pin!(step)), Poll::Pending)
    }

    #[tokio::test]
    async fn a_batch_follows_the_one_ahead_step_by_step() {
        let first = Turn::behind(None, &[person("a")]);
        let second = Turn::behind(Some(first.ahead()), &[person("b")]);
        assert!(!waits(first.may_begin(0)).await);
        assert!(waits(second.may_begin(0)).await);
        first.begun();
        assert!(!waits(second.may_begin(0)).await);
        assert!(!waits(first.may_write()).await);
        assert!(waits(second.may_write()).await);
        first.held();
        assert!(!waits(second.may_write()).await);
        assert!(!waits(first.may_commit()).await);
        assert!(waits(second.may_commit()).await);
        first.done();
        assert!(second.may_commit().await.is_ok());
    }

    #[tokio::test]
    async fn a_batch_that_touches_the_one_ahead_starts_when_it_is_done() {
        let first = Turn::behind(None, &[person("a"), person("b")]);
        for touching in [vec![person("b")], vec![right("r", "a")]] {
            let second = Turn::behind(Some(first.ahead()), &touching);
            first.held();
            assert!(waits(second.may_begin(0)).await);
        }
        let second = Turn::behind(Some(first.ahead()), &[person("b")]);
        first.done();
        assert!(second.may_begin(0).await.is_ok());
    }

    #[tokio::test]
    async fn when_the_one_ahead_starts_again_the_next_lets_go_and_starts_after_it() {
        let first = Turn::behind(None, &[person("a")]);
        let second = Turn::behind(Some(first.ahead()), &[person("b")]);
        first.held();
        assert!(first.may_begin(1).await.is_ok());
        let refused = second.may_commit().await.unwrap_err();
        assert_eq!(Failure::from(refused).reason(), "CONCURRENT_UPDATE");
        first.held();
        assert!(waits(second.may_begin(1)).await);
        first.done();
        assert!(second.may_begin(1).await.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_stored_behind_a_batch_that_failed() {
        let first = Turn::behind(None, &[person("a")]);
        let second = Turn::behind(Some(first.ahead()), &[person("b")]);
        first.held();
        drop(first);
        assert!(second.may_commit().await.is_err());
    }
}
