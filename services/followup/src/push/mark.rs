//! Where a stream stands: each batch of a stream that has an id leaves a mark, in its own transaction.

use nonrecours_contracts::followup::{PushBatch, PushRecordsResponse, RecordOutcome, RecordResult};
use nonrecours_kernel::{ConventionName, contains_nir};
use nonrecours_pg::{Db, Error as PgError, Tx};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use time::Duration;
use uuid::Uuid;

use crate::error::Error;
use nonrecours_kernel::Scope;

/// How long a stream can be resumed after its last batch.
pub const MARK_RETENTION: Duration = Duration::days(30);
/// Marks forgotten in one go.
const PURGE_BATCH: i64 = 10_000;
/// What a second stream of the same id meets that brings the same batch at the same moment.
const MARK_KEY: &str = "push_batch_pkey";

/// A batch of a stream that can be resumed.
pub struct Mark {
    /// The client's id of the stream.
    pub stream: Uuid,
    /// Number of the batch.
    pub sequence: i64,
    /// SHA-256 of the batch.
    digest: Vec<u8>,
}

impl Mark {
    /// That of a batch.
    pub fn of(stream: Uuid, batch: &PushBatch) -> Self {
        Self {
            stream,
            sequence: batch.sequence,
            digest: Sha256::digest(batch.encode_to_vec()).to_vec(),
        }
    }

    /// What was answered when the batch was done before. Refused with `BATCH_DIFFERS` when it was another one.
    pub async fn find(
        &self,
        tx: &mut Tx,
        convention: &ConventionName,
    ) -> Result<Option<PushRecordsResponse>, Error> {
        let row = sqlx::query!(
            "SELECT digest, answer FROM push_batch
             WHERE operator_id = $1 AND convention_id = $2 AND stream_id = $3 AND sequence = $4",
            convention.operator.uuid(),
            convention.convention.uuid(),
            self.stream,
            self.sequence
        )
        .fetch_optional(tx.conn())
        .await
        .map_err(PgError::from)?;
        let Some(row) = row else { return Ok(None) };
        if row.digest != self.digest {
            return Err(Error::BatchDiffers(self.sequence));
        }
        PushRecordsResponse::decode(row.answer.as_slice())
            .map(Some)
            .map_err(|error| PgError::Damaged(format!("a stored answer: {error}")).into())
    }

    /// Leaves the mark, with the answer as it would be given again: of its results, those that somebody has to look at.
    /// Conflict when another stream of the same id has just done the batch.
    pub async fn leave(
        &self,
        tx: &mut Tx,
        convention: &ConventionName,
        answer: &PushRecordsResponse,
    ) -> Result<(), PgError> {
        let results = answer.results.iter().filter(|result| {
            !matches!(
                result.outcome(),
                RecordOutcome::Stored | RecordOutcome::Unchanged
            )
        });
        let again = PushRecordsResponse {
            results: results.cloned().map(kept).collect(),
            repeated: true,
            sequence: answer.sequence,
            stored: answer.stored,
            unchanged: answer.unchanged,
            stale: answer.stale,
            rejected: answer.rejected,
            superseded: answer.superseded,
            held_back: answer.held_back,
        };
        let now = tx.now();
        let left = sqlx::query!(
            "INSERT INTO push_batch (operator_id, convention_id, stream_id, sequence, digest, answer, create_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            convention.operator.uuid(),
            convention.convention.uuid(),
            self.stream,
            self.sequence,
            &self.digest,
            again.encode_to_vec(),
            now
        )
        .execute(tx.conn())
        .await;
        match left.map_err(PgError::from) {
            Ok(_) => Ok(()),
            Err(PgError::Duplicate { constraint }) if constraint == MARK_KEY => {
                Err(PgError::Conflict(sqlx::Error::RowNotFound))
            }
            Err(error) => Err(error),
        }
    }
}

/// A result as it is kept: without a social security number that came as its reference, and was refused for it.
fn kept(mut result: RecordResult) -> RecordResult {
    if contains_nir(&result.external_reference) {
        result.external_reference.clear();
    }
    result
}

/// Number of the last batch of a stream that is done; 0 when none is.
pub async fn last(tx: &mut Tx, convention: &ConventionName, stream: Uuid) -> Result<i64, PgError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(max(sequence), 0) AS "last!" FROM push_batch
           WHERE operator_id = $1 AND convention_id = $2 AND stream_id = $3"#,
        convention.operator.uuid(),
        convention.convention.uuid(),
        stream
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Forgets the marks older than [`MARK_RETENTION`], a bounded batch; says how many. The last mark of a stream goes last,
/// so that what is left of it never tells of an earlier place than it reached.
pub async fn purge(db: &Db, service: &'static str) -> Result<u64, PgError> {
    let mut tx = db.begin(&Scope::of_service(service)).await?;
    let before = tx.now() - MARK_RETENTION;
    let purged = sqlx::query!(
        "DELETE FROM push_batch WHERE (operator_id, convention_id, stream_id, sequence) IN
           (SELECT operator_id, convention_id, stream_id, sequence FROM push_batch WHERE create_time < $1
            ORDER BY create_time, sequence LIMIT $2)",
        before,
        PURGE_BATCH
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(purged.rows_affected())
}
