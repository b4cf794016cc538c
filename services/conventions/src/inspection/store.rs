//! Inspections in the database.

use nonrecours_kernel::{ConventionName, Id, InspectionName};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Inspection, State};
use crate::{error::Error, stored::damaged};

/// Adds one.
pub async fn insert(tx: &mut Tx, inspection: &Inspection) -> Result<(), Error> {
    let (state, ..) = columns(inspection);
    sqlx::query!(
        "INSERT INTO inspection (operator_id, convention_id, inspection_id, subject, open_date, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        inspection.name.operator.uuid(),
        inspection.name.convention.uuid(),
        inspection.name.inspection.uuid(),
        inspection.subject,
        inspection.opened,
        state,
        inspection.revision,
        inspection.create_time,
        inspection.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist. Whoever writes one has locked its convention.
pub async fn get(tx: &mut Tx, name: &InspectionName) -> Result<Inspection, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM inspection WHERE operator_id = $1 AND convention_id = $2 AND inspection_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.inspection.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, inspection: &Inspection) -> Result<(), Error> {
    let (state, findings, closed) = columns(inspection);
    sqlx::query!(
        "UPDATE inspection SET state = $4, findings = $5, close_date = $6, revision = $7, update_time = $8
         WHERE operator_id = $1 AND convention_id = $2 AND inspection_id = $3",
        inspection.name.operator.uuid(),
        inspection.name.convention.uuid(),
        inspection.name.inspection.uuid(),
        state,
        findings,
        closed,
        inspection.revision,
        inspection.update_time
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
) -> Result<Vec<Inspection>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM inspection
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR inspection_id > $3)
         ORDER BY inspection_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Inspection::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    inspection_id: Uuid,
    subject: String,
    open_date: Date,
    state: String,
    findings: Option<String>,
    close_date: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Inspection {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = InspectionName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            inspection: Id::from_uuid(row.inspection_id),
        };
        let state = match (row.state.as_str(), row.findings, row.close_date) {
            ("OPEN", None, None) => State::Open,
            ("CLOSED", Some(findings), Some(on)) => State::Closed { findings, on },
            _ => return Err(damaged(name)),
        };
        Ok(Self {
            name,
            subject: row.subject,
            opened: row.open_date,
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

/// State, findings and day of the closing.
fn columns(inspection: &Inspection) -> (&'static str, Option<&str>, Option<Date>) {
    match &inspection.state {
        State::Open => ("OPEN", None, None),
        State::Closed { findings, on } => ("CLOSED", Some(findings), Some(*on)),
    }
}
