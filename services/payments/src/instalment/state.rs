//! The states of an instalment, each with the steps made to reach it.

use nonrecours_kernel::{BankAccountId, Scope};
use time::{Date, OffsetDateTime};

use super::Refusal;
use crate::{
    bank_account::{Details, Standing},
    payment_plan::Cause,
};

/// Life of an instalment: each state carries all the steps made to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Due later, or not called yet.
    Planned,
    /// The operator has called the funds.
    Called {
        /// The written call.
        call: Call,
        /// The account of its RIB.
        account: Destination,
    },
    /// Service done certified, sum due settled.
    Certified(Certified),
    /// Payment ordered.
    Ordered(Ordered),
    /// Transfer confirmed.
    Paid(Paid),
    /// An amendment or a decision has left nothing of it; its amount counts no more.
    Cancelled {
        /// Which of the two.
        cause: Cause,
        /// When.
        time: OffsetDateTime,
    },
}

/// A state without what it carries, in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// See [`State::Cancelled`]: before all steps, for none of them counts any more.
    Cancelled,
    /// See [`State::Planned`].
    Planned,
    /// See [`State::Called`].
    Called,
    /// See [`State::Certified`].
    Certified,
    /// See [`State::Ordered`].
    Ordered,
    /// See [`State::Paid`].
    Paid,
}

/// A call for funds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who called, and when.
    pub step: Step,
    /// The operator's reference of its letter.
    pub reference: String,
}

/// What is known once an instalment is certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The call; none for an advance that needs none.
    pub call: Option<Call>,
    /// Account to pay to.
    pub account: Destination,
    /// Who certified, and when.
    pub certification: Step,
}

/// What is known once its payment is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// What was certified.
    pub certified: Certified,
    /// Who ordered, and when.
    pub order: Step,
}

/// What is known once it is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// What was ordered.
    pub ordered: Ordered,
    /// Who confirmed, and when.
    pub confirmation: Step,
    /// Day of the transfer.
    pub transfer_date: Date,
}

/// Who did a step, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Subject of the caller's token.
    pub actor: String,
    /// Name of the person.
    pub actor_name: String,
    /// When.
    pub time: OffsetDateTime,
}

/// The steps that one person may make only one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// The call for funds.
    Call,
    /// The certification.
    Certification,
    /// The order.
    Order,
    /// The confirmation of the transfer.
    Confirmation,
}
/// The account that an instalment is paid on, as it was when that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What its RIB says.
    pub details: Details,
    /// Which of the operator's accounts it is; none: it was called before accounts were kept.
    pub account: Option<BankAccountId>,
    /// What has become of that account.
    pub standing: Standing,
}

impl Duty {
    /// Whether who orders, or corrects an order, may not have made it.
    pub const fn precedes_the_order(self) -> bool {
        matches!(self, Self::Call | Self::Certification)
    }
}

impl Step {
    /// A step of the one who acts in this scope.
    pub fn of(scope: &Scope, time: OffsetDateTime) -> Self {
        Self {
            actor: scope.actor().to_owned(),
            actor_name: scope.actor_name().to_owned(),
            time,
        }
    }
}

impl State {
    /// Which one it is.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Planned => Stage::Planned,
            Self::Called { .. } => Stage::Called,
            Self::Certified(_) => Stage::Certified,
            Self::Ordered(_) => Stage::Ordered,
            Self::Paid(_) => Stage::Paid,
            Self::Cancelled { .. } => Stage::Cancelled,
        }
    }

    /// The call.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Planned | Self::Cancelled { .. } => None,
            Self::Called { call, .. } => Some(call),
            _ => self.certified()?.call.as_ref(),
        }
    }

    /// The account to pay to.
    pub fn account(&self) -> Option<&Destination> {
        match self {
            Self::Planned | Self::Cancelled { .. } => None,
            Self::Called { account, .. } => Some(account),
            _ => self.certified().map(|certified| &certified.account),
        }
    }

    /// What was certified.
    pub fn certified(&self) -> Option<&Certified> {
        match self {
            Self::Certified(certified) => Some(certified),
            _ => self.ordered().map(|ordered| &ordered.certified),
        }
    }

    /// What was ordered.
    pub fn ordered(&self) -> Option<&Ordered> {
        match self {
            Self::Ordered(ordered) => Some(ordered),
            _ => self.paid().map(|paid| &paid.ordered),
        }
    }

    /// What was paid.
    pub fn paid(&self) -> Option<&Paid> {
        match self {
            Self::Paid(paid) => Some(paid),
            _ => None,
        }
    }

    /// The steps made, with who made them.
    pub fn duties(&self) -> impl Iterator<Item = (Duty, &Step)> {
        let made = [
            (Duty::Call, self.call().map(|call| &call.step)),
            (
                Duty::Certification,
                self.certified().map(|state| &state.certification),
            ),
            (Duty::Order, self.ordered().map(|state| &state.order)),
            (
                Duty::Confirmation,
                self.paid().map(|state| &state.confirmation),
            ),
        ];
        made.into_iter()
            .filter_map(|(duty, step)| step.map(|step| (duty, step)))
    }

    /// One person makes one step at most: the law parts who orders from who pays (décret n° 2012-1246 art. 9), the suite
    /// parts all four.
    pub(super) fn separate(&self, step: &Step) -> Result<(), Refusal> {
        match self.duties().find(|(_, made)| made.actor == step.actor) {
            Some((duty, _)) => Err(Refusal::SeparationOfDuties(duty)),
            None => Ok(()),
        }
    }
}
