//! The sums of a programme in the database.

use nonrecours_kernel::{BudgetYear, Id, OperatorName, ProgrammeName};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::Date;

use super::domain::{Figures, OperatorRollUp};
use crate::{error::Error, stored::money};

/// Operators that a roll-up holds at most; a territory has some dozens.
const MAX_OPERATORS: usize = 5_000;

/// The sums of each operator with a convention signed for the budget year, by legal name.
pub async fn roll_up(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
) -> Result<Vec<OperatorRollUp>, Error> {
    let rows = sqlx::query!(
        r#"SELECT operator.operator_id, operator.legal_name, count(*) AS "conventions!",
                  count(report.activity_report_id) AS "accepted_reports!", sum(coalesce(convention.reduced_amount, convention.grant_amount)) AS "granted!",
                  sum(convention.paid_amount) AS "paid!", coalesce(sum(report.spent_amount), 0) AS "spent!",
                  coalesce(sum(report.persons_spotted), 0)::bigint AS "persons_spotted!",
                  coalesce(sum(report.persons_supported), 0)::bigint AS "persons_supported!",
                  coalesce(sum(report.entitlements_opened), 0)::bigint AS "entitlements_opened!",
                  coalesce(sum(report.yearly_amount_opened), 0) AS "yearly_amount_opened!",
                  coalesce(sum(report.sessions_held), 0)::bigint AS "sessions_held!",
                  ARRAY[sum(targets[1]), sum(targets[2]), sum(targets[3])] AS "targets!",
                  ARRAY[sum(targets[1]) FILTER (WHERE report.activity_report_id IS NOT NULL),
                        sum(targets[2]) FILTER (WHERE report.activity_report_id IS NOT NULL),
                        sum(targets[3]) FILTER (WHERE report.activity_report_id IS NOT NULL)] AS "reported_targets!: Vec<Option<i64>>"
           FROM convention
           JOIN operator USING (operator_id)
           LEFT JOIN activity_report AS report
                ON report.operator_id = convention.operator_id AND report.convention_id = convention.convention_id
                   AND report.state = 'ACCEPTED'
           WHERE convention.programme_id = $1 AND convention.budget_year = $2 AND convention.in_force_time IS NOT NULL
           GROUP BY operator.operator_id
           ORDER BY operator.legal_name, operator.operator_id
           LIMIT $3"#,
        programme.programme.uuid(),
        year.get(),
        i64::try_from(MAX_OPERATORS + 1).unwrap_or(i64::MAX)
    )
    .all(tx.conn())
    .await?;
    if rows.len() > MAX_OPERATORS {
        return Err(Error::from(Failure::bug(
            "a programme with more operators than a roll-up holds",
        )));
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            Ok(OperatorRollUp {
                name: OperatorName {
                    operator: Id::from_uuid(row.operator_id),
                },
                legal_name: row.legal_name,
                figures: Figures {
                    conventions: row.conventions,
                    accepted_reports: row.accepted_reports,
                    grant: money(row.granted)?,
                    paid: money(row.paid)?,
                    spent: money(row.spent)?,
                    persons_spotted: row.persons_spotted,
                    persons_supported: row.persons_supported,
                    entitlements_opened: row.entitlements_opened,
                    yearly_amount_opened: money(row.yearly_amount_opened)?,
                    sessions_held: row.sessions_held,
                    overdue_commitments: 0,
                    targets: three(row.targets.into_iter().map(Some))?,
                    // No sum where no report is accepted.
                    reported_targets: three(row.reported_targets.into_iter())?,
                },
            })
        })
        .collect::<Result<_, pg::Error>>()?)
}

fn three(sums: impl Iterator<Item = Option<i64>>) -> Result<[i64; 3], pg::Error> {
    let sums: Vec<i64> = sums.map(Option::unwrap_or_default).collect();
    sums.try_into()
        .map_err(|_| pg::Error::Damaged("targets".to_owned()))
}

/// How many commitments each operator has that are late on that day, under its conventions of the budget year that run.
pub async fn overdue(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
    today: Date,
) -> Result<Vec<(OperatorName, i64)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT operator_id, count(*) AS "overdue!"
           FROM commitment
           JOIN convention USING (operator_id, convention_id)
           WHERE programme_id = $1 AND budget_year = $2 AND convention.state IN ('IN_FORCE', 'COMPLETED')
             AND commitment.state IN ('PENDING', 'EVIDENCED') AND due_date < $3
           GROUP BY operator_id"#,
        programme.programme.uuid(),
        year.get(),
        today
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let operator = OperatorName {
                operator: Id::from_uuid(row.operator_id),
            };
            (operator, row.overdue)
        })
        .collect())
}
