//! Budget years in the database.

use nonrecours_kernel::{
    BudgetYearName, ConventionId, ConventionName, InstalmentId, InstalmentName, Money, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};

use super::{BudgetYearView, Closing, Pending};
use crate::instalment::store::stage_of;

/// Most pending instalments that are shown.
const MAX_PENDING: i64 = 500;
/// Most plans carried over in one transaction.
const MAX_CARRIED: i64 = 1000;

/// A budget year as it stands.
pub async fn get(tx: &mut Tx, name: &BudgetYearName) -> Result<BudgetYearView, Error> {
    let damaged = |what: &str| Error::Damaged(format!("{what} of {name}"));
    let (programme, year) = (name.programme.programme.uuid(), name.year.get());
    let closing = sqlx::query!(
        "SELECT carried_count, carried_amount, closer, revision, create_time, update_time
         FROM budget_year WHERE programme_id = $1 AND budget_year = $2",
        programme,
        year
    )
    .fetch_optional(tx.conn())
    .await?;
    let closing = match closing {
        None => None,
        Some(row) => Some(Closing {
            carried_count: row.carried_count,
            carried_amount: Money::try_from(row.carried_amount)
                .map_err(|_| damaged("what was carried over"))?,
            closer: row.closer,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        }),
    };
    let rows = sqlx::query!(
        r#"SELECT instalment.operator_id, instalment.convention_id, instalment_id, convention_title, amount, state,
                  count(*) OVER () AS "all_count!", sum(amount) OVER () AS "all_amount!"
           FROM payment_plan AS plan JOIN instalment USING (operator_id, convention_id)
           WHERE programme_id = $1 AND coalesce(carried_to, budget_year) = $2
             AND state NOT IN ('PAID', 'CANCELLED') AND (NOT terminated OR state = 'ORDERED')
             AND NOT EXISTS (SELECT FROM slip_order AS orders
                             WHERE orders.operator_id = instalment.operator_id
                               AND orders.convention_id = instalment.convention_id
                               AND orders.instalment_id = instalment.instalment_id
                               AND orders.state NOT IN ('FLOW_REJECTED', 'REJECTED'))
           ORDER BY instalment.convention_id, position
           LIMIT $3"#,
        programme,
        year,
        MAX_PENDING
    )
    .all(tx.conn())
    .await?;
    let first = rows.first();
    let pending_count = first.map_or(0, |row| row.all_count);
    let pending_amount = first.map_or(Ok(Money::ZERO), |row| {
        Money::try_from(row.all_amount).map_err(|_| damaged("what is pending"))
    })?;
    let pending = rows.into_iter().map(|row| {
        let pending = || {
            Some(Pending {
                instalment: InstalmentName {
                    operator: OperatorId::from_uuid(row.operator_id),
                    convention: ConventionId::from_uuid(row.convention_id),
                    instalment: InstalmentId::from_uuid(row.instalment_id),
                },
                stage: stage_of(&row.state)?,
                amount: Money::try_from(row.amount).ok()?,
                title: row.convention_title,
            })
        };
        pending().ok_or_else(|| damaged("a pending instalment"))
    });
    Ok(BudgetYearView {
        name: *name,
        closing,
        pending: pending.collect::<Result<_, _>>()?,
        pending_count,
        pending_amount,
    })
}

/// The conventions whose plans have something pending in a budget year, in the order of their ids, with how many
/// instalments and which sum that is.
pub async fn to_carry(
    tx: &mut Tx,
    name: &BudgetYearName,
) -> Result<Vec<(ConventionName, i32, Money)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT instalment.operator_id, instalment.convention_id, count(*)::int AS "count!", sum(amount) AS "amount!"
           FROM payment_plan AS plan JOIN instalment USING (operator_id, convention_id)
           WHERE programme_id = $1 AND coalesce(carried_to, budget_year) = $2
             AND state NOT IN ('PAID', 'CANCELLED') AND (NOT terminated OR state = 'ORDERED')
             AND NOT EXISTS (SELECT FROM slip_order AS orders
                             WHERE orders.operator_id = instalment.operator_id
                               AND orders.convention_id = instalment.convention_id
                               AND orders.instalment_id = instalment.instalment_id
                               AND orders.state NOT IN ('FLOW_REJECTED', 'REJECTED'))
           GROUP BY instalment.operator_id, instalment.convention_id
           ORDER BY instalment.convention_id
           LIMIT $3"#,
        name.programme.programme.uuid(),
        name.year.get(),
        MAX_CARRIED
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let convention = ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            };
            let damaged = |_| Error::Damaged(format!("what is pending of {convention}"));
            let amount = Money::try_from(row.amount).map_err(damaged)?;
            Ok((convention, row.count, amount))
        })
        .collect()
}

/// Writes how a budget year, whose register is locked, was closed.
pub async fn close(tx: &mut Tx, name: &BudgetYearName, closing: &Closing) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO budget_year (programme_id, budget_year, carried_count, carried_amount, closer, revision, create_time,
                                  update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (programme_id, budget_year) DO UPDATE
         SET carried_count = excluded.carried_count, carried_amount = excluded.carried_amount, closer = excluded.closer,
             revision = excluded.revision, update_time = excluded.update_time",
        name.programme.programme.uuid(),
        name.year.get(),
        closing.carried_count,
        closing.carried_amount.amount(),
        closing.closer,
        closing.revision,
        closing.create_time,
        closing.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
