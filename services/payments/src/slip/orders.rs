//! Orders of slips in the database.

use std::collections::HashMap;

use nonrecours_kernel::{
    BudgetYear, ConventionId, InstalmentId, InstalmentName, Money, OperatorId, ProgrammeId, SlipId,
    SlipName,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::Date;
use uuid::Uuid;

use super::{Order, Reason, Stage};
use crate::return_file::{KnownOrder, Named, OrderKey, Target};

/// Digits of a UUID without hyphens.
const UUID_DIGITS: usize = 32;

/// The last order of each of these instalments that has one, with its budget year.
pub async fn last(
    tx: &mut Tx,
    instalments: &[InstalmentName],
) -> Result<HashMap<InstalmentName, (BudgetYear, Order)>, Error> {
    let column =
        |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> { instalments.iter().map(id).collect() };
    let rows = sqlx::query_as!(
        OrderRow,
        "SELECT DISTINCT ON (operator_id, convention_id, instalment_id)
                operator_id, convention_id, instalment_id, attempt, programme_id, slip_id, budget_year, piece,
                orders.amount, reduced_amount, returned_amount, state, taken_in_charge, reason_code, reason_text, payment_date,
                return_date
         FROM slip_order AS orders
         JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (operator_id, convention_id, instalment_id)
              USING (operator_id, convention_id, instalment_id)
         JOIN slip USING (programme_id, slip_id)
         ORDER BY operator_id, convention_id, instalment_id, attempt DESC",
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid())
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let (_, year, order) = row.order()?;
            Ok((order.instalment, (year, order)))
        })
        .collect()
}

/// Whether an instalment is in a slip that was not rejected. Slips are the programme's; their orders an operator sees too.
pub async fn is_sent(tx: &mut Tx, instalment: &InstalmentName) -> Result<bool, Error> {
    let sent = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM slip_order
                          WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3
                            AND state NOT IN ('FLOW_REJECTED', 'REJECTED')) AS "sent!""#,
        instalment.operator.uuid(),
        instalment.convention.uuid(),
        instalment.instalment.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(sent)
}

/// These orders, each with its slip and budget year, in the order of their keys.
pub async fn get(
    tx: &mut Tx,
    keys: &[OrderKey],
) -> Result<Vec<(SlipName, BudgetYear, Order)>, Error> {
    let column = |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> {
        keys.iter().map(|(name, _)| id(name)).collect()
    };
    let attempts: Vec<i16> = keys.iter().map(|(_, attempt)| *attempt).collect();
    let rows = sqlx::query_as!(
        OrderRow,
        "SELECT operator_id, convention_id, instalment_id, attempt, programme_id, slip_id, budget_year, piece,
                orders.amount, reduced_amount, returned_amount, state, taken_in_charge, reason_code, reason_text, payment_date,
                return_date
         FROM slip_order AS orders
         JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[])
              AS wanted (operator_id, convention_id, instalment_id, attempt)
              USING (operator_id, convention_id, instalment_id, attempt)
         JOIN slip USING (programme_id, slip_id)
         ORDER BY operator_id, convention_id, instalment_id, attempt",
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid()),
        &attempts
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(OrderRow::order).collect()
}

/// The orders of these slips of a programme, in their order.
pub async fn of_slips(
    tx: &mut Tx,
    programme: ProgrammeId,
    slips: &[Uuid],
) -> Result<Vec<(SlipName, BudgetYear, Order)>, Error> {
    let rows = sqlx::query_as!(
        OrderRow,
        "SELECT operator_id, convention_id, instalment_id, attempt, programme_id, slip_id, budget_year, piece,
                orders.amount, reduced_amount, returned_amount, state, taken_in_charge, reason_code, reason_text, payment_date,
                return_date
         FROM slip_order AS orders JOIN slip USING (programme_id, slip_id)
         WHERE programme_id = $1 AND slip_id = ANY ($2)
         ORDER BY slip_id, position",
        programme.uuid(),
        slips
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(OrderRow::order).collect()
}

/// The orders of a programme as files name them, the newest slips first: as many as one file can be about.
pub async fn known(
    tx: &mut Tx,
    programme: ProgrammeId,
    limit: i64,
) -> Result<Vec<KnownOrder>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, instalment_id, attempt, slip_id, budget_year, number, piece, file_name,
                debtor_iban
         FROM slip_order JOIN slip USING (programme_id, slip_id)
              JOIN posting_codes AS codes
                   ON codes.programme_id = slip.programme_id AND codes.version = posting_codes_version
         WHERE slip.programme_id = $1
         ORDER BY slip_id DESC, position LIMIT $2",
        programme.uuid(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let instalment = InstalmentName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
                instalment: InstalmentId::from_uuid(row.instalment_id),
            };
            let damaged = |_| Error::Damaged(format!("the slip of {instalment}"));
            let slip = SlipName {
                programme,
                slip: SlipId::from_uuid(row.slip_id),
            };
            Ok(KnownOrder {
                target: Target::Order((instalment, row.attempt)),
                budget_year: BudgetYear::try_from(row.budget_year).map_err(damaged)?,
                as_named: match row.debtor_iban {
                    Some(account) => Named::ByBank { slip, account },
                    None => Named::ByAccountant {
                        slip: row.number,
                        piece: row.piece,
                        file_name: row.file_name,
                    },
                },
            })
        })
        .collect()
}

/// Whether a reference of our form is that of an order of any programme: one account may pay for several.
pub async fn is_of_another(tx: &mut Tx, reference: &str) -> Result<bool, Error> {
    // Its form was looked at: a UUID without hyphens, then which of the orders.
    let parts = reference.split_at_checked(UUID_DIGITS);
    let parts = parts.map(|(id, attempt)| (Uuid::try_parse(id), attempt.parse::<i16>()));
    let Some((Ok(id), Ok(attempt))) = parts else {
        return Ok(false);
    };
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM slip_order WHERE instalment_id = $1 AND attempt = $2) AS "found!""#,
        id,
        attempt
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Writes what has become of an order, under the lock of its register.
pub async fn update(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE slip_order
         SET state = $5, taken_in_charge = $6, reason_code = $7, reason_text = $8, payment_date = $9, return_date = $10,
             reduced_amount = $11, returned_amount = $12
         WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3 AND attempt = $4",
        order.instalment.operator.uuid(),
        order.instalment.convention.uuid(),
        order.instalment.instalment.uuid(),
        order.attempt,
        order.stage.code(),
        order.taken_in_charge,
        order.reason.code,
        order.reason.text,
        order.payment_date,
        order.return_date,
        order.reduced.amount(),
        order.returned.amount()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct OrderRow {
    operator_id: Uuid,
    convention_id: Uuid,
    instalment_id: Uuid,
    attempt: i16,
    programme_id: Uuid,
    slip_id: Uuid,
    budget_year: i16,
    piece: i32,
    amount: Decimal,
    reduced_amount: Decimal,
    returned_amount: Decimal,
    state: String,
    taken_in_charge: bool,
    reason_code: String,
    reason_text: String,
    payment_date: Option<Date>,
    return_date: Option<Date>,
}

impl OrderRow {
    /// The order, with its slip and budget year.
    fn order(self) -> Result<(SlipName, BudgetYear, Order), Error> {
        let instalment = InstalmentName {
            operator: OperatorId::from_uuid(self.operator_id),
            convention: ConventionId::from_uuid(self.convention_id),
            instalment: InstalmentId::from_uuid(self.instalment_id),
        };
        let damaged = || Error::Damaged(format!("order of {instalment}"));
        let stage = Stage::ALL
            .into_iter()
            .find(|stage| stage.code() == self.state);
        let stage = stage.ok_or_else(damaged)?;
        let cancelled = stage == Stage::Rejected && self.reduced_amount == self.amount;
        let order = Order {
            instalment,
            attempt: self.attempt,
            piece: self.piece,
            amount: Money::try_from(self.amount).map_err(|_| damaged())?,
            reduced: Money::try_from(self.reduced_amount).map_err(|_| damaged())?,
            returned: Money::try_from(self.returned_amount).map_err(|_| damaged())?,
            stage: if cancelled { Stage::Cancelled } else { stage },
            taken_in_charge: self.taken_in_charge,
            reason: Reason {
                code: self.reason_code,
                text: self.reason_text,
            },
            payment_date: self.payment_date,
            return_date: self.return_date,
        };
        let year = BudgetYear::try_from(self.budget_year).map_err(|_| damaged())?;
        let slip = SlipName {
            programme: ProgrammeId::from_uuid(self.programme_id),
            slip: SlipId::from_uuid(self.slip_id),
        };
        Ok((slip, year, order))
    }
}
