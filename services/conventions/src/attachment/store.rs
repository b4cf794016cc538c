//! Attachments in the database.

use nonrecours_kernel::{AttachmentName, ConventionName, Digest, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    domain::{Attachment, Kind, State},
    subject::Subject,
};
use crate::{
    convention::party::Party,
    error::Error,
    stored::{damaged, one_of, parse},
};

/// Adds one. Whoever does has locked its convention.
pub async fn insert(tx: &mut Tx, attachment: &Attachment) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO attachment (operator_id, convention_id, attachment_id, subject, kind, file_name, media_type,
                                 size_bytes, sha256, party, uploaded_by, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        attachment.name.operator.uuid(),
        attachment.name.convention.uuid(),
        attachment.name.attachment.uuid(),
        attachment.subject.to_string(),
        attachment.kind.as_str(),
        attachment.file_name,
        attachment.media_type.as_str(),
        attachment.size,
        attachment.digest.as_bytes(),
        attachment.party.as_str(),
        attachment.uploaded_by,
        attachment.state.as_str(),
        attachment.revision,
        attachment.create_time,
        attachment.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether what an attachment is about exists.
pub async fn check_subject(tx: &mut Tx, subject: &Subject) -> Result<(), Error> {
    let convention = subject.convention();
    let (table, id) = subject.row();
    let found = sqlx::query_scalar!(
        r#"SELECT CASE $3
             WHEN 'convention' THEN EXISTS (SELECT FROM convention WHERE operator_id = $1 AND convention_id = $2)
             WHEN 'budget' THEN EXISTS (SELECT FROM budget WHERE operator_id = $1 AND convention_id = $2)
             WHEN 'act' THEN EXISTS
               (SELECT FROM act WHERE operator_id = $1 AND convention_id = $2 AND act_record_id = $4)
             WHEN 'activity_report' THEN EXISTS
               (SELECT FROM activity_report WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $4)
             WHEN 'amendment' THEN EXISTS
               (SELECT FROM amendment WHERE operator_id = $1 AND convention_id = $2 AND amendment_id = $4)
             WHEN 'commitment' THEN EXISTS
               (SELECT FROM commitment WHERE operator_id = $1 AND convention_id = $2 AND commitment_id = $4)
             WHEN 'decision' THEN EXISTS
               (SELECT FROM decision WHERE operator_id = $1 AND convention_id = $2 AND decision_id = $4)
             WHEN 'dispute' THEN EXISTS
               (SELECT FROM dispute WHERE operator_id = $1 AND convention_id = $2 AND dispute_id = $4)
             WHEN 'document' THEN EXISTS
               (SELECT FROM document WHERE operator_id = $1 AND convention_id = $2 AND document_id = $4)
             WHEN 'formal_notice' THEN EXISTS
               (SELECT FROM formal_notice WHERE operator_id = $1 AND convention_id = $2 AND formal_notice_id = $4)
             WHEN 'hearing' THEN EXISTS
               (SELECT FROM hearing WHERE operator_id = $1 AND convention_id = $2 AND hearing_id = $4)
             WHEN 'inspection' THEN EXISTS
               (SELECT FROM inspection WHERE operator_id = $1 AND convention_id = $2 AND inspection_id = $4)
             ELSE false
           END AS "found!""#,
        convention.operator.uuid(),
        convention.convention.uuid(),
        table,
        id
    )
    .fetch_one(tx.conn())
    .await?;
    if found {
        Ok(())
    } else {
        Err(Failure::not_found(subject).into())
    }
}

/// The one that stands under a subject with these bytes.
pub async fn same(
    tx: &mut Tx,
    subject: &Subject,
    digest: &Digest,
) -> Result<Option<Attachment>, Error> {
    let convention = subject.convention();
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM attachment
         WHERE operator_id = $1 AND convention_id = $2 AND subject = $3 AND sha256 = $4 AND state = 'ACTIVE'",
        convention.operator.uuid(),
        convention.convention.uuid(),
        subject.to_string(),
        digest.as_bytes()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Attachment::try_from).transpose()?)
}

/// How many a convention has, withdrawn ones included.
pub async fn count(tx: &mut Tx, convention: &ConventionName) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM attachment WHERE operator_id = $1 AND convention_id = $2"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Reads one. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &AttachmentName) -> Result<Attachment, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM attachment WHERE operator_id = $1 AND convention_id = $2 AND attachment_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.attachment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one and reads it.
pub async fn lock(tx: &mut Tx, name: &AttachmentName) -> Result<Attachment, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM attachment WHERE operator_id = $1 AND convention_id = $2 AND attachment_id = $3 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.attachment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Keeps one that counts from being withdrawn before the end of the transaction. Refuses one that does not exist, or is
/// withdrawn.
pub async fn hold(tx: &mut Tx, name: &AttachmentName) -> Result<(), Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM attachment WHERE operator_id = $1 AND convention_id = $2 AND attachment_id = $3 FOR SHARE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.attachment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let attachment: Attachment = row.ok_or_else(|| Failure::not_found(name))?.try_into()?;
    Ok(attachment.active()?)
}

/// Whether the evidence of a commitment rests on a locked one.
pub async fn is_cited(tx: &mut Tx, name: &AttachmentName) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM commitment WHERE operator_id = $1 AND convention_id = $2 AND evidence_ref = $3)
           AS "cited!""#,
        name.operator.uuid(),
        name.convention.uuid(),
        name.to_string()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Those of a convention, or of one subject, after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    subject: Option<&Subject>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Attachment>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM attachment
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::text IS NULL OR subject = $3)
           AND ($4::uuid IS NULL OR attachment_id > $4)
         ORDER BY attachment_id LIMIT $5",
        convention.operator.uuid(),
        convention.convention.uuid(),
        subject.map(ToString::to_string),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Attachment::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes the state of a locked one.
pub async fn update(tx: &mut Tx, attachment: &Attachment) -> Result<(), Error> {
    let withdrawn = match &attachment.state {
        State::Active => None,
        State::Withdrawn { time, by, reason } => Some((*time, by.as_str(), reason.as_str())),
    };
    sqlx::query!(
        "UPDATE attachment SET state = $4, withdraw_time = $5, withdrawn_by = $6, withdraw_reason = $7, revision = $8,
                               update_time = $9
         WHERE operator_id = $1 AND convention_id = $2 AND attachment_id = $3",
        attachment.name.operator.uuid(),
        attachment.name.convention.uuid(),
        attachment.name.attachment.uuid(),
        attachment.state.as_str(),
        withdrawn.map(|(time, ..)| time),
        withdrawn.map(|(_, by, _)| by),
        withdrawn.map(|(.., reason)| reason),
        attachment.revision,
        attachment.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    attachment_id: Uuid,
    subject: String,
    kind: String,
    file_name: String,
    media_type: String,
    size_bytes: i64,
    sha256: Vec<u8>,
    party: String,
    uploaded_by: String,
    state: String,
    withdraw_time: Option<OffsetDateTime>,
    withdrawn_by: Option<String>,
    withdraw_reason: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Attachment {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = AttachmentName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            attachment: Id::from_uuid(row.attachment_id),
        };
        let withdrawn = (row.withdraw_time, row.withdrawn_by, row.withdraw_reason);
        let state = match (row.state.as_str(), withdrawn) {
            ("ACTIVE", (None, None, None)) => State::Active,
            ("WITHDRAWN", (Some(time), Some(by), Some(reason))) => {
                State::Withdrawn { time, by, reason }
            }
            _ => return Err(damaged(name)),
        };
        let digest = row.sha256.try_into().map_err(|_| damaged(name))?;
        Ok(Self {
            name,
            subject: parse(&row.subject)?,
            kind: one_of(&Kind::ALL, Kind::as_str, &row.kind)?,
            file_name: row.file_name,
            media_type: parse(&row.media_type)?,
            size: row.size_bytes,
            digest: Digest::from_bytes(digest),
            party: one_of(&Party::ALL, Party::as_str, &row.party)?,
            uploaded_by: row.uploaded_by,
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
