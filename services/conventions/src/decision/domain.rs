//! Decisions of the authority (art. 8), and what each does to the convention.

use nonrecours_kernel::{DecisionName, HearingId, Money};
use time::{Date, OffsetDateTime};

use crate::{
    convention::{domain::Convention, measures::Cause},
    refusal::Refusal,
};

/// A decision, as it was taken: never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Resource name.
    pub name: DecisionName,
    /// What is decided.
    pub measure: Measure,
    /// Motives.
    pub motives: String,
    /// Day of the decision.
    pub date: Date,
    /// Hearing it follows.
    pub hearing: HearingId,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The grant is no more than this from now on.
    Reduce(Money),
    /// Payments are suspended.
    Suspend,
    /// Payments go on.
    Resume,
    /// This sum is claimed back.
    Recover(Money),
    /// The convention ends.
    Terminate,
}

impl Measure {
    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reduce(_) => "REDUCE",
            Self::Suspend => "SUSPEND",
            Self::Resume => "RESUME",
            Self::Recover(_) => "RECOVER",
            Self::Terminate => "TERMINATE",
        }
    }

    /// The amount it is about.
    pub const fn amount(self) -> Option<Money> {
        match self {
            Self::Reduce(amount) | Self::Recover(amount) => Some(amount),
            Self::Suspend | Self::Resume | Self::Terminate => None,
        }
    }

    /// What the change of the convention is told as.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Reduce(_) => "convention.reduced",
            Self::Suspend => "convention.suspended",
            Self::Resume => "convention.resumed",
            Self::Recover(_) => "convention.recovery_decided",
            Self::Terminate => "convention.terminated",
        }
    }
}

impl Decision {
    /// What it does to its convention; `spent` is what the accepted report shows, zero without one.
    pub fn apply(
        &self,
        convention: Convention,
        spent: Money,
        now: OffsetDateTime,
    ) -> Result<Convention, Refusal> {
        match self.measure {
            Measure::Reduce(amount) => convention.reduce(amount, now),
            Measure::Suspend => convention.suspend(now),
            Measure::Resume => convention.resume(now),
            Measure::Recover(amount) => convention.claim(amount, now),
            Measure::Terminate => {
                convention.terminate(self.date, Cause::Decision(self.name.decision), spent, now)
            }
        }
    }
}
