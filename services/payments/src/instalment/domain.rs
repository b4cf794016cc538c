//! Instalments as values: from planned to paid, by four different persons.

use nonrecours_kernel::{InstalmentName, Money, Scope, paris_date};
use time::{Date, OffsetDateTime};

use super::{BankAccount, Refusal};
use crate::{ledger_entry::Movement, payment_plan::Cause};

/// Kind of an instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Acompte: due from the signature.
    Advance,
    /// Acompte intermédiaire: due while the convention is in force, once those before it are paid.
    Interim,
    /// Solde: due once the actions are done and the report accepted (art. 6).
    Balance,
}

/// One instalment of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// Resource name.
    pub name: InstalmentName,
    /// Kind.
    pub kind: Kind,
    /// Place in the plan, from 1.
    pub position: i16,
    /// Amount, positive.
    pub amount: Money,
    /// State, with the steps made.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was planned.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

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
        account: BankAccount,
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
    pub account: BankAccount,
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

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The operator calls the funds.
    Call {
        /// Its reference.
        reference: String,
        /// Its RIB.
        account: BankAccount,
    },
    /// The service done is certified.
    Certify {
        /// RIB of an advance that was not called.
        account: Option<BankAccount>,
    },
    /// The payment is ordered.
    Order,
    /// The transfer is confirmed.
    Confirm {
        /// Its day.
        transfer_date: Date,
    },
}

impl Kind {
    /// As people call it.
    pub fn french(self) -> &'static str {
        match self {
            Self::Advance => "acompte",
            Self::Interim => "acompte intermédiaire",
            Self::Balance => "solde",
        }
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
    pub fn account(&self) -> Option<&BankAccount> {
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
    fn separate(&self, step: &Step) -> Result<(), Refusal> {
        match self.duties().find(|(_, made)| made.actor == step.actor) {
            Some((duty, _)) => Err(Refusal::SeparationOfDuties(duty)),
            None => Ok(()),
        }
    }
}

impl Instalment {
    /// A new one, PLANNED.
    pub fn plan(
        name: InstalmentName,
        kind: Kind,
        position: i16,
        amount: Money,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            name,
            kind,
            position,
            amount,
            state: State::Planned,
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// PLANNED | CALLED | CERTIFIED -> PLANNED with another amount: what was called and certified was another sum.
    pub fn replan(self, amount: Money, now: OffsetDateTime) -> Self {
        let planned = self.reach(State::Planned, now);
        Self { amount, ..planned }
    }

    /// PLANNED | CALLED | CERTIFIED -> CANCELLED.
    pub fn cancel(self, cause: Cause, now: OffsetDateTime) -> Self {
        self.reach(State::Cancelled { cause, time: now }, now)
    }

    /// Whether the order has gone to the accountant: from then on the amount is fixed.
    pub fn is_ordered(&self) -> bool {
        self.state.stage() >= Stage::Ordered
    }

    /// Whether its amount counts in the plan.
    pub fn is_live(&self) -> bool {
        self.state.stage() != Stage::Cancelled
    }

    /// PLANNED -> CALLED. That nothing blocks the call is for the [`Schedule`](super::Schedule), which knows the others.
    pub fn call(
        self,
        reference: String,
        account: BankAccount,
        step: Step,
    ) -> Result<Self, Refusal> {
        match self.state {
            State::Planned => {
                let time = step.time;
                let call = Call { step, reference };
                Ok(self.reach(State::Called { call, account }, time))
            }
            _ => Err(Refusal::NotPlanned(self.state.stage())),
        }
    }

    /// CALLED -> CERTIFIED; for an advance that needs no call, PLANNED -> CERTIFIED with its RIB.
    pub fn certify(
        self,
        account: Option<BankAccount>,
        advance_without_call: bool,
        step: Step,
    ) -> Result<Self, Refusal> {
        let uncalled = self.kind == Kind::Advance && advance_without_call;
        match self.state.stage() {
            Stage::Called => {}
            Stage::Planned if uncalled => {}
            stage => return Err(Refusal::NotCalled(stage)),
        }
        self.state.separate(&step)?;
        let (call, account) = match (&self.state, account) {
            (State::Called { call, account }, None) => (Some(call.clone()), account.clone()),
            (State::Called { .. }, Some(_)) => return Err(Refusal::BankAccountUnexpected),
            (_, Some(account)) => (None, account),
            (_, None) => return Err(Refusal::BankAccountMissing),
        };
        let time = step.time;
        let certified = Certified {
            call,
            account,
            certification: step,
        };
        Ok(self.reach(State::Certified(certified), time))
    }

    /// CERTIFIED -> ORDERED.
    pub fn order(self, step: Step) -> Result<Self, Refusal> {
        let State::Certified(certified) = &self.state else {
            return Err(Refusal::NotCertified(self.state.stage()));
        };
        self.state.separate(&step)?;
        let time = step.time;
        let ordered = Ordered {
            certified: certified.clone(),
            order: step,
        };
        Ok(self.reach(State::Ordered(ordered), time))
    }

    /// ORDERED -> PAID. The transfer lies between the day of the order and today, in Paris.
    pub fn confirm(self, transfer_date: Date, step: Step) -> Result<Self, Refusal> {
        let State::Ordered(ordered) = &self.state else {
            return Err(Refusal::NotOrdered(self.state.stage()));
        };
        self.state.separate(&step)?;
        let (first, last) = (paris_date(ordered.order.time), paris_date(step.time));
        if !(first..=last).contains(&transfer_date) {
            return Err(Refusal::TransferDateOutOfRange { first, last });
        }
        let time = step.time;
        let paid = Paid {
            ordered: ordered.clone(),
            confirmation: step,
            transfer_date,
        };
        Ok(self.reach(State::Paid(paid), time))
    }

    /// What reaching this state books.
    pub fn movement(&self) -> Option<Movement> {
        match self.state {
            State::Certified(_) => Some(Movement::Liquidation),
            State::Paid(_) => Some(Movement::Payment),
            State::Planned | State::Called { .. } | State::Ordered(_) | State::Cancelled { .. } => {
                None
            }
        }
    }

    fn reach(self, state: State, now: OffsetDateTime) -> Self {
        Self {
            state,
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}
