//! What happens to a signed convention beside its ordinary life: termination (art. 7), decisions of the authority
//! (art. 8), disputes (art. 9).

use nonrecours_kernel::{ActivityReportId, DecisionId, FormalNoticeId, Money};
use time::{Date, OffsetDateTime};

use super::domain::{Convention, Execution, State};
use crate::{programme::domain::Weight, refusal::Refusal};

/// What decisions and disputes leave on a convention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Whether a decision suspends the payments.
    pub suspended: bool,
    /// Ceiling of the grant after a reduction.
    pub reduced: Option<Money>,
    /// Sum that decisions claim back.
    pub claimed: Money,
    /// Disputes that are not closed.
    pub open_disputes: i32,
}

/// How a convention was terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Day on which it ended.
    pub date: Date,
    /// By what.
    pub cause: Cause,
    /// What is due to the operator in all: what the accepted report shows as spent, within the grant in force.
    pub due: Money,
}

/// What terminates a convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A formal notice (art. 7).
    Notice(FormalNoticeId, Ground),
    /// A decision of the authority (art. 8).
    Decision(DecisionId),
}

/// Why a party gives notice (art. 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The other party does not keep its commitments.
    Breach,
    /// The conditions have changed substantially.
    SubstantialChange,
}

impl Ground {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Breach, Self::SubstantialChange];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breach => "BREACH",
            Self::SubstantialChange => "SUBSTANTIAL_CHANGE",
        }
    }
}

impl Cause {
    /// The ground's name in the database and in the contract.
    pub const fn ground(self) -> &'static str {
        match self {
            Self::Notice(_, ground) => ground.as_str(),
            Self::Decision(_) => "DECISION",
        }
    }
}

impl Measures {
    /// Whether nothing keeps a paid convention from being settled.
    pub const fn allow_settlement(&self) -> bool {
        !self.suspended && self.open_disputes == 0
    }
}

impl Convention {
    /// The execution of a convention in force or completed. Refuses any other.
    pub fn running(&self) -> Result<&Execution, Refusal> {
        match &self.state {
            State::InForce { execution, .. } | State::Completed { execution, .. } => Ok(execution),
            State::Draft
            | State::PartlySigned { .. }
            | State::Settled { .. }
            | State::Terminated { .. } => Err(Refusal::ConventionNotRunning),
        }
    }

    /// The execution of a convention that both have signed, whatever became of it. Refuses any other.
    pub fn signed(&self) -> Result<&Execution, Refusal> {
        self.execution().ok_or(Refusal::ConventionNotSigned)
    }

    /// The grant in force: its ceiling once a decision reduces it.
    pub fn ceiling(&self) -> Money {
        self.execution()
            .and_then(|execution| execution.measures.reduced)
            .unwrap_or(self.terms.grant)
    }

    /// What is due to the operator in all.
    pub fn due(&self) -> Money {
        match &self.state {
            State::Terminated { termination, .. } => termination.due,
            _ => self.ceiling(),
        }
    }

    /// What it weighs on its envelope: what is due or may still become so, and no less than what is paid. A termination
    /// leaves the whole ceiling engaged until a report says what was spent under it.
    pub fn weight(&self) -> Weight {
        let paid = self
            .execution()
            .map_or(Money::ZERO, |execution| execution.plan.paid);
        let due = match &self.state {
            State::Draft | State::PartlySigned { .. } | State::Settled { .. } => Money::ZERO,
            State::InForce { .. } | State::Completed { .. } => self.ceiling(),
            State::Terminated {
                accepted_report,
                termination,
                ..
            } => match accepted_report {
                Some(_) => termination.due,
                None => self.ceiling(),
            },
        };
        Weight {
            engaged: due.max(paid),
            paid,
        }
    }

    /// What it holds of its envelope since its last step.
    pub fn held(&self) -> Weight {
        self.execution()
            .map(|execution| Weight {
                engaged: execution.engaged,
                paid: execution.plan.paid,
            })
            .unwrap_or_default()
    }

    /// Art. 8: lowers the ceiling of the grant.
    pub fn reduce(self, amount: Money, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.running()?;
        let ceiling = self.ceiling();
        if amount >= ceiling {
            return Err(Refusal::ReductionTooHigh(ceiling));
        }
        Ok(self.measured(now, |measures| measures.reduced = Some(amount)))
    }

    /// Art. 8: suspends the payments.
    pub fn suspend(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        if self.running()?.measures.suspended {
            return Err(Refusal::AlreadySuspended);
        }
        Ok(self.measured(now, |measures| measures.suspended = true))
    }

    /// Lets the payments go on.
    pub fn resume(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        if !self.running()?.measures.suspended {
            return Err(Refusal::NotSuspended);
        }
        Ok(self.measured(now, |measures| measures.suspended = false))
    }

    /// Art. 8: claims back part of what was paid, on top of what is claimed already.
    pub fn claim(self, amount: Money, now: OffsetDateTime) -> Result<Self, Refusal> {
        let execution = self.signed()?;
        let paid = execution.plan.paid;
        let claimed = execution.measures.claimed.checked_add(amount);
        let Some(claimed) = claimed.filter(|claimed| *claimed <= paid) else {
            return Err(Refusal::RecoveryTooHigh(paid));
        };
        Ok(self.measured(now, |measures| measures.claimed = claimed))
    }

    /// IN_FORCE or COMPLETED -> TERMINATED. `spent` is what the accepted report shows, zero without one.
    pub fn terminate(
        self,
        date: Date,
        cause: Cause,
        spent: Money,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let mut execution = self.running()?.clone();
        // Nothing is left to suspend.
        execution.measures.suspended = false;
        let state = State::Terminated {
            execution,
            accepted_report: self.state.report(),
            completed: self.state.completion_date(),
            termination: Termination {
                date,
                cause,
                due: spent.min(self.ceiling()),
            },
        };
        Ok(self.changed(now, |convention| convention.state = state))
    }

    /// TERMINATED -> TERMINATED: names the accepted report, and counts again what is due.
    pub(super) fn account_for(
        mut self,
        report: ActivityReportId,
        spent: Money,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let ceiling = self.ceiling();
        let State::Terminated {
            accepted_report,
            termination,
            ..
        } = &mut self.state
        else {
            return Err(Refusal::ConventionNotInForce);
        };
        *accepted_report = Some(report);
        termination.due = spent.min(ceiling);
        Ok(self.changed(now, |_| {}))
    }

    /// Art. 9: one more dispute is open.
    pub fn disputed(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.signed()?;
        Ok(self.measured(now, |measures| measures.open_disputes += 1))
    }

    /// One dispute less is open.
    pub fn undisputed(self, now: OffsetDateTime) -> Self {
        self.measured(now, |measures| measures.open_disputes -= 1)
    }

    fn measured(self, now: OffsetDateTime, change: impl FnOnce(&mut Measures)) -> Self {
        self.changed(now, |convention| {
            if let State::InForce { execution, .. }
            | State::Completed { execution, .. }
            | State::Settled { execution, .. }
            | State::Terminated { execution, .. } = &mut convention.state
            {
                change(&mut execution.measures);
            }
        })
    }
}
