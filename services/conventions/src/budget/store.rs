//! Budgets in the database: a row each, and one for each deviation case.

use nonrecours_kernel::{BudgetName, ConventionName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    domain::{Budget, Case, Closing},
    lines::Lines,
};
use crate::{
    error::Error,
    stored::{damaged, money},
};

/// Cases that are read with a budget; earlier ones are in the history.
const MAX_CASES: i64 = 20;

/// One budget. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &BudgetName) -> Result<Budget, Error> {
    Ok(find(tx, name)
        .await?
        .ok_or_else(|| Failure::not_found(name))?)
}

/// The budget of a convention, when it is planned. The convention is the root: whoever writes holds its lock.
pub async fn find(tx: &mut Tx, name: &BudgetName) -> Result<Option<Budget>, Error> {
    let row = sqlx::query!(
        r#"SELECT planned_classes, planned_amounts AS "planned_amounts: Vec<Decimal>", realised_classes,
                  realised_amounts AS "realised_amounts: Vec<Decimal>", deviation_threshold, revision, create_time,
                  update_time
           FROM budget WHERE operator_id = $1 AND convention_id = $2"#,
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let cases = sqlx::query_as!(
        CaseRow,
        "SELECT * FROM deviation_case WHERE operator_id = $1 AND convention_id = $2 ORDER BY case_number DESC LIMIT $3",
        name.operator.uuid(),
        name.convention.uuid(),
        MAX_CASES
    )
    .all(tx.conn())
    .await?;
    Ok(Some(Budget {
        name: *name,
        planned: lines(row.planned_classes, row.planned_amounts)?,
        realised: lines(row.realised_classes, row.realised_amounts)?,
        threshold: row.deviation_threshold.try_into().map_err(damaged)?,
        cases: cases
            .into_iter()
            .map(|row| Ok(case(row)?.1))
            .collect::<Result<_, pg::Error>>()?,
        revision: row.revision,
        create_time: row.create_time,
        update_time: row.update_time,
    }))
}

/// The open cases of conventions.
pub async fn open_cases(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<Vec<(ConventionName, Case)>, Error> {
    let operators: Vec<Uuid> = conventions.iter().map(|it| it.operator.uuid()).collect();
    let ids: Vec<Uuid> = conventions.iter().map(|it| it.convention.uuid()).collect();
    let rows = sqlx::query_as!(
        CaseRow,
        "SELECT deviation_case.*
         FROM deviation_case
         JOIN UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id) USING (operator_id, convention_id)
         WHERE close_time IS NULL",
        &operators,
        &ids
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(case)
        .collect::<Result<_, pg::Error>>()?)
}

/// Adds a budget.
pub async fn insert(tx: &mut Tx, budget: &Budget) -> Result<(), Error> {
    let (planned, realised) = (Columns::of(&budget.planned), Columns::of(&budget.realised));
    sqlx::query!(
        "INSERT INTO budget (operator_id, convention_id, planned_classes, planned_amounts, realised_classes,
                             realised_amounts, deviation_threshold, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        budget.name.operator.uuid(),
        budget.name.convention.uuid(),
        &planned.classes,
        &planned.amounts,
        &realised.classes,
        &realised.amounts,
        budget.threshold.value(),
        budget.revision,
        budget.create_time,
        budget.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the lines of a budget, and its latest case.
pub async fn update(tx: &mut Tx, budget: &Budget) -> Result<(), Error> {
    let (planned, realised) = (Columns::of(&budget.planned), Columns::of(&budget.realised));
    sqlx::query!(
        "UPDATE budget
         SET planned_classes = $3, planned_amounts = $4, realised_classes = $5, realised_amounts = $6, revision = $7,
             update_time = $8
         WHERE operator_id = $1 AND convention_id = $2",
        budget.name.operator.uuid(),
        budget.name.convention.uuid(),
        &planned.classes,
        &planned.amounts,
        &realised.classes,
        &realised.amounts,
        budget.revision,
        budget.update_time
    )
    .execute(tx.conn())
    .await?;
    // Only the latest can have been opened or closed: one is open at a time.
    let Some(case) = budget.cases.first() else {
        return Ok(());
    };
    let closed = case.closed.as_ref();
    sqlx::query!(
        "INSERT INTO deviation_case (operator_id, convention_id, case_number, subjects, open_time, close_time, closed_by,
                                     close_reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (operator_id, convention_id, case_number)
         DO UPDATE SET close_time = excluded.close_time, closed_by = excluded.closed_by,
                       close_reason = excluded.close_reason
         WHERE deviation_case.close_time IS NULL",
        budget.name.operator.uuid(),
        budget.name.convention.uuid(),
        case.number,
        &case.subjects,
        case.opened,
        closed.map(|closed| closed.time),
        closed.map(|closed| closed.by.as_str()),
        closed.map(|closed| closed.reason.as_str())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lines as they are stored: parallel arrays.
struct Columns {
    classes: Vec<i16>,
    amounts: Vec<Decimal>,
}

impl Columns {
    fn of(lines: &Lines) -> Self {
        Self {
            classes: lines.iter().map(|(class, _)| class.number()).collect(),
            amounts: lines.iter().map(|(_, amount)| amount.amount()).collect(),
        }
    }
}

fn lines(classes: Vec<i16>, amounts: Vec<Decimal>) -> Result<Lines, pg::Error> {
    let lines: Vec<_> = classes
        .into_iter()
        .zip(amounts)
        .map(|(class, amount)| Ok((class.try_into().map_err(damaged)?, money(amount)?)))
        .collect::<Result<_, pg::Error>>()?;
    Ok(Lines::new(lines))
}

struct CaseRow {
    operator_id: Uuid,
    convention_id: Uuid,
    case_number: i32,
    subjects: Vec<String>,
    open_time: OffsetDateTime,
    close_time: Option<OffsetDateTime>,
    closed_by: Option<String>,
    close_reason: Option<String>,
}

fn case(row: CaseRow) -> Result<(ConventionName, Case), pg::Error> {
    let closed = match (row.close_time, row.closed_by, row.close_reason) {
        (None, None, None) => None,
        (Some(time), Some(by), Some(reason)) => Some(Closing { time, by, reason }),
        _ => return Err(damaged("a deviation case half closed")),
    };
    let name = ConventionName {
        operator: Id::from_uuid(row.operator_id),
        convention: Id::from_uuid(row.convention_id),
    };
    let case = Case {
        number: row.case_number,
        subjects: row.subjects,
        opened: row.open_time,
        closed,
    };
    Ok((name, case))
}
