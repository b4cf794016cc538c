//! The books in the database: written once, never changed.

use std::collections::BTreeMap;

use nonrecours_kernel::{
    ConventionId, ConventionName, InstalmentId, InstalmentName, LedgerEntryId, Money, OperatorId,
    RecoveryId, RecoveryName,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Account, LedgerEntry, Movement, Subject,
    verify::{Booked, Sent},
};
use crate::payment_plan;

/// Writes an entry. The table's unique keys refuse to book a revision of an instalment or a recovery twice, or a payment that
/// has not come back since.
pub async fn insert(tx: &mut Tx, entry: &LedgerEntry) -> Result<(), Error> {
    let convention = entry.subject.convention();
    let (instalment, recovery) = match &entry.subject {
        Subject::Instalment(name) => (Some(name), None),
        Subject::Recovery(name) => (None, Some(name)),
    };
    sqlx::query!(
        "INSERT INTO ledger_entry (operator_id, convention_id, ledger_entry_id, instalment_id, debit, credit, amount,
                                   label, actor, book_time, instalment_revision, recovery_id, recovery_revision, round)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                 (SELECT 1 + count(*) FROM ledger_entry
                  WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $4
                    AND debit = 'TREASURY' AND credit = 'OPERATOR_PAYABLE'))",
        convention.operator.uuid(),
        convention.convention.uuid(),
        entry.id.uuid(),
        instalment.map(|name| name.instalment.uuid()),
        code(entry.movement.debit()),
        code(entry.movement.credit()),
        entry.amount.amount(),
        entry.label,
        entry.actor,
        entry.book_time,
        instalment.map(|_| entry.revision),
        recovery.map(|name| name.recovery.uuid()),
        recovery.map(|_| entry.revision)
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
        "SELECT ledger_entry_id, instalment_id, debit, credit, amount, label, actor, book_time, instalment_revision,
                recovery_id, recovery_revision
         FROM ledger_entry
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR ledger_entry_id > $3)
         ORDER BY ledger_entry_id
         LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(|row| row.entry(convention)).collect()
}

/// What the entries of these conventions come to, by what they book and movement: one statement, however many they are.
pub async fn booked(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<BTreeMap<ConventionName, Vec<Booked>>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query!(
        r#"SELECT entry.operator_id, entry.convention_id, instalment_id, recovery_id, debit, credit,
                  sum(amount) AS "amount!", count(*) AS "entries!",
                  (array_agg(actor ORDER BY coalesce(instalment_revision, recovery_revision) DESC))[1] AS "last_actor!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN ledger_entry AS entry USING (operator_id, convention_id)
           GROUP BY entry.operator_id, entry.convention_id, instalment_id, recovery_id, debit, credit"#,
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let convention = ConventionName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
        };
        let damaged = || Error::Damaged(format!("the entries of {convention}"));
        let booked = Booked {
            subject: subject(&convention, row.instalment_id, row.recovery_id)
                .ok_or_else(damaged)?,
            movement: movement(&row.debit, &row.credit).ok_or_else(damaged)?,
            amount: Money::try_from(row.amount).map_err(|_| damaged())?,
            entries: row.entries,
            last_actor: row.last_actor,
        };
        found.entry(convention).or_default().push(booked);
    }
    Ok(found)
}

/// The orders of these conventions that stand, with what corrections took off each.
pub async fn orders(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<BTreeMap<ConventionName, Vec<Sent>>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query!(
        r#"SELECT orders.operator_id, orders.convention_id, orders.instalment_id,
                  orders.amount - orders.returned_amount AS "amount!",
                  coalesce(sum(correction.amount), 0) AS "corrected!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN slip_order AS orders USING (operator_id, convention_id)
                LEFT JOIN slip_correction AS correction
                     ON correction.operator_id = orders.operator_id AND correction.convention_id = orders.convention_id
                        AND correction.instalment_id = orders.instalment_id AND correction.attempt = orders.attempt
                        AND correction.state = 'TAKEN_IN_CHARGE'
           WHERE orders.state NOT IN ('FLOW_REJECTED', 'REJECTED')
           GROUP BY orders.operator_id, orders.convention_id, orders.instalment_id, orders.attempt"#,
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let instalment = InstalmentName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
            instalment: InstalmentId::from_uuid(row.instalment_id),
        };
        let money = |sum| Money::try_from(sum).map_err(|_| Error::Damaged(instalment.to_string()));
        let sent = Sent {
            instalment,
            amount: money(row.amount)?,
            corrected: money(row.corrected)?,
        };
        found.entry(instalment.parent()).or_default().push(sent);
    }
    Ok(found)
}

/// The movement between two accounts, as the database has them; none that does not exist.
pub fn movement(debit: &str, credit: &str) -> Option<Movement> {
    Movement::ALL
        .into_iter()
        .find(|movement| code(movement.debit()) == debit && code(movement.credit()) == credit)
}

/// What an entry books: one of the two.
fn subject(
    convention: &ConventionName,
    instalment: Option<Uuid>,
    recovery: Option<Uuid>,
) -> Option<Subject> {
    let (operator, convention) = (convention.operator, convention.convention);
    match (instalment, recovery) {
        (Some(id), None) => Some(Subject::Instalment(InstalmentName {
            operator,
            convention,
            instalment: InstalmentId::from_uuid(id),
        })),
        (None, Some(id)) => Some(Subject::Recovery(RecoveryName {
            operator,
            convention,
            recovery: RecoveryId::from_uuid(id),
        })),
        _ => None,
    }
}

/// A row as it is read.
struct Row {
    ledger_entry_id: Uuid,
    instalment_id: Option<Uuid>,
    debit: String,
    credit: String,
    amount: Decimal,
    label: String,
    actor: String,
    book_time: OffsetDateTime,
    instalment_revision: Option<i64>,
    recovery_id: Option<Uuid>,
    recovery_revision: Option<i64>,
}

impl Row {
    fn entry(self, convention: &ConventionName) -> Result<LedgerEntry, Error> {
        let damaged = || Error::Damaged(format!("ledger entry {}", self.ledger_entry_id));
        Ok(LedgerEntry {
            id: LedgerEntryId::from_uuid(self.ledger_entry_id),
            subject: subject(convention, self.instalment_id, self.recovery_id)
                .ok_or_else(damaged)?,
            revision: self
                .instalment_revision
                .or(self.recovery_revision)
                .ok_or_else(damaged)?,
            movement: movement(&self.debit, &self.credit).ok_or_else(damaged)?,
            amount: Money::try_from(self.amount).map_err(|_| damaged())?,
            label: self.label,
            actor: self.actor,
            book_time: self.book_time,
        })
    }
}

/// As the database has it.
pub const fn code(account: Account) -> &'static str {
    match account {
        Account::GrantExpense => "GRANT_EXPENSE",
        Account::OperatorPayable => "OPERATOR_PAYABLE",
        Account::Treasury => "TREASURY",
        Account::OperatorReceivable => "OPERATOR_RECEIVABLE",
        Account::GrantRecovery => "GRANT_RECOVERY",
        Account::Uncollectible => "UNCOLLECTIBLE",
        Account::StateReceivable => "STATE_RECEIVABLE",
        Account::StateGrant => "STATE_GRANT",
    }
}
