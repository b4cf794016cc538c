//! What a database tells of itself: how busy its pool is, and which changes no reader may see yet.

use std::time::Duration;

use nonrecours_kernel::Scope;

use crate::{Db, error::Error};

/// The pool of one instance, and the outbox that all its instances share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Connections open.
    pub connections: u32,
    /// Those that nobody uses.
    pub idle_connections: u32,
    /// Changes that are committed and wait behind a transaction that still runs, anywhere on the server.
    pub hidden_changes: u64,
    /// Age of the oldest of them.
    pub hidden_for: Duration,
}

impl Db {
    /// Looks at the pool, then at the outbox.
    pub async fn measure(&self, service: &'static str) -> Result<Measures, Error> {
        let connections = self.pool().size();
        let idle = u32::try_from(self.pool().num_idle()).unwrap_or(u32::MAX);
        let mut tx = self.read(&Scope::of_service(service)).await?;
        let now = tx.now();
        let hidden = sqlx::query!(
            r#"SELECT count(*) AS "count!", min(occur_time) AS oldest FROM outbox
               WHERE era = (SELECT max(era) FROM feed_era) AND xid >= pg_snapshot_xmin(pg_current_snapshot())"#
        )
        .fetch_one(tx.conn())
        .await?;
        let age = hidden.oldest.map(|oldest| now - oldest);
        Ok(Measures {
            connections,
            idle_connections: idle.min(connections),
            hidden_changes: u64::try_from(hidden.count).unwrap_or_default(),
            hidden_for: age.and_then(|age| age.try_into().ok()).unwrap_or_default(),
        })
    }
}
