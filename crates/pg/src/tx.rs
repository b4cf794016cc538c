//! The transaction every read and write goes through.

use std::sync::Arc;

use nonrecours_kernel::Scope;
use sqlx::{PgConnection, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::error::Error;

/// A transaction bound to a scope: row-level security shows and accepts only the rows of that scope.
///
/// Dropped without [`commit`](Tx::commit) or [`finish`](Tx::finish), it rolls back.
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    actor: String,
    now: OffsetDateTime,
    committed: Arc<Notify>,
    pub(crate) recorded: bool,
    pub(crate) why: String,
}

impl Tx {
    pub(crate) async fn open(
        mut inner: Transaction<'static, Postgres>,
        scope: &Scope,
        now: OffsetDateTime,
        committed: Arc<Notify>,
    ) -> Result<Self, Error> {
        let operator = scope
            .operator()
            .map_or_else(|| "*".to_owned(), |operator| operator.to_string());
        sqlx::query!(
            r#"SELECT set_config('nonrecours.operator', $1, true) AS "operator""#,
            operator
        )
        .fetch_one(&mut *inner)
        .await?;
        Ok(Self {
            inner,
            actor: scope.actor().to_owned(),
            now,
            committed,
            recorded: false,
            why: String::new(),
        })
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
        &self.actor
    }

    /// Says why: every change recorded from here on carries this reason, in the words of who acts.
    pub fn because(&mut self, why: &str) {
        why.clone_into(&mut self.why);
    }

    /// Commits, and wakes those who wait for changes.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await?;
        if self.recorded {
            self.committed.notify_waiters();
        }
        Ok(())
    }
}
