//! Slips and their orders as values.

use nonrecours_kernel::{BudgetYear, InstalmentName, Money, SlipName, Warning};
use time::{Date, OffsetDateTime};

/// A slip that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Resource name.
    pub name: SlipName,
    /// Budget year that its orders go on.
    pub budget_year: BudgetYear,
    /// Number in the budget year, from 1.
    pub number: i32,
    /// Day it was issued, in Paris.
    pub issue_date: Date,
    /// Sum of its orders.
    pub amount: Money,
    /// Name of its file.
    pub file_name: String,
    /// Version of the posting codes it was issued under.
    pub posting_codes_version: i32,
    /// Texts that were cut in the file.
    pub warnings: Vec<Warning>,
    /// Its orders, in the order of the file.
    pub orders: Vec<Order>,
    /// Subject of who issued it.
    pub issuer: String,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was issued.
    pub create_time: OffsetDateTime,
    /// When one of its orders last changed.
    pub update_time: OffsetDateTime,
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
    /// Amount.
    pub amount: Money,
    /// What has become of it.
    pub stage: Stage,
    /// Whether it was ever taken in charge.
    pub taken_in_charge: bool,
    /// Why it waits or was rejected, in the accountant's words; empty otherwise.
    pub reason: Reason,
    /// Day of its payment.
    pub payment_date: Option<Date>,
}

/// The accountant's code and words.
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
    /// Rejected by the accountant.
    Rejected,
    /// Paid.
    Paid,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 7] = [
        Self::Transmitted,
        Self::Acknowledged,
        Self::FlowRejected,
        Self::Pending,
        Self::TakenInCharge,
        Self::Rejected,
        Self::Paid,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transmitted => "TRANSMITTED",
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::FlowRejected => "FLOW_REJECTED",
            Self::Pending => "PENDING",
            Self::TakenInCharge => "TAKEN_IN_CHARGE",
            Self::Rejected => "REJECTED",
            Self::Paid => "PAID",
        }
    }

    /// Nothing more is to be expected of it: the instalment may go into another slip.
    pub const fn rejected(self) -> bool {
        matches!(self, Self::FlowRejected | Self::Rejected)
    }
}

impl Order {
    /// Whether an order that takes its place keeps its number: only what was never taken in charge does.
    pub const fn keeps_number(&self) -> bool {
        !self.taken_in_charge
    }
}

impl Order {
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
