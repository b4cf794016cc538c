//! What a bank says back, statement by statement: `pain.002` (taken or refused), `camt.053` and `camt.054` (booked).

use std::collections::BTreeSet;
use std::io::BufRead;

use nonrecours_kernel::Money;
use nonrecours_xmlflow::{Fault, MAX_ITEMS, Open, Problem, Scanner, Token};
use time::{Date, Month};

/// Most accounts of one file that are remembered.
const MAX_ACCOUNTS: usize = 1_000;
/// What banks write where the payer gave no reference.
const NOT_PROVIDED: &str = "NOTPROVIDED";

/// Kind of a file, in any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `pain.002`: what becomes of an order.
    StatusReport,
    /// `camt.053`: what was booked in a period.
    Statement,
    /// `camt.054`: what was booked just now.
    Notification,
}

/// One thing that a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// What becomes of an order, or of one of its transfers.
    Status(Status),
    /// What was booked.
    Entry(Entry),
}

/// What becomes of an order, or of one of its transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Of what.
    pub of: StatusOf,
    /// The bank's code, such as `ACSC`, `PDNG` or `RJCT`.
    pub code: String,
    /// Why.
    pub reason: Reason,
}

/// What a status is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusOf {
    /// A file as a whole, or the one payment in it that has its transfers, by the message id that both have.
    File(String),
    /// One transfer, by its end-to-end id.
    Transfer(String),
}

/// The bank's code and words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// Code, such as `AC04`.
    pub code: String,
    /// Words.
    pub text: String,
}

/// One movement of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// IBAN of the account, compact; empty where it is told otherwise.
    pub account: String,
    /// The payer's reference; empty where there is none.
    pub end_to_end_id: String,
    /// Amount, EUR.
    pub amount: Money,
    /// Which way.
    pub direction: Direction,
    /// Whether it is booked, not only announced.
    pub booked: bool,
    /// Day of booking, or of value where that alone is given; always there for what is booked for a transfer.
    pub booking_date: Option<Date>,
    /// Why it came back; empty: it did not.
    pub returned: Reason,
}

/// Which way money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Out of the account.
    Debit,
    /// Into it.
    Credit,
}

impl Status {
    /// Whether the bank will not pay.
    pub fn rejected(&self) -> bool {
        self.code == "RJCT"
    }
}

/// Reads the items of a file as they come. After a fault it is of no more use.
pub struct Reader<R> {
    scanner: Scanner<R>,
    kind: Option<FileKind>,
    items: usize,
    /// Of the entry, or of the report as a whole.
    outer: Draft,
    /// Of the transfer in it.
    inner: Option<Draft>,
    /// Transfers told of the entry so far.
    told: usize,
    message_id: String,
    /// IBAN of the account whose movements follow.
    account: String,
    /// Of all accounts so far.
    accounts: BTreeSet<String>,
    currency: Option<String>,
}

/// What is known of an item so far.
#[derive(Clone, Debug, Default)]
struct Draft {
    id: String,
    code: String,
    reason: Reason,
    amount: Option<Money>,
    direction: Option<Direction>,
    booked: bool,
    date: Option<Date>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from this source.
    pub fn new(source: R) -> Self {
        Self::of(Scanner::new(source))
    }

    /// Reads a file of which the root at most was looked at.
    pub fn of(scanner: Scanner<R>) -> Self {
        Self {
            scanner,
            kind: None,
            items: 0,
            outer: Draft::default(),
            inner: None,
            told: 0,
            message_id: String::new(),
            account: String::new(),
            accounts: BTreeSet::new(),
            currency: None,
        }
    }

    /// Kind of the file, once it has said it.
    pub const fn kind(&self) -> Option<FileKind> {
        self.kind
    }

    /// IBANs of the accounts that a statement or a notification is about, as far as it was read.
    pub const fn accounts(&self) -> &BTreeSet<String> {
        &self.accounts
    }

    /// Message id of the file that a status report answers, once it was read; empty otherwise.
    pub fn answered(&self) -> &str {
        &self.message_id
    }

    /// The next item; none at the end of a whole file.
    pub fn next_item(&mut self) -> Result<Option<Item>, Fault> {
        loop {
            let Some(token) = self.scanner.next()? else {
                let unknown = || self.scanner.fault(Problem::Unknown);
                return self.kind.map(|_| None).ok_or_else(unknown);
            };
            let item = match token {
                Token::Open(open) => {
                    self.opened(open)?;
                    continue;
                }
                Token::Close(close) => self.closed(&close.text)?,
            };
            let Some(item) = item else { continue };
            self.items += 1;
            if self.items > MAX_ITEMS {
                return Err(self.scanner.fault(Problem::TooManyItems));
            }
            return Ok(Some(item));
        }
    }

    fn opened(&mut self, open: Open) -> Result<(), Fault> {
        let namespace = open.namespace.as_deref();
        self.currency = open.currency;
        let path = self.scanner.path();
        let [root, rest @ ..] = path else {
            return Ok(());
        };
        if rest.is_empty() {
            let iso = namespace
                .is_some_and(|namespace| namespace.starts_with("urn:iso:std:iso:20022:tech:xsd:"));
            if root != "Document" || !iso {
                return Err(self.scanner.fault(Problem::Unknown));
            }
            return Ok(());
        }
        if let [message] = rest {
            self.kind = match message.as_str() {
                "CstmrPmtStsRpt" => Some(FileKind::StatusReport),
                "BkToCstmrStmt" => Some(FileKind::Statement),
                "BkToCstmrDbtCdtNtfctn" => Some(FileKind::Notification),
                _ => return Err(self.scanner.fault(Problem::Unknown)),
            };
        }
        match rest.last().map(String::as_str) {
            Some("Stmt" | "Ntfctn") => self.account.clear(),
            Some("OrgnlGrpInfAndSts" | "OrgnlPmtInfAndSts" | "Ntry") => {
                self.outer = Draft::default();
                self.told = 0;
            }
            Some("TxInfAndSts" | "TxDtls") => self.inner = Some(Draft::default()),
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, text: &str) -> Result<Option<Item>, Fault> {
        // Below the message.
        let path: Vec<String> = self.scanner.path().iter().skip(2).cloned().collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let entry = self.kind != Some(FileKind::StatusReport);
        let item = match path.as_slice() {
            ["OrgnlGrpInfAndSts", "OrgnlMsgId"] => {
                self.message_id = text.to_owned();
                None
            }
            ["OrgnlGrpInfAndSts", "GrpSts"] => {
                self.outer.code = text.to_owned();
                None
            }
            ["OrgnlGrpInfAndSts", "StsRsnInf", rest @ ..] => {
                reason(&mut self.outer.reason, rest, text);
                None
            }
            ["OrgnlGrpInfAndSts"] => {
                let draft = std::mem::take(&mut self.outer);
                (!draft.code.is_empty()).then(|| {
                    Item::Status(Status {
                        of: StatusOf::File(self.message_id.clone()),
                        code: draft.code,
                        reason: draft.reason,
                    })
                })
            }
            ["OrgnlPmtInfAndSts", "TxInfAndSts", rest @ ..] => self.transfer(rest, text),
            ["OrgnlPmtInfAndSts", rest @ ..] => self.payment(rest, text),
            ["Stmt" | "Ntfctn", "Acct", "Id", "IBAN"] => {
                self.account = text.to_owned();
                if self.accounts.len() < MAX_ACCOUNTS {
                    self.accounts.insert(text.to_owned());
                }
                None
            }
            [_, "Ntry", rest @ ..] if entry => self.entry(rest, text)?,
            _ => None,
        };
        Ok(item)
    }

    /// An element of a payment of a status report: of the transfers of one file that are made together.
    fn payment(&mut self, path: &[&str], text: &str) -> Option<Item> {
        match path {
            ["OrgnlPmtInfId"] => self.outer.id = text.to_owned(),
            ["PmtInfSts"] => self.outer.code = text.to_owned(),
            ["StsRsnInf", rest @ ..] => reason(&mut self.outer.reason, rest, text),
            [] => {
                let draft = std::mem::take(&mut self.outer);
                let told = !draft.id.is_empty() && !draft.code.is_empty();
                return told.then_some(Item::Status(Status {
                    of: StatusOf::File(draft.id),
                    code: draft.code,
                    reason: draft.reason,
                }));
            }
            _ => {}
        }
        None
    }

    /// An element of a transfer of a status report.
    fn transfer(&mut self, path: &[&str], text: &str) -> Option<Item> {
        let draft = self.inner.as_mut()?;
        match path {
            ["OrgnlEndToEndId"] => draft.id = text.to_owned(),
            ["TxSts"] => draft.code = text.to_owned(),
            ["StsRsnInf", rest @ ..] => reason(&mut draft.reason, rest, text),
            [] => {
                let draft = self.inner.take()?;
                let told = !draft.id.is_empty() && !draft.code.is_empty();
                return told.then_some(Item::Status(Status {
                    of: StatusOf::Transfer(draft.id),
                    code: draft.code,
                    reason: draft.reason,
                }));
            }
            _ => {}
        }
        None
    }

    /// An element of an entry of a statement.
    fn entry(&mut self, path: &[&str], text: &str) -> Result<Option<Item>, Fault> {
        match path {
            ["Amt"] => self.outer.amount = Some(self.euros(text)?),
            ["CdtDbtInd"] => self.outer.direction = Some(self.direction(text)?),
            // Older versions have the code itself.
            ["Sts", "Cd"] | ["Sts"] if !text.is_empty() => {
                self.outer.booked = text == "BOOK";
            }
            // A time may follow.
            ["BookgDt", "Dt" | "DtTm"] => self.outer.date = Some(self.date(text)?),
            ["ValDt", "Dt" | "DtTm"] if self.outer.date.is_none() => {
                self.outer.date = Some(self.date(text)?);
            }
            ["NtryDtls", "TxDtls", rest @ ..] => return self.details(rest, text),
            [] => {
                let draft = std::mem::take(&mut self.outer);
                // An entry without details is one movement without a reference.
                if self.told == 0 {
                    return self.booked(&draft, None).map(Some);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// An element of one transfer of an entry.
    fn details(&mut self, path: &[&str], text: &str) -> Result<Option<Item>, Fault> {
        let amount = match path {
            ["Amt"] | ["AmtDtls", "TxAmt", "Amt"] => Some(self.euros(text)?),
            _ => None,
        };
        let direction = match path {
            ["CdtDbtInd"] => Some(self.direction(text)?),
            _ => None,
        };
        let Some(draft) = self.inner.as_mut() else {
            return Ok(None);
        };
        draft.amount = amount.or(draft.amount);
        draft.direction = direction.or(draft.direction);
        match path {
            ["Refs", "EndToEndId"] if text != NOT_PROVIDED => draft.id = text.to_owned(),
            ["RtrInf", rest @ ..] => reason(&mut draft.reason, rest, text),
            [] => {
                let Some(inner) = self.inner.take() else {
                    return Ok(None);
                };
                self.told += 1;
                let outer = self.outer.clone();
                return self.booked(&outer, Some(inner)).map(Some);
            }
            _ => {}
        }
        Ok(None)
    }

    /// A movement, of which the details say what the entry does not.
    fn booked(&self, outer: &Draft, inner: Option<Draft>) -> Result<Item, Fault> {
        let inner = inner.unwrap_or_default();
        let bad = || self.scanner.fault(Problem::BadValue);
        if outer.booked && outer.date.is_none() && !inner.id.is_empty() {
            return Err(self.scanner.fault(Problem::Incomplete));
        }
        Ok(Item::Entry(Entry {
            account: self.account.clone(),
            end_to_end_id: inner.id,
            amount: inner.amount.or(outer.amount).ok_or_else(bad)?,
            direction: inner.direction.or(outer.direction).ok_or_else(bad)?,
            booked: outer.booked,
            booking_date: outer.date,
            returned: inner.reason,
        }))
    }

    fn euros(&self, text: &str) -> Result<Money, Fault> {
        let bad = || self.scanner.fault(Problem::BadValue);
        if self.currency.as_deref() != Some("EUR") {
            return Err(bad());
        }
        // Banks may write more decimals, all of them zero.
        let plain = match text.split_once('.') {
            Some((_, decimals)) if decimals.len() > 2 => text.trim_end_matches('0'),
            _ => text,
        };
        let amount = Money::parse(plain.trim_end_matches('.')).map_err(|_| bad())?;
        (!amount.is_negative()).then_some(amount).ok_or_else(bad)
    }

    fn direction(&self, text: &str) -> Result<Direction, Fault> {
        match text {
            "DBIT" => Ok(Direction::Debit),
            "CRDT" => Ok(Direction::Credit),
            _ => Err(self.scanner.fault(Problem::BadValue)),
        }
    }

    fn date(&self, text: &str) -> Result<Date, Fault> {
        let read = || {
            // A time or a zone may follow.
            let (year, rest) = text.get(..10)?.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
            Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
        };
        read().ok_or_else(|| self.scanner.fault(Problem::BadValue))
    }
}

/// An element of a reason: `Rsn/Cd`, `Rsn/Prtry`, `AddtlInf`, which may come several times.
fn reason(reason: &mut Reason, path: &[&str], text: &str) {
    match path {
        ["Rsn", "Cd" | "Prtry"] if reason.code.is_empty() => reason.code = text.to_owned(),
        ["AddtlInf"] if reason.text.is_empty() => reason.text = text.to_owned(),
        _ => {}
    }
}
