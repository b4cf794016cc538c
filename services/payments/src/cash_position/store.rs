//! What the cash position is counted from.

use nonrecours_kernel::{Money, ProgrammeName};
use nonrecours_pg::{All as _, Error, Tx};
use time::OffsetDateTime;

use super::{CashPosition, Ordered};
use crate::ledger_entry::store::movement;

/// The position of a programme before a moment: three statements, whatever it has.
pub async fn before(
    tx: &mut Tx,
    programme: &ProgrammeName,
    end: OffsetDateTime,
) -> Result<CashPosition, Error> {
    let damaged = || Error::Damaged(format!("the books of {programme}"));
    let id = programme.programme.uuid();
    let granted = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(advance_amount + balance_amount), 0) AS "granted!" FROM state_receivable
           WHERE programme_id = $1 AND create_time < $2"#,
        id,
        end
    )
    .fetch_one(tx.conn())
    .await?;
    let booked = sqlx::query!(
        r#"SELECT debit AS "debit!", credit AS "credit!", sum(amount) AS "amount!" FROM ledger
           WHERE programme_id = $1 AND book_time < $2
           GROUP BY debit, credit"#,
        id,
        end
    )
    .all(tx.conn())
    .await?;
    let booked = booked.into_iter().map(|row| {
        let amount = Money::try_from(row.amount).ok();
        movement(&row.debit, &row.credit).zip(amount)
    });
    let booked: Vec<_> = booked.collect::<Option<_>>().ok_or_else(damaged)?;
    // The last step of each instalment before that moment. Nothing more is engaged once a convention is terminated.
    let steps = sqlx::query!(
        r#"SELECT coalesce(sum(step.amount) FILTER (WHERE state = 'ORDERED'), 0) AS "ordered!",
                  coalesce(sum(step.amount) FILTER (WHERE state IN ('PLANNED', 'CALLED', 'CERTIFIED')
                                                      AND NOT (terminated AND coalesce(terminated_time, update_time) < $2)),
                           0) AS "engaged!"
           FROM payment_plan AS plan
                CROSS JOIN LATERAL (
                    SELECT DISTINCT ON (instalment_id) state, amount
                    FROM instalment_step AS step
                    WHERE step.operator_id = plan.operator_id AND step.convention_id = plan.convention_id
                      AND step_time < $2
                    ORDER BY instalment_id, revision DESC) AS step
           WHERE programme_id = $1"#,
        id,
        end
    )
    .fetch_one(tx.conn())
    .await?;
    let money = |amount| Money::try_from(amount).map_err(|_| damaged());
    let ordered = Ordered {
        ordered: money(steps.ordered)?,
        engaged: money(steps.engaged)?,
    };
    CashPosition::of(money(granted)?, &booked, ordered).ok_or_else(damaged)
}
