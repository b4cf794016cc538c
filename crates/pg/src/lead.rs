//! The lead: of the instances of a service, the one that does what only one needs to do.

use std::{future::Future, time::Duration};

use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use crate::{Db, error::Error};

/// An instance that would take the lead in something. The lead is an advisory lock of a session of its own, which ends with
/// it: whoever leads and dies, or loses the database, leads no more. Nothing correct depends on it, since what a former leader
/// still has in hand meets the cursor's lock as before; it spares the others the same work.
pub struct Candidate {
    connection: PgConnection,
    key: i64,
}

/// How often whoever leads makes sure that it still does.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the database may take to answer it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl Db {
    /// A candidate, on a connection beside the pool's.
    pub async fn candidate(&self, what: &str) -> Result<Candidate, Error> {
        // Taken out of the pool before anything is locked: a connection given back would take the lock with it.
        let connection = self.pool().acquire().await?.detach();
        Ok(Candidate {
            connection,
            key: key(what),
        })
    }
}

impl Candidate {
    /// Takes the lead when nobody has it; says whether it did. After an error the candidate is of no use.
    pub async fn take(&mut self) -> Result<bool, Error> {
        let taking = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "led!""#, self.key)
            .fetch_one(&mut self.connection);
        Ok(answered(taking).await?)
    }

    /// Waits until the lead is lost: until its session has ended, or does not answer.
    pub async fn lost(&mut self) -> Error {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = answered(self.connection.ping()).await {
                return error.into();
            }
        }
    }
}

/// What the session answers; a session that is silent counts as lost.
async fn answered<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER_TIMEOUT, asked)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// The lock of this name, in the service's own database.
fn key(what: &str) -> i64 {
    let digest = Sha256::digest(what.as_bytes());
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_the_same_key_in_every_instance() {
        assert_eq!(key("conventions"), key("conventions"));
        assert_ne!(key("conventions"), key("payments"));
        assert_ne!(key("conventions"), 0);
    }
}
