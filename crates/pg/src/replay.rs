//! Answers already given: the same request of the same caller gets the same answer, and is done once.

use nonrecours_contracts::Mutation;
use prost::{Message, Name};
use sha2::{Digest as _, Sha256};
use time::Duration;
use uuid::Uuid;

use crate::{Db, error::Error, outbox::Change, tx::Tx};

/// How long an answer is kept for a request sent again.
pub const REPLAY_RETENTION: Duration = Duration::days(30);
/// Answers forgotten in one go.
const PURGE_BATCH: i64 = 10_000;
/// The constraint that a second, simultaneous request with the same id meets.
const REPLAY_KEY: &str = "request_replay_pkey";

impl Tx {
    /// The answer given earlier to this very request, if any. Refuses an id that was used for another one.
    pub async fn replay<Q: Mutation, R: Message + Default>(
        &mut self,
        request: &Q,
    ) -> Result<Option<R>, Error> {
        let actor = self.actor().to_owned();
        let row = sqlx::query!(
            "SELECT request_hash, response FROM request_replay WHERE actor = $1 AND request_id = $2",
            actor,
            id(request)?
        )
        .fetch_optional(self.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        if row.request_hash != hash(request) {
            return Err(Error::RequestIdReused);
        }
        R::decode(row.response.as_slice())
            .map(Some)
            .map_err(|error| Error::Damaged(format!("a stored answer: {error}")))
    }

    /// Ends a request: its change goes to the outbox, its answer is kept for replays, and all is committed at once.
    pub async fn finish<Q: Mutation, R: Message + Name>(
        mut self,
        request: &Q,
        change: Change<'_>,
        response: R,
    ) -> Result<R, Error> {
        self.record(change, &response).await?;
        self.answer(request, response).await
    }

    /// Ends a request whose changes are recorded already: keeps its answer for replays and commits.
    pub async fn answer<Q: Mutation, R: Message>(
        mut self,
        request: &Q,
        response: R,
    ) -> Result<R, Error> {
        let (actor, now) = (self.actor().to_owned(), self.now());
        let kept = sqlx::query!(
            "INSERT INTO request_replay (actor, request_id, request_hash, response, create_time)
             VALUES ($1, $2, $3, $4, $5)",
            actor,
            id(request)?,
            hash(request),
            response.encode_to_vec(),
            now
        )
        .execute(self.conn())
        .await;
        match kept.map_err(Error::from) {
            Ok(_) => {}
            // The same request at the same moment: the other one is done, and its answer can be had by sending again.
            Err(Error::Duplicate { constraint }) if constraint == REPLAY_KEY => {
                return Err(Error::Conflict(sqlx::Error::RowNotFound));
            }
            Err(error) => return Err(error),
        }
        self.commit().await?;
        Ok(response)
    }
}

impl Db {
    /// Forgets the answers older than [`REPLAY_RETENTION`], a bounded batch; says how many.
    pub async fn purge_replays(&self) -> Result<u64, Error> {
        let before = self.clock().now() - REPLAY_RETENTION;
        let purged = sqlx::query!(
            "DELETE FROM request_replay WHERE (actor, request_id) IN
               (SELECT actor, request_id FROM request_replay WHERE create_time < $1 LIMIT $2)",
            before,
            PURGE_BATCH
        )
        .execute(self.pool())
        .await?;
        Ok(purged.rows_affected())
    }
}

fn id<Q: Mutation>(request: &Q) -> Result<Uuid, Error> {
    // The contract's rules have refused anything else already.
    Uuid::try_parse(request.request_id())
        .map_err(|_| Error::Damaged("a request id that is no UUID".into()))
}

fn hash<Q: Mutation>(request: &Q) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(Q::full_name().as_bytes());
    hash.update([0]);
    hash.update(request.encode_to_vec());
    hash.finalize().to_vec()
}
