//! Fundings by the State in the database.

use nonrecours_kernel::{Id, ProgrammeName, StateFundingName, Text};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Receipt, StateFunding, Terms};
use crate::{
    error::Error,
    stored::{budget_year, damaged, money},
};

/// Adds a funding. Refuses a second one of the same programme and budget year.
pub async fn insert(tx: &mut Tx, funding: &StateFunding) -> Result<(), Error> {
    let terms = &funding.terms;
    let inserted = sqlx::query!(
        "INSERT INTO state_funding (programme_id, state_funding_id, budget_year, grant_amount, agreement_reference,
                                    advance_share, advance_expected_date, balance_expected_date, report_due_date,
                                    revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        funding.name.programme.uuid(),
        funding.name.state_funding.uuid(),
        terms.budget_year.get(),
        terms.grant.amount(),
        terms.agreement_reference,
        terms.advance_share.value(),
        terms.advance_expected,
        terms.balance_expected,
        terms.report_due,
        funding.revision,
        funding.create_time,
        funding.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "state_funding_year_key" => {
            Err(Error::from(Failure::already_exists(
                "budget_year",
                Text::new(
                    "The State's funding of this budget year is recorded already.",
                    "Le financement de l'État pour cet exercice est déjà enregistré : reprenez-le.",
                ),
            )))
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// One funding. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &StateFundingName) -> Result<StateFunding, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM state_funding WHERE programme_id = $1 AND state_funding_id = $2",
        name.programme.uuid(),
        name.state_funding.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one funding and reads it.
pub async fn lock(tx: &mut Tx, name: &StateFundingName) -> Result<StateFunding, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM state_funding WHERE programme_id = $1 AND state_funding_id = $2 FOR UPDATE",
        name.programme.uuid(),
        name.state_funding.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Fundings of a programme after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StateFunding>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM state_funding
         WHERE programme_id = $1 AND ($2::uuid IS NULL OR state_funding_id > $2)
         ORDER BY state_funding_id LIMIT $3",
        programme.programme.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(StateFunding::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes receipts and report of a locked funding.
pub async fn update(tx: &mut Tx, funding: &StateFunding) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE state_funding
         SET advance_received_amount = $3, advance_received_date = $4, balance_received_amount = $5,
             balance_received_date = $6, report_sent_date = $7, revision = $8, update_time = $9
         WHERE programme_id = $1 AND state_funding_id = $2",
        funding.name.programme.uuid(),
        funding.name.state_funding.uuid(),
        funding.advance.map(|receipt| receipt.amount.amount()),
        funding.advance.map(|receipt| receipt.date),
        funding.balance.map(|receipt| receipt.amount.amount()),
        funding.balance.map(|receipt| receipt.date),
        funding.report_sent,
        funding.revision,
        funding.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    programme_id: Uuid,
    state_funding_id: Uuid,
    budget_year: i16,
    grant_amount: Decimal,
    agreement_reference: String,
    advance_share: Decimal,
    advance_expected_date: Date,
    balance_expected_date: Date,
    report_due_date: Date,
    advance_received_amount: Option<Decimal>,
    advance_received_date: Option<Date>,
    balance_received_amount: Option<Decimal>,
    balance_received_date: Option<Date>,
    report_sent_date: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for StateFunding {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let receipt = |amount: Option<Decimal>, date: Option<Date>| match (amount, date) {
            (Some(amount), Some(date)) => Ok(Some(Receipt {
                amount: money(amount)?,
                date,
            })),
            (None, None) => Ok(None),
            _ => Err(damaged("a receipt without its day or its amount")),
        };
        Ok(Self {
            name: StateFundingName {
                programme: Id::from_uuid(row.programme_id),
                state_funding: Id::from_uuid(row.state_funding_id),
            },
            terms: Terms {
                budget_year: budget_year(row.budget_year)?,
                grant: money(row.grant_amount)?,
                agreement_reference: row.agreement_reference,
                advance_share: row.advance_share.try_into().map_err(damaged)?,
                advance_expected: row.advance_expected_date,
                balance_expected: row.balance_expected_date,
                report_due: row.report_due_date,
            },
            advance: receipt(row.advance_received_amount, row.advance_received_date)?,
            balance: receipt(row.balance_received_amount, row.balance_received_date)?,
            report_sent: row.report_sent_date,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
