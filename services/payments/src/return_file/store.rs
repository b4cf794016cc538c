//! Files from the accountant in the database: what they did, each once by its content.

use nonrecours_kernel::{ProgrammeId, ProgrammeName, ReturnFileId, ReturnFileName};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{FileKind, ReturnFile};
use crate::error::Error;

/// The file of this content.
pub async fn by_digest(
    tx: &mut Tx,
    programme: ProgrammeId,
    digest: &[u8],
) -> Result<Option<ReturnFile>, pg::Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT programme_id, return_file_id, digest, kind, flow_name, size, changed_count, unchanged_count,
                unknown_count, difference_count, actor, create_time
         FROM return_file WHERE programme_id = $1 AND digest = $2",
        programme.uuid(),
        digest
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::file).transpose()
}

/// One file.
pub async fn get(tx: &mut Tx, name: &ReturnFileName) -> Result<Option<ReturnFile>, pg::Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT programme_id, return_file_id, digest, kind, flow_name, size, changed_count, unchanged_count,
                unknown_count, difference_count, actor, create_time
         FROM return_file WHERE programme_id = $1 AND return_file_id = $2",
        name.programme.uuid(),
        name.return_file.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Row::file).transpose()
}

/// Files of a programme after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ReturnFile>, pg::Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT programme_id, return_file_id, digest, kind, flow_name, size, changed_count, unchanged_count,
                unknown_count, difference_count, actor, create_time
         FROM return_file
         WHERE programme_id = $1 AND ($2::uuid IS NULL OR return_file_id > $2)
         ORDER BY return_file_id LIMIT $3",
        programme.programme.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Row::file).collect()
}

/// Writes what a file did. Refuses with CONCURRENT_UPDATE when it was taken at the same moment.
pub async fn insert(tx: &mut Tx, file: &ReturnFile) -> Result<(), Error> {
    let inserted = sqlx::query!(
        "INSERT INTO return_file (programme_id, return_file_id, digest, kind, flow_name, size, changed_count,
                                  unchanged_count, unknown_count, difference_count, actor, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        file.name.programme.uuid(),
        file.name.return_file.uuid(),
        file.digest,
        file.kind.code(),
        file.flow_name,
        file.size,
        file.changed,
        file.unchanged,
        file.unknown,
        file.differences,
        file.importer,
        file.create_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "return_file_digest_key" => {
            Err(Failure::concurrent_update().into())
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

struct Row {
    programme_id: Uuid,
    return_file_id: Uuid,
    digest: Vec<u8>,
    kind: String,
    flow_name: String,
    size: i64,
    changed_count: i32,
    unchanged_count: i32,
    unknown_count: i64,
    difference_count: i32,
    actor: String,
    create_time: OffsetDateTime,
}

impl Row {
    fn file(self) -> Result<ReturnFile, pg::Error> {
        let name = ReturnFileName {
            programme: ProgrammeId::from_uuid(self.programme_id),
            return_file: ReturnFileId::from_uuid(self.return_file_id),
        };
        let kind = FileKind::ALL
            .into_iter()
            .find(|kind| kind.code() == self.kind)
            .ok_or_else(|| pg::Error::Damaged(name.to_string()))?;
        Ok(ReturnFile {
            name,
            kind,
            flow_name: self.flow_name,
            digest: self.digest,
            size: self.size,
            changed: self.changed_count,
            unchanged: self.unchanged_count,
            unknown: self.unknown_count,
            differences: self.difference_count,
            importer: self.actor,
            create_time: self.create_time,
        })
    }
}
