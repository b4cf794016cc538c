//! The states of a convention, each with its data.

use nonrecours_kernel::{ActivityReportId, Money};
use time::{Date, OffsetDateTime};

use super::{
    measures::{Measures, Termination},
    party::{ByParty, Party},
};

/// Life of a convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Being written.
    Draft,
    /// One party has signed.
    PartlySigned {
        /// Which.
        party: Party,
        /// Its signature.
        signature: Signature,
    },
    /// Both have signed.
    InForce {
        /// Signatures, and what is paid.
        execution: Execution,
        /// The accepted activity report, once there is one.
        accepted_report: Option<ActivityReportId>,
    },
    /// The actions are done; something remains to be paid.
    Completed {
        /// Signatures, and what is paid.
        execution: Execution,
        /// How it ended.
        completion: Completion,
    },
    /// Everything due has been paid.
    Settled {
        /// Signatures, and what is paid.
        execution: Execution,
        /// How it ended.
        completion: Completion,
        /// When it was settled.
        settled: OffsetDateTime,
    },
    /// Ended by a formal notice or a decision.
    Terminated {
        /// Signatures, and what is paid.
        execution: Execution,
        /// The accepted activity report, once there is one.
        accepted_report: Option<ActivityReportId>,
        /// Day on which the actions were done, if they were.
        completed: Option<Date>,
        /// How it ended.
        termination: Termination,
    },
}

impl State {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::PartlySigned { .. } => "PARTLY_SIGNED",
            Self::InForce { .. } => "IN_FORCE",
            Self::Completed { .. } => "COMPLETED",
            Self::Settled { .. } => "SETTLED",
            Self::Terminated { .. } => "TERMINATED",
        }
    }

    /// Whether a party can still sign.
    pub const fn is_open(&self) -> bool {
        match self {
            Self::Draft | Self::PartlySigned { .. } => true,
            Self::InForce { .. }
            | Self::Completed { .. }
            | Self::Settled { .. }
            | Self::Terminated { .. } => false,
        }
    }

    /// The accepted activity report.
    pub const fn report(&self) -> Option<ActivityReportId> {
        match self {
            Self::Draft | Self::PartlySigned { .. } => None,
            Self::InForce {
                accepted_report, ..
            }
            | Self::Terminated {
                accepted_report, ..
            } => *accepted_report,
            Self::Completed { completion, .. } | Self::Settled { completion, .. } => {
                Some(completion.report)
            }
        }
    }

    /// Day on which the actions were done.
    pub const fn completion_date(&self) -> Option<Date> {
        match self {
            Self::Draft | Self::PartlySigned { .. } | Self::InForce { .. } => None,
            Self::Completed { completion, .. } | Self::Settled { completion, .. } => {
                Some(completion.date)
            }
            Self::Terminated { completed, .. } => *completed,
        }
    }

    /// When it was settled.
    pub const fn settle_time(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Settled { settled, .. } => Some(*settled),
            _ => None,
        }
    }

    /// How it was terminated.
    pub const fn termination(&self) -> Option<&Termination> {
        match self {
            Self::Terminated { termination, .. } => Some(termination),
            _ => None,
        }
    }
}

/// A signature given by the signatory of a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// When.
    pub time: OffsetDateTime,
    /// Subject of the token that signed.
    pub by: String,
}

/// What a convention has once both parties have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Both signatures.
    pub signatures: ByParty<Signature>,
    /// When it came into force.
    pub since: OffsetDateTime,
    /// Number of the version of its terms: 1, one more with each amendment.
    pub version: i32,
    /// What it holds of its envelope: what it weighs, as far as the envelope goes.
    pub engaged: Money,
    /// What `payments` reported last.
    pub plan: Plan,
    /// What decisions and disputes leave on it.
    pub measures: Measures,
}

/// How the actions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The accepted activity report.
    pub report: ActivityReportId,
    /// Day on which they were done.
    pub date: Date,
}

/// The payment plan as `payments` reported it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Revision of the plan; 0 before the first report.
    pub revision: i64,
    /// Sum paid.
    pub paid: Money,
    /// Whether everything is paid.
    pub settled: bool,
    /// What of it is claimed back, and what became of that.
    pub recovered: Recovered,
}

/// What of the sums paid is claimed back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Claimed by recoveries (titres de recette), reductions taken off.
    pub claimed: Money,
    /// Received or set off.
    pub received: Money,
    /// Given up.
    pub written_off: Money,
}
