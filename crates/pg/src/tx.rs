//! The transaction every read and write goes through.

use std::{future::Future, pin::Pin, sync::Arc};

use nonrecours_kernel::Scope;
use sqlx::{PgConnection, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::error::Error;

/// What a transaction has told or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Resource names, in their order; one may come twice.
    pub records: Vec<String>,
    /// Something was told, be it that there is nothing.
    pub told: bool,
    /// Something was changed.
    pub changed: bool,
}

/// Keeps what a transaction has touched, in that transaction; says whether there was anything to keep.
pub type Witness = for<'a> fn(
    &'a mut Tx,
    Touched,
) -> Pin<Box<dyn Future<Output = Result<bool, Error>> + Send + 'a>>;

/// A transaction bound to a scope: row-level security shows and accepts only the rows of that scope.
///
/// Dropped without [`commit`](Tx::commit) or [`finish`](Tx::finish), it rolls back.
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    scope: Scope,
    now: OffsetDateTime,
    committed: Arc<Notify>,
    pub(crate) recorded: bool,
    pub(crate) why: String,
    touched: Touched,
    witness: Option<Witness>,
}

impl Tx {
    /// A transaction that has been bound to the scope.
    pub(crate) fn of(
        inner: Transaction<'static, Postgres>,
        scope: &Scope,
        now: OffsetDateTime,
        committed: Arc<Notify>,
        witness: Option<Witness>,
    ) -> Self {
        Self {
            inner,
            scope: scope.clone(),
            now,
            committed,
            recorded: false,
            why: String::new(),
            touched: Touched::default(),
            witness,
        }
    }

    /// The connection, for the store's statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// The clock's reading at the start of the transaction: one for all that it writes.
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// Who is acting: subject of the caller's token, or `service:<name>`.
    pub fn actor(&self) -> &str {
        self.scope.actor()
    }

    /// Who is acting, through what, and on whose records.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Says why: every change recorded from here on carries this reason, in the words of who acts.
    pub fn because(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }

    /// Why, as [`because`](Self::because) said last; empty: no reason was given.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Notes the records, by their names, that the answer tells of.
    pub fn told(&mut self, records: impl IntoIterator<Item = String>) {
        if self.witness.is_some() {
            self.touched.told = true;
            self.touched.records.extend(records);
        }
    }

    /// Notes the records, by their names, that a change is recorded of.
    pub(crate) fn changed<'a>(&mut self, records: impl Iterator<Item = &'a str>) {
        if self.witness.is_some() {
            self.touched.changed = true;
            self.touched.records.extend(records.map(str::to_owned));
        }
    }

    /// Ends a transaction that answers with what it has read: the witness learns what is told, and only then is there an
    /// answer.
    pub async fn tell<R>(
        mut self,
        records: impl IntoIterator<Item = String>,
        answer: R,
    ) -> Result<R, Error> {
        self.told(records);
        self.commit().await?;
        Ok(answer)
    }

    /// Commits, and wakes those who wait for changes.
    pub async fn commit(mut self) -> Result<(), Error> {
        let journalled = match self.witness {
            Some(witness) => {
                let touched = std::mem::take(&mut self.touched);
                witness(&mut self, touched).await?
            }
            None => false,
        };
        self.inner.commit().await?;
        if journalled {
            self.scope.call().mark_journalled();
        }
        if self.recorded {
            self.committed.notify_waiters();
        }
        Ok(())
    }
}
