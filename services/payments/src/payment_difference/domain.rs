//! Differences as values.

use nonrecours_kernel::{
    Money, PaymentDifferenceName, RecoveryName, ReturnFileName, SlipName, Text,
};
use time::{Date, OffsetDateTime};

use crate::return_file::OrderKey;

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentDifference {
    /// Resource name.
    pub name: PaymentDifferenceName,
    /// The file that opened it.
    pub return_file: ReturnFileName,
    /// What it is about.
    pub subject: Subject,
    /// What differs.
    pub cause: Cause,
    /// In words.
    pub text: Text,
    /// Sum stated as paid, or as having come back.
    pub stated_amount: Option<Money>,
    /// Last day of a payment stated.
    pub stated_date: Option<Date>,
    /// Whether the sum came back, and was not paid.
    pub came_back: bool,
    /// How it was settled; none while it is open.
    pub settlement: Option<Settlement>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was opened.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What a difference is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order.
    Order {
        /// Its slip.
        slip: SlipName,
        /// Which.
        key: OrderKey,
        /// Amount ordered.
        ordered: Money,
    },
    /// A reference of our form that no order has.
    Reference(String),
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The amount, or the day of a payment known already.
    Amount,
    /// What was stated before.
    State,
    /// The payment cannot be confirmed, or not be taken back.
    Confirmation,
    /// Whose payment it is.
    Reference,
}

/// How it was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// With which outcome.
    pub outcome: Outcome,
    /// Why so.
    pub explanation: String,
    /// Subject of who settled it.
    pub actor: String,
    /// When.
    pub time: OffsetDateTime,
}

/// With which outcome a difference is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sum ordered was paid.
    PaidInFull,
    /// Nothing changes.
    Dismissed,
    /// So much of the payment was taken back.
    Returned(Money),
    /// So much of a recovery was received.
    Recovered(Money, RecoveryName),
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 4] = [
        Self::Amount,
        Self::State,
        Self::Confirmation,
        Self::Reference,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Amount => "AMOUNT",
            Self::State => "STATE",
            Self::Confirmation => "CONFIRMATION",
            Self::Reference => "REFERENCE",
        }
    }
}

impl Outcome {
    /// As the database has it; what was booked of money that came back is told beside it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PaidInFull => "PAID_IN_FULL",
            Self::Dismissed | Self::Returned(_) | Self::Recovered(..) => "DISMISSED",
        }
    }

    /// Reads it back.
    pub fn of(code: &str, booked: Option<Money>, recovery: Option<RecoveryName>) -> Option<Self> {
        match (code, booked, recovery) {
            ("PAID_IN_FULL", None, None) => Some(Self::PaidInFull),
            ("DISMISSED", None, None) => Some(Self::Dismissed),
            ("DISMISSED", Some(amount), None) => Some(Self::Returned(amount)),
            ("DISMISSED", Some(amount), Some(of)) => Some(Self::Recovered(amount, of)),
            _ => None,
        }
    }

    /// What was booked of money that came back.
    pub const fn booked(self) -> Option<Money> {
        match self {
            Self::PaidInFull | Self::Dismissed => None,
            Self::Returned(amount) | Self::Recovered(amount, _) => Some(amount),
        }
    }

    /// The recovery that it is a receipt of.
    pub const fn recovery(self) -> Option<RecoveryName> {
        match self {
            Self::Recovered(_, recovery) => Some(recovery),
            _ => None,
        }
    }
}

impl PaymentDifference {
    /// Settled so; nothing when it was settled before.
    pub fn settle(self, settlement: Settlement) -> Option<Self> {
        if self.settlement.is_some() {
            return None;
        }
        Some(Self {
            revision: self.revision + 1,
            update_time: settlement.time,
            settlement: Some(settlement),
            ..self
        })
    }
}
