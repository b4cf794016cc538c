//! Recoveries as values: claimed, then received, set off, given up or no longer claimed.

use nonrecours_kernel::{BudgetYear, InstalmentName, Money, ProgrammeId, RecoveryName, paris_date};
use time::{Date, OffsetDateTime};

use super::Refusal;
use crate::{instalment::Step, ledger_entry::Movement};

/// Most acts of one recovery.
pub const MAX_ACTS: usize = 100;

/// A claim for money paid that was not due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Resource name.
    pub name: RecoveryName,
    /// Programme that claims.
    pub programme: ProgrammeId,
    /// Budget year it is numbered in.
    pub budget_year: BudgetYear,
    /// Number in that year, from 1.
    pub number: i32,
    /// Why.
    pub cause: Cause,
    /// Amount claimed, positive.
    pub amount: Money,
    /// Day of issue, in Paris.
    pub issue_date: Date,
    /// Who issued it.
    pub issue: Step,
    /// That the operator was told.
    pub notification: Option<Notification>,
    /// What became of it, in order.
    pub acts: Vec<Act>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was issued.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Why money is claimed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// More was paid than is due after a termination (art. 7 and 8).
    Termination,
    /// The contrat d'engagement républicain was broken (loi n° 2000-321, art. 10-1).
    RepublicanCommitment(Breach),
    /// More was paid than an amendment leaves.
    Overpayment,
    /// A decision claims it, or leaves less than was paid (art. 8).
    Decision,
}

/// A breach, and how its amount was counted: what was kept, by the days that remained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The decision that withdraws the grant.
    pub decision: String,
    /// Day of the breach.
    pub date: Date,
    /// What the operator kept.
    pub kept: Money,
    /// Days of the period from the breach on, that day included.
    pub remaining_days: u32,
    /// Days of the period.
    pub period_days: u32,
}

/// That the operator was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its day.
    pub date: Date,
    /// Who recorded it.
    pub step: Step,
}

/// One thing that became of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Kind.
    pub kind: ActKind,
    /// Amount, positive.
    pub amount: Money,
    /// Its day.
    pub date: Date,
    /// Reference of the receipt or the decision, or why it was reduced, or the instalment.
    pub reference: String,
    /// The instalment it was set off against.
    pub instalment: Option<InstalmentName>,
    /// Who recorded it.
    pub step: Step,
}

/// What may become of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActKind {
    /// Money received.
    Receipt,
    /// Set off against an instalment.
    Offset,
    /// Given up.
    WriteOff,
    /// No longer claimed.
    Reduction,
}

/// Life of a recovery; follows from its acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Claimed.
    Issued,
    /// The operator was told.
    Notified,
    /// Part of it is back.
    PartlyRecovered,
    /// Nothing remains.
    Recovered,
    /// What remained was given up.
    WrittenOff,
    /// It was set off as a whole.
    Offset,
    /// Nothing was received, and nothing is claimed any more.
    Cancelled,
}

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The operator was told on this day.
    Notify(Date),
    /// Money was received.
    Receive {
        /// How much.
        amount: Money,
        /// On which day.
        date: Date,
        /// The accountant's reference.
        reference: String,
    },
    /// It is set off.
    Offset {
        /// How much.
        amount: Money,
        /// Against which instalment.
        instalment: InstalmentName,
        /// How that was paid; none: it was not.
        paid: Option<PaidOn>,
        /// What of it is left to be set off against.
        left: Money,
    },
    /// What remains is given up.
    WriteOff {
        /// The assembly's decision.
        decision: String,
    },
    /// Less is claimed.
    Reduce {
        /// By how much.
        amount: Money,
        /// Why.
        reason: String,
    },
}

/// How the instalment of an offset was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidOn {
    /// Day of the transfer.
    pub date: Date,
    /// When it was confirmed.
    pub time: OffsetDateTime,
}

impl ActKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Receipt, Self::Offset, Self::WriteOff, Self::Reduction];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Receipt => "RECEIPT",
            Self::Offset => "OFFSET",
            Self::WriteOff => "WRITE_OFF",
            Self::Reduction => "REDUCTION",
        }
    }

    /// What it books.
    pub const fn movement(self) -> Movement {
        match self {
            Self::Receipt | Self::Offset => Movement::Receipt,
            Self::WriteOff => Movement::WriteOff,
            Self::Reduction => Movement::Reduction,
        }
    }

    /// The change that it is told as.
    pub const fn change(self) -> &'static str {
        match self {
            Self::Receipt => "recovery.received",
            Self::Offset => "recovery.offset",
            Self::WriteOff => "recovery.written_off",
            Self::Reduction => "recovery.reduced",
        }
    }
}

impl Recovery {
    /// Whether a breach is behind it.
    pub const fn is_breach(&self) -> bool {
        matches!(self.cause, Cause::RepublicanCommitment(_))
    }

    /// What its acts of one kind come to.
    pub fn sum(&self, kind: ActKind) -> Money {
        let acts = self.acts.iter().filter(|act| act.kind == kind);
        // No act goes beyond what remains.
        Money::sum(acts.map(|act| act.amount)).unwrap_or(Money::MAX)
    }

    /// What remains of it.
    pub fn outstanding(&self) -> Money {
        let acts = Money::sum(self.acts.iter().map(|act| act.amount));
        acts.and_then(|acts| self.amount.checked_sub(acts))
            .unwrap_or_default()
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        let has = |kind| !self.sum(kind).is_zero();
        let back = has(ActKind::Receipt) || has(ActKind::Offset);
        if self.outstanding().is_positive() {
            return match (back, &self.notification) {
                (true, _) => State::PartlyRecovered,
                (false, Some(_)) => State::Notified,
                (false, None) => State::Issued,
            };
        }
        if has(ActKind::WriteOff) {
            State::WrittenOff
        } else if has(ActKind::Receipt) {
            State::Recovered
        } else if has(ActKind::Offset) {
            State::Offset
        } else {
            State::Cancelled
        }
    }

    /// Makes a step; the act added, if one was, is its last. Nothing when it was known. All refusals are in [`Refusal`].
    pub fn take(&self, command: Command, step: Step) -> Result<Option<Self>, Refusal> {
        if let Command::Receive {
            amount,
            date,
            reference,
        } = &command
        {
            let same = |act: &&Act| act.kind == ActKind::Receipt && act.reference == *reference;
            match self.acts.iter().find(same) {
                Some(act) if act.amount == *amount && act.date == *date => return Ok(None),
                Some(_) => return Err(Refusal::ReceiptKnown),
                None => {}
            }
        }
        if self.outstanding().is_zero() {
            return Err(Refusal::Closed(self.state()));
        }
        let next = match command {
            Command::Notify(date) => self.notify(date, step)?,
            Command::Receive {
                amount,
                date,
                reference,
            } => {
                self.separate(&step)?;
                self.within(date, &step)?;
                self.act(ActKind::Receipt, amount, date, reference, None, step)?
            }
            Command::Offset {
                amount,
                instalment,
                paid,
                left,
            } => {
                self.separate(&step)?;
                let paid = paid.ok_or(Refusal::OffsetUnpaid)?;
                let date = paid.date;
                self.within(date, &step)?;
                if paid.time < self.issue.time {
                    return Err(self.out_of_range(&step));
                }
                if amount > left {
                    return Err(Refusal::OffsetExceeded(left));
                }
                let reference = instalment.to_string();
                let instalment = Some(instalment);
                self.act(ActKind::Offset, amount, date, reference, instalment, step)?
            }
            Command::WriteOff { decision } => {
                if self.notification.is_none() {
                    return Err(Refusal::NotNotified);
                }
                let (amount, today) = (self.outstanding(), paris_date(step.time));
                self.act(ActKind::WriteOff, amount, today, decision, None, step)?
            }
            Command::Reduce { amount, reason } => {
                let today = paris_date(step.time);
                self.act(ActKind::Reduction, amount, today, reason, None, step)?
            }
        };
        Ok(Some(next))
    }

    fn notify(&self, date: Date, step: Step) -> Result<Self, Refusal> {
        if self.notification.is_some() {
            return Err(Refusal::Notified);
        }
        self.within(date, &step)?;
        let time = step.time;
        let mut next = self.changed(time);
        next.notification = Some(Notification { date, step });
        Ok(next)
    }

    fn act(
        &self,
        kind: ActKind,
        amount: Money,
        date: Date,
        reference: String,
        instalment: Option<InstalmentName>,
        step: Step,
    ) -> Result<Self, Refusal> {
        let outstanding = self.outstanding();
        if amount > outstanding {
            return Err(Refusal::Exceeded(outstanding));
        }
        if self.acts.len() >= MAX_ACTS {
            return Err(Refusal::Full);
        }
        let mut next = self.changed(step.time);
        next.acts.push(Act {
            kind,
            amount,
            date,
            reference,
            instalment,
            step,
        });
        Ok(next)
    }

    /// Who claims never holds the money (décret n° 2012-1246, art. 9).
    fn separate(&self, step: &Step) -> Result<(), Refusal> {
        if self.issue.actor == step.actor {
            return Err(Refusal::SeparationOfDuties);
        }
        Ok(())
    }

    /// From the day of issue to today, in Paris.
    fn within(&self, date: Date, step: &Step) -> Result<(), Refusal> {
        if (self.issue_date..=paris_date(step.time)).contains(&date) {
            Ok(())
        } else {
            Err(self.out_of_range(step))
        }
    }

    fn out_of_range(&self, step: &Step) -> Refusal {
        Refusal::DateOutOfRange {
            first: self.issue_date,
            last: paris_date(step.time),
        }
    }

    fn changed(&self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self.clone()
        }
    }
}
