//! Documents in the database.

use nonrecours_kernel::{ConventionName, Digest, DocumentName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{Document, Kind, Subject};
use crate::{
    error::Error,
    stored::{damaged, one_of},
};

/// Adds one.
pub async fn insert(tx: &mut Tx, document: &Document) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO document (operator_id, convention_id, document_id, kind, subject, version, data_sha256,
                               content_sha256, size_bytes, created_by, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        document.name.operator.uuid(),
        document.name.convention.uuid(),
        document.name.document.uuid(),
        document.subject.kind().as_str(),
        document.subject.name(),
        document.version,
        document.data.as_bytes(),
        document.content.as_bytes(),
        document.size,
        document.created_by,
        document.create_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &DocumentName) -> Result<Document, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM document WHERE operator_id = $1 AND convention_id = $2 AND document_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.document.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// The one drawn from the same data, if there is one.
pub async fn same(
    tx: &mut Tx,
    subject: &Subject,
    data: &Digest,
) -> Result<Option<Document>, Error> {
    let convention = subject.convention();
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM document
         WHERE operator_id = $1 AND convention_id = $2 AND subject = $3 AND kind = $4 AND data_sha256 = $5",
        convention.operator.uuid(),
        convention.convention.uuid(),
        subject.name(),
        subject.kind().as_str(),
        data.as_bytes()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Document::try_from).transpose()?)
}

/// Version of the last one about that subject; 0 before the first.
pub async fn last_version(tx: &mut Tx, subject: &Subject) -> Result<i32, Error> {
    let convention = subject.convention();
    let last = sqlx::query_scalar!(
        "SELECT max(version) FROM document
         WHERE operator_id = $1 AND convention_id = $2 AND subject = $3 AND kind = $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        subject.name(),
        subject.kind().as_str()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(last.unwrap_or(0))
}

/// Those of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Document>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM document
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR document_id > $3)
         ORDER BY document_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Document::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    document_id: Uuid,
    kind: String,
    subject: String,
    version: i32,
    data_sha256: Vec<u8>,
    content_sha256: Vec<u8>,
    size_bytes: i64,
    created_by: String,
    create_time: OffsetDateTime,
}

impl TryFrom<Row> for Document {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = DocumentName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            document: Id::from_uuid(row.document_id),
        };
        let digest = |bytes: Vec<u8>| {
            bytes
                .try_into()
                .map(Digest::from_bytes)
                .map_err(|_| damaged(name))
        };
        let kind = one_of(&Kind::ALL, Kind::as_str, &row.kind)?;
        Ok(Self {
            name,
            subject: Subject::of(kind, &row.subject).map_err(damaged)?,
            version: row.version,
            data: digest(row.data_sha256)?,
            content: digest(row.content_sha256)?,
            size: row.size_bytes,
            created_by: row.created_by,
            create_time: row.create_time,
        })
    }
}
