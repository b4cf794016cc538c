//! The books in the database: written once, never changed.

use std::collections::BTreeMap;

use nonrecours_kernel::{
    ConventionId, ConventionName, InstalmentId, InstalmentName, LedgerEntryId, Money, OperatorId,
};
use nonrecours_pg::{Error, Tx};
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Account, LedgerEntry, Movement, verify::Booked};
use crate::payment_plan;

/// Writes an entry. The table's unique keys refuse to book a revision of an instalment twice, or its payment.
pub async fn insert(tx: &mut Tx, entry: &LedgerEntry) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO ledger_entry (operator_id, convention_id, ledger_entry_id, instalment_id, debit, credit, amount,
                                   label, actor, book_time, instalment_revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        entry.instalment.operator.uuid(),
        entry.instalment.convention.uuid(),
        entry.id.uuid(),
        entry.instalment.instalment.uuid(),
        code(entry.movement.debit()),
        code(entry.movement.credit()),
        entry.amount.amount(),
        entry.label,
        entry.actor,
        entry.book_time,
        entry.instalment_revision
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A page of the entries of a convention, in the order of booking.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LedgerEntry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT ledger_entry_id, instalment_id, debit, credit, amount, label, actor, book_time, instalment_revision
         FROM ledger_entry
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR ledger_entry_id > $3)
         ORDER BY ledger_entry_id
         LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| row.entry(convention)).collect()
}

/// What the entries of these conventions come to, by instalment and movement: one statement, however many they are.
pub async fn booked(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<BTreeMap<ConventionName, Vec<Booked>>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query!(
        r#"SELECT entry.operator_id, entry.convention_id, instalment_id, debit, credit, sum(amount) AS "amount!",
                  count(*) AS "entries!", (array_agg(actor ORDER BY instalment_revision DESC))[1] AS "last_actor!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN ledger_entry AS entry USING (operator_id, convention_id)
           GROUP BY entry.operator_id, entry.convention_id, instalment_id, debit, credit"#,
        &operators,
        &conventions
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let damaged = || Error::Damaged(format!("the entries of instalment {}", row.instalment_id));
        let convention = ConventionName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
        };
        let booked = Booked {
            instalment: InstalmentId::from_uuid(row.instalment_id),
            movement: movement(&row.debit, &row.credit).ok_or_else(damaged)?,
            amount: Money::try_from(row.amount).map_err(|_| damaged())?,
            entries: row.entries,
            last_actor: row.last_actor,
        };
        found.entry(convention).or_default().push(booked);
    }
    Ok(found)
}

fn movement(debit: &str, credit: &str) -> Option<Movement> {
    Movement::ALL
        .into_iter()
        .find(|movement| code(movement.debit()) == debit && code(movement.credit()) == credit)
}

/// A row as it is read.
struct Row {
    ledger_entry_id: Uuid,
    instalment_id: Uuid,
    debit: String,
    credit: String,
    amount: Decimal,
    label: String,
    actor: String,
    book_time: OffsetDateTime,
    instalment_revision: i64,
}

impl Row {
    fn entry(self, convention: &ConventionName) -> Result<LedgerEntry, Error> {
        let damaged = || Error::Damaged(format!("ledger entry {}", self.ledger_entry_id));
        Ok(LedgerEntry {
            id: LedgerEntryId::from_uuid(self.ledger_entry_id),
            instalment: InstalmentName {
                operator: convention.operator,
                convention: convention.convention,
                instalment: InstalmentId::from_uuid(self.instalment_id),
            },
            instalment_revision: self.instalment_revision,
            movement: movement(&self.debit, &self.credit).ok_or_else(damaged)?,
            amount: Money::try_from(self.amount).map_err(|_| damaged())?,
            label: self.label,
            actor: self.actor,
            book_time: self.book_time,
        })
    }
}

const fn code(account: Account) -> &'static str {
    match account {
        Account::GrantExpense => "GRANT_EXPENSE",
        Account::OperatorPayable => "OPERATOR_PAYABLE",
        Account::Treasury => "TREASURY",
    }
}
