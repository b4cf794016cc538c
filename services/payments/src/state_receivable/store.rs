//! Receivables in the database, and their side of the books.

use std::collections::HashMap;

use nonrecours_kernel::{
    BudgetYear, Money, ProgrammeId, ProgrammeName, StateFundingId, StateReceivableName,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    Evidence, Part, Receipt, ReceiptKind, StateReceivable, Terms,
    domain::{Booked, BookedEntry},
};
use crate::{
    instalment::Step,
    known_file::store::digest,
    ledger_entry::{Movement, store as ledger},
};

/// Locks a receivable until the end of the transaction. False when there is none.
pub async fn lock(tx: &mut Tx, name: &StateReceivableName) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT true AS "found!" FROM state_receivable
           WHERE programme_id = $1 AND state_funding_id = $2 FOR UPDATE"#,
        name.programme.uuid(),
        name.state_receivable.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.unwrap_or(false))
}

/// One receivable, with the sums that the ledger has. Not the query that locks: see that of plans.
pub async fn get(
    tx: &mut Tx,
    name: &StateReceivableName,
) -> Result<Option<StateReceivable>, Error> {
    let (programme, funding) = (name.programme.uuid(), name.state_receivable.uuid());
    Ok(read(tx, Some(programme), Some(funding), None, 1)
        .await?
        .pop())
}

/// A page of receivables, oldest first: of a programme, or of all.
pub async fn list(
    tx: &mut Tx,
    programme: Option<ProgrammeName>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StateReceivable>, Error> {
    let programme = programme.map(|name| name.programme.uuid());
    read(tx, programme, None, after, limit).await
}

/// Two statements, however many they are.
async fn read(
    tx: &mut Tx,
    programme: Option<Uuid>,
    funding: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StateReceivable>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT programme_id, state_funding_id, budget_year, agreement_reference, advance_amount, advance_expected,
                  balance_amount, balance_expected, report_sent_date, funding_revision, revision, create_time, update_time,
                  booked.due AS "due_amount!", booked.received AS "received_amount!"
           FROM state_receivable AS receivable
                CROSS JOIN LATERAL (
                    SELECT coalesce(sum(amount) FILTER (WHERE credit = 'STATE_GRANT'), 0) AS due,
                           coalesce(sum(CASE 'TREASURY' WHEN debit THEN amount WHEN credit THEN -amount END), 0) AS received
                    FROM state_ledger_entry AS entry
                    WHERE entry.programme_id = receivable.programme_id
                      AND entry.state_funding_id = receivable.state_funding_id) AS booked
           WHERE ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR state_funding_id = $2)
             AND ($3::uuid IS NULL OR state_funding_id > $3)
           ORDER BY state_funding_id LIMIT $4"#,
        programme,
        funding,
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    let mut receipts = receipts(tx, &rows).await?;
    rows.into_iter()
        .map(|row| {
            let id = row.state_funding_id;
            let receipts = receipts.remove(&id).unwrap_or_default();
            row.receivable(receipts)
                .ok_or_else(|| Error::Damaged(format!("the receivable {id}")))
        })
        .collect()
}

async fn receipts(tx: &mut Tx, of: &[Row]) -> Result<HashMap<Uuid, Vec<Receipt>>, Error> {
    let programmes: Vec<Uuid> = of.iter().map(|row| row.programme_id).collect();
    let fundings: Vec<Uuid> = of.iter().map(|row| row.state_funding_id).collect();
    let rows = sqlx::query_as!(
        ReceiptRow,
        "SELECT receipt.state_funding_id, reverses, amount, receipt_date, reference, evidence_name, evidence_sha256, reason,
                actor, actor_name, receipt_time
         FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (programme_id, state_funding_id)
              JOIN state_receipt AS receipt USING (programme_id, state_funding_id)
         ORDER BY position",
        &programmes,
        &fundings
    )
    .all(tx.conn())
    .await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(of.len());
    for row in rows {
        let id = row.state_funding_id;
        let damaged = || Error::Damaged(format!("the receipts of {id}"));
        let receipt = row.receipt().ok_or_else(damaged)?;
        found.entry(id).or_default().push(receipt);
    }
    Ok(found)
}

/// Writes a receivable that is opened.
pub async fn insert(tx: &mut Tx, receivable: &StateReceivable) -> Result<(), Error> {
    let terms = &receivable.terms;
    sqlx::query!(
        "INSERT INTO state_receivable (programme_id, state_funding_id, budget_year, agreement_reference, advance_amount,
                                       advance_expected, balance_amount, balance_expected, report_sent_date,
                                       funding_revision, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        receivable.name.programme.uuid(),
        receivable.name.state_receivable.uuid(),
        terms.budget_year.get(),
        terms.agreement_reference,
        terms.advance.amount.amount(),
        terms.advance.expected,
        terms.balance.amount.amount(),
        terms.balance.expected,
        receivable.report_sent,
        receivable.funding_revision,
        receivable.revision,
        receivable.create_time,
        receivable.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes what may change of a locked receivable.
pub async fn update(tx: &mut Tx, receivable: &StateReceivable) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE state_receivable
         SET report_sent_date = $3, funding_revision = $4, revision = $5, update_time = $6
         WHERE programme_id = $1 AND state_funding_id = $2",
        receivable.name.programme.uuid(),
        receivable.name.state_receivable.uuid(),
        receivable.report_sent,
        receivable.funding_revision,
        receivable.revision,
        receivable.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the last receipt of a locked receivable.
pub async fn add(tx: &mut Tx, receivable: &StateReceivable) -> Result<(), Error> {
    let damaged = || Error::Damaged(format!("the receipts of {}", receivable.name));
    let receipt = receivable.receipts.last().ok_or_else(damaged)?;
    let place = |count: usize| i16::try_from(count).map_err(|_| damaged());
    let (evidence, reversal) = match &receipt.kind {
        ReceiptKind::Received(evidence) => (Some(evidence), None),
        ReceiptKind::Reversal { of, reason } => (None, Some((place(of + 1)?, reason.as_str()))),
    };
    sqlx::query!(
        "INSERT INTO state_receipt (programme_id, state_funding_id, position, reverses, amount, receipt_date, reference,
                                    evidence_name, evidence_sha256, reason, actor, actor_name, receipt_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        receivable.name.programme.uuid(),
        receivable.name.state_receivable.uuid(),
        place(receivable.receipts.len())?,
        reversal.map(|(of, _)| of),
        receipt.amount.amount(),
        receipt.date,
        receipt.reference,
        evidence.map(|evidence| evidence.file_name.as_str()),
        evidence.map(|evidence| evidence.digest.as_bytes().as_slice()),
        reversal.map(|(_, reason)| reason),
        receipt.step.actor,
        receipt.step.actor_name,
        receipt.step.time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Books what a revision of a receivable moves. The table's unique key refuses to book a revision twice.
pub async fn book(
    tx: &mut Tx,
    receivable: &StateReceivable,
    booked: &BookedEntry,
) -> Result<(), Error> {
    let entry = &booked.entry;
    sqlx::query!(
        "INSERT INTO state_ledger_entry (programme_id, state_funding_id, ledger_entry_id, revision, debit, credit, amount,
                                         label, actor, book_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        receivable.name.programme.uuid(),
        receivable.name.state_receivable.uuid(),
        booked.id.uuid(),
        receivable.revision,
        ledger::code(entry.movement.debit()),
        ledger::code(entry.movement.credit()),
        entry.amount.amount(),
        entry.label,
        booked.actor,
        receivable.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the entries of these receivables come to, by movement: their sum, and how many they are.
pub async fn booked(
    tx: &mut Tx,
    receivables: &[StateReceivable],
) -> Result<HashMap<StateReceivableName, Vec<(Movement, Money, i64)>>, Error> {
    let names = receivables.iter().map(|one| one.name);
    let (programmes, fundings): (Vec<Uuid>, Vec<Uuid>) = names
        .map(|name| (name.programme.uuid(), name.state_receivable.uuid()))
        .unzip();
    let rows = sqlx::query!(
        r#"SELECT entry.programme_id, entry.state_funding_id, debit, credit, sum(amount) AS "amount!",
                  count(*) AS "entries!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (programme_id, state_funding_id)
                JOIN state_ledger_entry AS entry USING (programme_id, state_funding_id)
           GROUP BY entry.programme_id, entry.state_funding_id, debit, credit
           ORDER BY debit, credit"#,
        &programmes,
        &fundings
    )
    .all(tx.conn())
    .await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let name = named(row.programme_id, row.state_funding_id);
        let damaged = || Error::Damaged(format!("the entries of {name}"));
        let movement = ledger::movement(&row.debit, &row.credit).ok_or_else(damaged)?;
        let amount = Money::try_from(row.amount).map_err(|_| damaged())?;
        let of = found.entry(name).or_default();
        of.push((movement, amount, row.entries));
    }
    Ok(found)
}

fn named(programme: Uuid, funding: Uuid) -> StateReceivableName {
    StateReceivableName {
        programme: ProgrammeId::from_uuid(programme),
        state_receivable: StateFundingId::from_uuid(funding),
    }
}

/// A receivable as it is read.
struct Row {
    programme_id: Uuid,
    state_funding_id: Uuid,
    budget_year: i16,
    agreement_reference: String,
    advance_amount: Decimal,
    advance_expected: Date,
    balance_amount: Decimal,
    balance_expected: Date,
    report_sent_date: Option<Date>,
    funding_revision: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    due_amount: Decimal,
    received_amount: Decimal,
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn receivable(self, receipts: Vec<Receipt>) -> Option<StateReceivable> {
        let part = |amount: Decimal, expected| {
            let amount = Money::try_from(amount).ok()?;
            Some(Part { amount, expected })
        };
        Some(StateReceivable {
            name: named(self.programme_id, self.state_funding_id),
            terms: Terms {
                budget_year: BudgetYear::try_from(self.budget_year).ok()?,
                agreement_reference: self.agreement_reference,
                advance: part(self.advance_amount, self.advance_expected)?,
                balance: part(self.balance_amount, self.balance_expected)?,
            },
            report_sent: self.report_sent_date,
            receipts,
            booked: Booked {
                due: Money::try_from(self.due_amount).ok()?,
                received: Money::try_from(self.received_amount).ok()?,
            },
            funding_revision: self.funding_revision,
            revision: self.revision,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }
}

/// A receipt as it is read.
struct ReceiptRow {
    state_funding_id: Uuid,
    reverses: Option<i16>,
    amount: Decimal,
    receipt_date: Date,
    reference: String,
    evidence_name: Option<String>,
    evidence_sha256: Option<Vec<u8>>,
    reason: Option<String>,
    actor: String,
    actor_name: String,
    receipt_time: OffsetDateTime,
}

impl ReceiptRow {
    /// Nothing when it is none that the table's constraints allow.
    fn receipt(self) -> Option<Receipt> {
        let kind = match self.reverses {
            None => ReceiptKind::Received(Evidence {
                file_name: self.evidence_name?,
                digest: digest(&self.evidence_sha256?)?,
            }),
            Some(position) => ReceiptKind::Reversal {
                of: usize::try_from(position).ok()?.checked_sub(1)?,
                reason: self.reason?,
            },
        };
        Some(Receipt {
            kind,
            amount: Money::try_from(self.amount).ok()?,
            date: self.receipt_date,
            reference: self.reference,
            step: Step {
                actor: self.actor,
                actor_name: self.actor_name,
                time: self.receipt_time,
            },
        })
    }
}
