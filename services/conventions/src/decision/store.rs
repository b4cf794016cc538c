//! Decisions in the database.

use nonrecours_kernel::{ConventionName, DecisionName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Decision, Measure};
use crate::{
    error::Error,
    stored::{damaged, money},
};

/// Adds one.
pub async fn insert(tx: &mut Tx, decision: &Decision) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO decision (operator_id, convention_id, decision_id, kind, motives, decision_date, amount, hearing_id, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        decision.name.operator.uuid(),
        decision.name.convention.uuid(),
        decision.name.decision.uuid(),
        decision.measure.as_str(),
        decision.motives,
        decision.date,
        decision.measure.amount().map(|amount| amount.amount()),
        decision.hearing.uuid(),
        decision.create_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &DecisionName) -> Result<Decision, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM decision WHERE operator_id = $1 AND convention_id = $2 AND decision_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.decision.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Those of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Decision>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM decision
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR decision_id > $3)
         ORDER BY decision_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Decision::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    decision_id: Uuid,
    kind: String,
    motives: String,
    decision_date: Date,
    amount: Option<Decimal>,
    hearing_id: Uuid,
    create_time: OffsetDateTime,
}

impl TryFrom<Row> for Decision {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = DecisionName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            decision: Id::from_uuid(row.decision_id),
        };
        let measure = match (row.kind.as_str(), row.amount.map(money).transpose()?) {
            ("REDUCE", Some(amount)) => Measure::Reduce(amount),
            ("SUSPEND", None) => Measure::Suspend,
            ("RESUME", None) => Measure::Resume,
            ("RECOVER", Some(amount)) => Measure::Recover(amount),
            ("TERMINATE", None) => Measure::Terminate,
            _ => return Err(damaged(name)),
        };
        Ok(Self {
            name,
            measure,
            motives: row.motives,
            date: row.decision_date,
            hearing: Id::from_uuid(row.hearing_id),
            create_time: row.create_time,
        })
    }
}
