//! Entries as lines: two for each, one an account.

use nonrecours_kernel::{Money, paris_date};
use time::{Date, OffsetDateTime};

use super::Chart;
use crate::ledger_entry::{Account, Movement};

/// The columns of the fichier des écritures comptables (art. A. 47 A-1 LPF), in their order.
pub const HEADER: &str = "JournalCode;JournalLib;EcritureNum;EcritureDate;CompteNum;CompteLib;CompAuxNum;CompAuxLib;\
                          PieceRef;PieceDate;EcritureLib;Debit;Credit;EcritureLet;DateLet;ValidDate;Montantdevise;Idevise\r\n";
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What makes a field need quotes.
const QUOTED: [char; 4] = [';', '"', '\n', '\r'];

/// An entry of the ledger, with what its lines show beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its id: the number of the entry.
    pub number: String,
    /// From which account to which.
    pub movement: Movement,
    /// Amount.
    pub amount: Money,
    /// What it is.
    pub label: String,
    /// When it was booked.
    pub book_time: OffsetDateTime,
    /// Who owes or is owed.
    pub party: Party,
    /// What it rests on: an order, a recovery, an agreement.
    pub piece: String,
    /// What its third-party lines are matched by, and since when; none while they are open.
    pub matched: Option<(String, OffsetDateTime)>,
}

/// Who owes or is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// SIREN of the operator, or ETAT.
    pub code: String,
    /// Name.
    pub name: String,
}

impl Exported {
    const fn journal(&self) -> (&'static str, &'static str) {
        match self.movement {
            Movement::Liquidation | Movement::Reversal => ("DEP", "Dépenses"),
            Movement::Payment
            | Movement::Return
            | Movement::Receipt
            | Movement::StateReceipt
            | Movement::StateReversal => ("TRE", "Trésorerie"),
            Movement::Claim | Movement::Reduction | Movement::WriteOff | Movement::StateClaim => {
                ("REC", "Recettes")
            }
        }
    }
}

/// Writes an entry: its debit, then its credit.
pub fn write(text: &mut String, entry: &Exported, chart: &Chart) {
    let day = compact(paris_date(entry.book_time));
    let (journal, journal_name) = entry.journal();
    let amount = euros(entry.amount);
    let sides = [
        (entry.movement.debit(), [amount.as_str(), "0,00"]),
        (entry.movement.credit(), ["0,00", amount.as_str()]),
    ];
    for (account, [debit, credit]) in sides {
        let party = third_party(account).then_some(&entry.party);
        let matched = entry.matched.as_ref().filter(|_| third_party(account));
        let since = matched.map(|(_, since)| compact(paris_date(*since)));
        let fields = [
            journal,
            journal_name,
            &entry.number,
            &day,
            chart.number(account),
            french(account),
            party.map_or("", |party| &party.code),
            party.map_or("", |party| &party.name),
            &entry.piece,
            &day,
            &entry.label,
            debit,
            credit,
            matched.map_or("", |(letters, _)| letters),
            since.as_deref().unwrap_or_default(),
            &day,
            "",
            "",
        ];
        let fields: Vec<_> = fields.into_iter().map(field).collect();
        text.push_str(&fields.join(";"));
        text.push_str("\r\n");
    }
}

/// Whether somebody owes or is owed by it.
pub const fn third_party(account: Account) -> bool {
    matches!(
        account,
        Account::OperatorPayable | Account::OperatorReceivable | Account::StateReceivable
    )
}

const fn french(account: Account) -> &'static str {
    match account {
        Account::GrantExpense => "Subventions versées",
        Account::OperatorPayable => "Opérateurs, sommes dues",
        Account::Treasury => "Compte au Trésor",
        Account::OperatorReceivable => "Opérateurs, sommes à recouvrer",
        Account::GrantRecovery => "Subventions recouvrées",
        Account::Uncollectible => "Créances admises en non-valeur",
        Account::StateReceivable => "État, subventions à recevoir",
        Account::StateGrant => "Subventions de l'État",
    }
}

/// A text that no spreadsheet takes for a formula, quoted where it must be.
fn field(text: &str) -> String {
    let safe = match text.starts_with(FORMULA) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    if safe.contains(QUOTED) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

/// A day as eight digits.
fn compact(day: Date) -> String {
    format!(
        "{:04}{:02}{:02}",
        day.year(),
        u8::from(day.month()),
        day.day()
    )
}

/// An amount with its two decimals after a comma.
fn euros(amount: Money) -> String {
    amount.to_string().replace('.', ",")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ledger_export::chart::DEFAULT;

    fn lines(entry: &Exported) -> Vec<String> {
        let mut text = String::new();
        write(&mut text, entry, &DEFAULT.parse().unwrap());
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn an_entry_has_a_debit_and_a_credit_that_no_spreadsheet_calculates() {
        let entry = Exported {
            number: "0198".to_owned(),
            movement: Movement::Payment,
            amount: Money::from_cents(920_005),
            label: "=1+1; \"dit\"".to_owned(),
            book_time: datetime!(2025-12-31 23:30 UTC),
            party: Party {
                code: "216202630".to_owned(),
                name: "@Commune".to_owned(),
            },
            piece: "2025-7".to_owned(),
            matched: Some(("A1B2".to_owned(), datetime!(2026-01-01 10:00 UTC))),
        };
        assert_eq!(
            lines(&entry),
            [
                "TRE;Trésorerie;0198;20260101;46711;Opérateurs, sommes dues;216202630;'@Commune;2025-7;20260101;\
                 \"'=1+1; \"\"dit\"\"\";9200,05;0,00;A1B2;20260101;20260101;;",
                "TRE;Trésorerie;0198;20260101;515;Compte au Trésor;;;2025-7;20260101;\
                 \"'=1+1; \"\"dit\"\"\";0,00;9200,05;;;20260101;;",
            ]
        );
        let columns = HEADER.trim_end().split(';').count();
        assert_eq!(columns, 18);
    }
}
