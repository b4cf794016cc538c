//! Instalments as values: from planned to paid, by four different persons.

use nonrecours_kernel::{InstalmentName, Money, paris_date};
use time::{Date, OffsetDateTime};

use super::{
    Refusal,
    document::{DocumentKind, SupportingDocument, attach},
    state::{Call, Certified, Destination, Ordered, Paid, Stage, State, Step},
};
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
    /// What justifies it.
    pub documents: Vec<SupportingDocument>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was planned.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}
/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The operator calls the funds.
    Call {
        /// Its reference.
        reference: String,
        /// The account of its RIB.
        account: Destination,
        /// What comes with it.
        documents: Vec<SupportingDocument>,
    },
    /// Documents come after the call.
    Attach {
        /// Which.
        documents: Vec<SupportingDocument>,
    },
    /// It is paid elsewhere.
    Redirect {
        /// The account, approved.
        account: Destination,
        /// The RIB of that account.
        rib: Option<SupportingDocument>,
    },
    /// The service done is certified.
    Certify {
        /// Account of an advance that was not called.
        account: Option<Destination>,
        /// What comes with it.
        documents: Vec<SupportingDocument>,
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
            documents: Vec::new(),
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// PLANNED | CALLED | CERTIFIED -> PLANNED with another amount: what was called, justified and certified was another sum.
    pub fn replan(self, amount: Money, now: OffsetDateTime) -> Self {
        let planned = self.reach(State::Planned, now);
        Self {
            amount,
            documents: Vec::new(),
            ..planned
        }
    }

    /// PLANNED | CALLED | CERTIFIED -> CANCELLED.
    pub fn cancel(self, cause: Cause, now: OffsetDateTime) -> Self {
        let cancelled = self.reach(State::Cancelled { cause, time: now }, now);
        Self {
            documents: Vec::new(),
            ..cancelled
        }
    }

    /// The same with documents added, as long as nothing was certified on what there is.
    pub fn justified(self, added: Vec<SupportingDocument>) -> Result<Self, Refusal> {
        let documents = attach(self.documents, added)?;
        Ok(Self { documents, ..self })
    }

    /// CALLED -> CALLED with more documents.
    pub fn attach(
        self,
        documents: Vec<SupportingDocument>,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        match self.state {
            State::Called { .. } => {
                let state = self.state.clone();
                self.justified(documents).map(|one| one.reach(state, now))
            }
            _ => Err(Refusal::NotCalled(self.state.stage())),
        }
    }

    /// CALLED | CERTIFIED | ORDERED, to be paid on another account: its RIB takes the place of the other's.
    pub fn redirect(
        self,
        account: Destination,
        rib: Option<SupportingDocument>,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let state = match self.state.clone() {
            State::Called { call, .. } => State::Called { call, account },
            State::Certified(certified) => State::Certified(Certified {
                account,
                ..certified
            }),
            State::Ordered(ordered) => State::Ordered(Ordered {
                certified: Certified {
                    account,
                    ..ordered.certified
                },
                ..ordered
            }),
            State::Paid(_) => return Err(Refusal::NotOrdered(Stage::Paid)),
            State::Planned | State::Cancelled { .. } => {
                return Err(Refusal::NotCalled(self.state.stage()));
            }
        };
        let kept = self.documents.iter();
        let kept = kept.filter(|document| document.kind != DocumentKind::Rib);
        let documents = attach(kept.cloned().collect(), rib.into_iter().collect())?;
        Ok(Self { documents, ..self }.reach(state, now))
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
        account: Destination,
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
        account: Option<Destination>,
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

    /// PAID -> ORDERED: the money came back.
    pub fn returned(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        let State::Paid(paid) = &self.state else {
            return Err(Refusal::NotOrdered(self.state.stage()));
        };
        let ordered = paid.ordered.clone();
        Ok(self.reach(State::Ordered(ordered), now))
    }

    /// PAID -> PAID with less: a part came back, and is neither paid nor certified any more. Two revisions, for two entries of the
    /// books. Nothing when no part would be left.
    pub fn returned_in_part(self, amount: Money, now: OffsetDateTime) -> Option<Self> {
        self.state.paid()?;
        let left = self.amount.checked_sub(amount)?;
        let state = self.state.clone();
        let returned = self.reach(state.clone(), now).reach(state, now);
        left.is_positive().then_some(Self {
            amount: left,
            ..returned
        })
    }

    /// ORDERED -> PLANNED when a correction takes off all of its order: what was called, justified and certified ended with it;
    /// ORDERED with less when it takes off a part.
    pub fn corrected(self, amount: Money, now: OffsetDateTime) -> Result<Self, Refusal> {
        if self.state.stage() != Stage::Ordered {
            return Err(Refusal::NotOrdered(self.state.stage()));
        }
        let left = self.amount.checked_sub(amount);
        match left.filter(|left| left.is_positive()) {
            None => {
                let amount = self.amount;
                Ok(self.replan(amount, now))
            }
            Some(left) => {
                let state = self.state.clone();
                let reduced = self.reach(state, now);
                Ok(Self {
                    amount: left,
                    ..reduced
                })
            }
        }
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
