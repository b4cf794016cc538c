//! Hearings in the database.

use nonrecours_kernel::{ConventionName, HearingName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Hearing, Outcome, State};
use crate::{
    error::Error,
    stored::{damaged, one_of},
};

/// Adds one.
pub async fn insert(tx: &mut Tx, hearing: &Hearing) -> Result<(), Error> {
    let (state, ..) = columns(hearing);
    sqlx::query!(
        "INSERT INTO hearing (operator_id, convention_id, hearing_id, subject, convened_date, inspection_id, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        hearing.name.operator.uuid(),
        hearing.name.convention.uuid(),
        hearing.name.hearing.uuid(),
        hearing.subject,
        hearing.convened,
        hearing.inspection.map(|inspection| inspection.uuid()),
        state,
        hearing.revision,
        hearing.create_time,
        hearing.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist. Whoever writes one has locked its convention.
pub async fn get(tx: &mut Tx, name: &HearingName) -> Result<Hearing, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM hearing WHERE operator_id = $1 AND convention_id = $2 AND hearing_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.hearing.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, hearing: &Hearing) -> Result<(), Error> {
    let (state, on, minutes) = columns(hearing);
    sqlx::query!(
        "UPDATE hearing SET state = $4, outcome_date = $5, minutes = $6, revision = $7, update_time = $8
         WHERE operator_id = $1 AND convention_id = $2 AND hearing_id = $3",
        hearing.name.operator.uuid(),
        hearing.name.convention.uuid(),
        hearing.name.hearing.uuid(),
        state,
        on,
        minutes,
        hearing.revision,
        hearing.update_time
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
) -> Result<Vec<Hearing>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM hearing
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR hearing_id > $3)
         ORDER BY hearing_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Hearing::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    hearing_id: Uuid,
    subject: String,
    convened_date: Date,
    inspection_id: Option<Uuid>,
    state: String,
    outcome_date: Option<Date>,
    minutes: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Hearing {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = HearingName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            hearing: Id::from_uuid(row.hearing_id),
        };
        let state = match (row.state.as_str(), row.outcome_date, row.minutes) {
            ("CONVENED", None, None) => State::Convened,
            (outcome, Some(on), Some(minutes)) => State::Recorded {
                outcome: one_of(&Outcome::ALL, Outcome::as_str, outcome)?,
                on,
                minutes,
            },
            _ => return Err(damaged(name)),
        };
        Ok(Self {
            name,
            subject: row.subject,
            convened: row.convened_date,
            inspection: row.inspection_id.map(Id::from_uuid),
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

/// State, day of the outcome, minutes.
fn columns(hearing: &Hearing) -> (&'static str, Option<Date>, Option<&str>) {
    match &hearing.state {
        State::Convened => ("CONVENED", None, None),
        State::Recorded {
            outcome,
            on,
            minutes,
        } => (outcome.as_str(), Some(*on), Some(minutes)),
    }
}
