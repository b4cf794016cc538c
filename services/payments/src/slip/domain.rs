//! Slips and their orders as values.

use nonrecours_kernel::{BudgetYear, InstalmentName, Money, SlipName, Warning};
use nonrecours_sepa::end_to_end_id;
use time::{Date, OffsetDateTime};

use crate::correction::Correction;

/// A slip that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Resource name.
    pub name: SlipName,
    /// Whether it orders or corrects.
    pub kind: Kind,
    /// Budget year that its orders go on.
    pub budget_year: BudgetYear,
    /// Number in the budget year among those of its kind, from 1.
    pub number: i32,
    /// Day it was issued, in Paris.
    pub issue_date: Date,
    /// Sum of its orders or corrections.
    pub amount: Money,
    /// Through whom it is paid.
    pub payer: Payer,
    /// Name of its file.
    pub file_name: String,
    /// Version of the posting codes it was issued under.
    pub posting_codes_version: i32,
    /// Texts that were cut in the file.
    pub warnings: Vec<Warning>,
    /// Its orders, in the order of the file.
    pub orders: Vec<Order>,
    /// Its corrections, in the order of the file.
    pub corrections: Vec<Correction>,
    /// Subject of who issued it.
    pub issuer: String,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was issued.
    pub create_time: OffsetDateTime,
    /// When one of its orders last changed.
    pub update_time: OffsetDateTime,
}

/// What a slip is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Orders to pay.
    Ordinary,
    /// Corrections of orders.
    Correction,
}

/// Through whom a slip is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    /// The public accountant.
    Accountant,
    /// The funder's own bank.
    Bank,
}

/// An instalment in a slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The instalment.
    pub instalment: InstalmentName,
    /// Which of its orders this is, from 1.
    pub attempt: i16,
    /// Number in the budget year.
    pub piece: i32,
    /// Amount, as it was ordered.
    pub amount: Money,
    /// What corrections have taken off it.
    pub reduced: Money,
    /// What of it came back while the rest stayed paid.
    pub returned: Money,
    /// What has become of it.
    pub stage: Stage,
    /// Whether it was ever taken in charge.
    pub taken_in_charge: bool,
    /// Why it waits or was rejected, in the accountant's words; empty otherwise.
    pub reason: Reason,
    /// Day of its payment.
    pub payment_date: Option<Date>,
    /// Day on which its money came back.
    pub return_date: Option<Date>,
}

/// The code and words of the accountant or the bank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// Code.
    pub code: String,
    /// Words.
    pub text: String,
}

/// What has become of an order, in the order in which things become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In a slip whose file is there to be sent.
    Transmitted,
    /// The slip was accepted.
    Acknowledged,
    /// The slip was not.
    FlowRejected,
    /// The accountant waits for something.
    Pending,
    /// To be paid.
    TakenInCharge,
    /// Rejected by the accountant or the bank; or paid, and the money came back.
    Rejected,
    /// Paid.
    Paid,
    /// Cancelled by a correction.
    Cancelled,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Ordinary, Self::Correction];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ordinary => "ORDINARY",
            Self::Correction => "CORRECTION",
        }
    }
}

impl Stage {
    /// Every stage that has a code of its own.
    pub const ALL: [Self; 7] = [
        Self::Transmitted,
        Self::Acknowledged,
        Self::FlowRejected,
        Self::Pending,
        Self::TakenInCharge,
        Self::Rejected,
        Self::Paid,
    ];

    /// As the database has it: what is cancelled is rejected there, and reduced by all of it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transmitted => "TRANSMITTED",
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::FlowRejected => "FLOW_REJECTED",
            Self::Pending => "PENDING",
            Self::TakenInCharge => "TAKEN_IN_CHARGE",
            Self::Rejected | Self::Cancelled => "REJECTED",
            Self::Paid => "PAID",
        }
    }

    /// Nothing more is to be expected of it: the instalment may go into another slip.
    pub const fn rejected(self) -> bool {
        matches!(self, Self::FlowRejected | Self::Rejected | Self::Cancelled)
    }
}

impl Order {
    /// Whether an order that takes its place keeps its number: only what was never taken in charge does.
    pub const fn keeps_number(&self) -> bool {
        !self.taken_in_charge
    }

    /// What remains of it to be paid.
    pub fn due(&self) -> Money {
        // Never more is taken off than it was.
        self.amount.checked_sub(self.reduced).unwrap_or_default()
    }

    /// What remains paid by it, once it is PAID.
    pub fn kept(&self) -> Money {
        self.due().checked_sub(self.returned).unwrap_or_default()
    }

    /// After this much of what it paid came back: all that was left, or a part.
    pub fn come_back(self, amount: Money, date: Date) -> Option<Self> {
        let left = self.kept().checked_sub(amount)?;
        if left.is_negative() {
            return None;
        }
        if left.is_zero() {
            return Some(Self {
                stage: Stage::Rejected,
                payment_date: None,
                return_date: Some(date),
                ..self
            });
        }
        let returned = self.returned.checked_add(amount)?;
        Some(Self { returned, ..self })
    }

    /// After a correction of this much was taken in charge.
    pub fn correct(self, amount: Money) -> Option<Self> {
        let reduced = self.reduced.checked_add(amount)?;
        let left = self.amount.checked_sub(reduced)?;
        (!left.is_negative()).then(|| Self {
            reduced,
            stage: if left.is_zero() {
                Stage::Cancelled
            } else {
                self.stage
            },
            ..self
        })
    }
}

impl Slip {
    /// What stands for its file at the bank.
    pub fn message_id(name: &SlipName) -> String {
        end_to_end_id(&name.slip)
    }
}

/// Digits of which order of an instalment one is.
const ATTEMPT: usize = 3;
/// Characters of a reference: a UUID without hyphens, and those digits.
const REFERENCE: usize = 32 + ATTEMPT;

impl Order {
    /// What stands for the order on a bank's statements: the id of the instalment, and which of its orders it is, so that what
    /// is said of one that was rejected is never taken for the next.
    pub fn end_to_end_id(instalment: &InstalmentName, attempt: i16) -> String {
        format!(
            "{}{attempt:0width$}",
            end_to_end_id(&instalment.instalment),
            width = ATTEMPT
        )
    }

    /// Whether a reference has the form of ours.
    pub fn is_end_to_end_id(reference: &str) -> bool {
        let bytes = reference.as_bytes();
        let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        bytes.len() == REFERENCE
            && bytes.iter().take(REFERENCE - ATTEMPT).all(hex)
            && bytes
                .iter()
                .skip(REFERENCE - ATTEMPT)
                .all(u8::is_ascii_digit)
    }

    /// Paid on this day.
    pub fn pay(self, date: Date) -> Self {
        Self {
            stage: Stage::Paid,
            taken_in_charge: true,
            reason: Reason::default(),
            payment_date: Some(date),
            ..self
        }
    }
}
