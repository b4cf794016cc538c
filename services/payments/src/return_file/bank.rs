//! What a `pain.002`, a `camt.053` or a `camt.054` says of the orders.
//!
//! Who is paid gets a statement with the same reference, and so does anybody whose account the money goes through: what is
//! booked on another account than the one that pays says nothing of an order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use nonrecours_kernel::Money;
use nonrecours_pes::PieceState;
use nonrecours_sepa::{self as sepa, Direction, Entry, Item, Reader, Status, StatusOf, meaning};
use nonrecours_xmlflow::{Fault, Problem};
use time::Date;

use super::{
    About, FileKind, Known, Paid, Reading, Returned, Statement, Stranger, Target, reading::words,
};
use crate::slip::{Order, Reason};

/// Payments under unknown references of our form that are kept of one file; those beyond it are counted.
const MAX_STRANGERS: usize = 100;

/// Reads a file to its end.
pub(super) fn read(known: &Known, mut reader: Reader<impl BufRead>) -> Result<Reading, Fault> {
    let mut heard = Heard::default();
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Status(status) => heard.status(known, &status),
            Item::Entry(entry) => heard.entry(known, entry),
        }
    }
    let kind = match reader.kind() {
        Some(sepa::FileKind::StatusReport) => FileKind::StatusReport,
        Some(sepa::FileKind::Statement) => FileKind::Statement,
        Some(sepa::FileKind::Notification) => FileKind::Notification,
        None => {
            return Err(Fault {
                line: 1,
                path: "/".to_owned(),
                problem: Problem::Unknown,
            });
        }
    };
    let accounts = reader.accounts();
    let ours = if accounts.is_empty() {
        kind == FileKind::StatusReport && !known.accounts.is_empty()
    } else {
        accounts
            .iter()
            .any(|account| known.accounts.contains(account))
    };
    Ok(Reading {
        kind,
        flow_name: reader.answered().to_owned(),
        about: About::Account { ours },
        years: known.years(&heard.statements),
        statements: heard.statements,
        unknown: heard.unknown,
        strangers: heard.strangers,
    })
}

#[derive(Default)]
struct Heard {
    statements: BTreeMap<Target, Statement>,
    unknown: i64,
    strangers: BTreeSet<Stranger>,
}

impl Heard {
    fn status(&mut self, known: &Known, status: &Status) {
        let code = Code::of(&status.code);
        match &status.of {
            StatusOf::File(id) => {
                let keys = known.messages.get(id).map_or(&[][..], Vec::as_slice);
                self.count(keys.is_empty());
                for key in keys {
                    let said = self.statements.entry(*key).or_default();
                    match code {
                        Code::Rejected => said.verdict = Some(Err(reason(&status.reason))),
                        Code::Accepted | Code::InProcess => said.verdict = Some(Ok(())),
                        Code::Pending | Code::Other => {}
                    }
                }
            }
            StatusOf::Transfer(id) => {
                let key = known.transfers.get(id).map(|(key, _)| *key);
                self.count(key.is_none());
                let Some(key) = key else { return };
                let said = self.statements.entry(key).or_default();
                let why = reason(&status.reason);
                match code {
                    Code::Rejected => said.state = Some((PieceState::Rejected, why)),
                    Code::InProcess => said.state = Some((PieceState::TakenInCharge, why)),
                    Code::Pending => said.state = Some((PieceState::Pending, why)),
                    Code::Accepted => {
                        said.verdict.get_or_insert(Ok(()));
                    }
                    Code::Other => {}
                }
            }
        }
    }

    fn entry(&mut self, known: &Known, entry: Entry) {
        // What is only announced may never come.
        let (true, Some(date)) = (entry.booked, entry.booking_date) else {
            return self.count(!known.transfers.contains_key(&entry.end_to_end_id));
        };
        match known.transfers.get(&entry.end_to_end_id) {
            Some((key, account)) if *account == entry.account => {
                let said = self.statements.entry(*key).or_default();
                match entry.direction {
                    Direction::Debit => said.pay(entry.amount, date),
                    Direction::Credit => said.come_back(entry.amount, date, &entry.returned),
                }
            }
            _ => {
                self.unknown = self.unknown.saturating_add(1);
                self.stranger(known, entry, date);
            }
        }
    }

    /// A payment that bears a reference of our form, which no order of the programme has.
    fn stranger(&mut self, known: &Known, entry: Entry, date: Date) {
        let reference = entry.end_to_end_id;
        let paid = entry.direction == Direction::Debit && known.accounts.contains(&entry.account);
        let strange =
            Order::is_end_to_end_id(&reference) && !known.transfers.contains_key(&reference);
        if paid && strange && self.strangers.len() < MAX_STRANGERS {
            self.strangers.insert(Stranger {
                reference,
                amount: entry.amount,
                date,
            });
        }
    }

    fn count(&mut self, unknown: bool) {
        self.unknown = self.unknown.saturating_add(i64::from(unknown));
    }
}

impl Statement {
    fn pay(&mut self, amount: Money, date: Date) {
        let before = self
            .paid
            .map_or((Some(Money::ZERO), date), |paid| (paid.amount, paid.date));
        self.paid = Some(Paid {
            amount: before.0.and_then(|sum| sum.checked_add(amount)),
            date: before.1.max(date),
        });
    }

    fn come_back(&mut self, amount: Money, date: Date, why: &sepa::Reason) {
        let before = self.returned.take();
        let so_far = before
            .as_ref()
            .map_or(Some(Money::ZERO), |before| before.amount);
        self.returned = Some(Returned {
            amount: so_far.and_then(|sum| sum.checked_add(amount)),
            date: before.as_ref().map_or(date, |before| before.date.max(date)),
            reason: before.map_or_else(|| returned(why), |before| before.reason),
        });
    }
}

/// What the codes of a status come to (ExternalPaymentTransactionStatus1Code and ExternalPaymentGroupStatus1Code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// Checked, to be executed on its day; of a file, in part at least.
    Accepted,
    /// Being executed, or executed: what is booked says when and how much.
    InProcess,
    Pending,
    Rejected,
    /// Says nothing that counts: received, for one.
    Other,
}

impl Code {
    fn of(code: &str) -> Self {
        match code {
            "ACTC" | "ACCP" | "ACWC" | "ACFC" | "PATC" | "PART" => Self::Accepted,
            "ACSP" | "ACSC" | "ACCC" | "ACWP" => Self::InProcess,
            "PDNG" => Self::Pending,
            "RJCT" | "CANC" => Self::Rejected,
            _ => Self::Other,
        }
    }
}

/// The bank's code, what it means, and the bank's own words.
fn reason(why: &sepa::Reason) -> Reason {
    let own = why.text.as_str();
    let text = match (meaning(&why.code), own) {
        (Some(meaning), "") => meaning.to_owned(),
        (Some(meaning), own) => format!("{meaning} : {own}"),
        (None, own) => own.to_owned(),
    };
    words(&why.code, &text)
}

/// The same of a payment that came back, which may give no reason.
fn returned(why: &sepa::Reason) -> Reason {
    let reason = reason(why);
    let text = if reason.text.is_empty() {
        "Virement retourné".to_owned()
    } else {
        format!("Virement retourné, {}", reason.text)
    };
    Reason { text, ..reason }
}
