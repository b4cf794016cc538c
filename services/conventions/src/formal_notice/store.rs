//! Formal notices in the database.

use nonrecours_kernel::{ConventionName, FormalNoticeName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{FormalNotice, State};
use crate::{
    convention::{measures::Ground, party::Party},
    error::Error,
    stored::{damaged, one_of},
};

/// Adds one.
pub async fn insert(tx: &mut Tx, formal_notice: &FormalNotice) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO formal_notice (operator_id, convention_id, formal_notice_id, party, ground, motives, letter_reference, sent_date, notice_days, state,
                                    revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        formal_notice.name.operator.uuid(),
        formal_notice.name.convention.uuid(),
        formal_notice.name.formal_notice.uuid(),
        formal_notice.party.as_str(),
        formal_notice.ground.as_str(),
        formal_notice.motives,
        formal_notice.letter,
        formal_notice.sent,
        formal_notice.notice_days,
        formal_notice.state.as_str(),
        formal_notice.revision,
        formal_notice.create_time,
        formal_notice.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist. Whoever writes one has locked its convention.
pub async fn get(tx: &mut Tx, name: &FormalNoticeName) -> Result<FormalNotice, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM formal_notice WHERE operator_id = $1 AND convention_id = $2 AND formal_notice_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.formal_notice.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, formal_notice: &FormalNotice) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE formal_notice SET state = $4, close_date = $5, revision = $6, update_time = $7
         WHERE operator_id = $1 AND convention_id = $2 AND formal_notice_id = $3",
        formal_notice.name.operator.uuid(),
        formal_notice.name.convention.uuid(),
        formal_notice.name.formal_notice.uuid(),
        formal_notice.state.as_str(),
        formal_notice.state.closed(),
        formal_notice.revision,
        formal_notice.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FormalNotice>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM formal_notice
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR formal_notice_id > $3)
         ORDER BY formal_notice_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(FormalNotice::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    formal_notice_id: Uuid,
    party: String,
    ground: String,
    motives: String,
    letter_reference: String,
    sent_date: Date,
    notice_days: i16,
    state: String,
    close_date: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for FormalNotice {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = FormalNoticeName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            formal_notice: Id::from_uuid(row.formal_notice_id),
        };
        let state = match (row.state.as_str(), row.close_date) {
            ("SENT", None) => State::Sent,
            ("REMEDIED", Some(day)) => State::Remedied(day),
            ("WITHDRAWN", Some(day)) => State::Withdrawn(day),
            ("EFFECTIVE", Some(day)) => State::Effective(day),
            _ => return Err(damaged(name)),
        };
        Ok(Self {
            name,
            party: one_of(&Party::ALL, Party::as_str, &row.party)?,
            ground: one_of(&Ground::ALL, Ground::as_str, &row.ground)?,
            motives: row.motives,
            letter: row.letter_reference,
            sent: row.sent_date,
            notice_days: row.notice_days,
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
