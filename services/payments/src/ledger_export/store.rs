//! Entries of a programme in the database, as they are exported.

use nonrecours_kernel::{Money, ProgrammeName};
use nonrecours_pg::{All as _, Error, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Exported, Party};
use crate::ledger_entry::store::movement;

/// Characters of what lines are matched by.
const LETTERS: usize = 8;

/// A page of the entries of a programme booked in a period, in the order of booking, with their ids: one statement.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    (start, end): (OffsetDateTime, OffsetDateTime),
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Uuid, Exported)>, Error> {
    // Third-party lines of one subject are matched once they come to nothing, as of the end of the period.
    let rows = sqlx::query!(
        r#"WITH page AS (
               SELECT * FROM ledger
               WHERE programme_id = $1 AND book_time >= $2 AND book_time < $3
                 AND ($4::uuid IS NULL OR ledger_entry_id > $4)
               ORDER BY ledger_entry_id LIMIT $5)
           SELECT page.ledger_entry_id AS "id!", page.debit AS "debit!", page.credit AS "credit!", page.amount AS "amount!",
                  page.label AS "label!", page.book_time AS "book_time!", operator.siren AS "siren?",
                  operator.legal_name AS "legal_name?", subject AS "subject!",
                  coalesce(recovery.budget_year || '-' || recovery.number, receivable.agreement_reference,
                           (SELECT slip.budget_year || '-' || orders.piece
                            FROM slip_order AS orders JOIN slip USING (programme_id, slip_id)
                            WHERE page.credit = 'TREASURY' AND orders.operator_id = page.operator_id
                              AND orders.convention_id = page.convention_id AND orders.instalment_id = page.instalment_id
                              AND orders.state = 'PAID'),
                           subject::text) AS "piece!",
                  settled.since AS "settled?"
           FROM page
                CROSS JOIN LATERAL (
                    SELECT coalesce(page.instalment_id, page.recovery_id, page.state_funding_id) AS subject) AS subjects
                LEFT JOIN operator USING (operator_id)
                LEFT JOIN recovery ON recovery.operator_id = page.operator_id
                     AND recovery.convention_id = page.convention_id AND recovery.recovery_id = page.recovery_id
                LEFT JOIN state_receivable AS receivable ON receivable.programme_id = page.programme_id
                     AND receivable.state_funding_id = page.state_funding_id
                LEFT JOIN (
                    SELECT coalesce(instalment_id, recovery_id, state_funding_id) AS subject, max(book_time) AS since
                    FROM ledger WHERE programme_id = $1 AND book_time < $3
                    GROUP BY coalesce(instalment_id, recovery_id, state_funding_id)
                    HAVING sum(CASE WHEN debit IN ('OPERATOR_PAYABLE', 'OPERATOR_RECEIVABLE', 'STATE_RECEIVABLE')
                                    THEN amount ELSE -amount END) = 0) AS settled USING (subject)
           ORDER BY page.ledger_entry_id"#,
        programme.programme.uuid(),
        start,
        end,
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = row.id;
            let damaged = || Error::Damaged(format!("ledger entry {id}"));
            let letters = || {
                let subject = row.subject.simple().to_string().to_uppercase();
                subject.chars().rev().take(LETTERS).collect::<Vec<_>>()
            };
            let state = || Party {
                code: "ETAT".to_owned(),
                name: "État".to_owned(),
            };
            let operator = row.siren.zip(row.legal_name);
            let entry = Exported {
                number: id.to_string(),
                movement: movement(&row.debit, &row.credit).ok_or_else(damaged)?,
                amount: Money::try_from(row.amount).map_err(|_| damaged())?,
                label: row.label,
                book_time: row.book_time,
                party: operator.map_or_else(state, |(code, name)| Party { code, name }),
                piece: row.piece,
                matched: row
                    .settled
                    .map(|since| (letters().into_iter().rev().collect(), since)),
            };
            Ok((id, entry))
        })
        .collect()
}
