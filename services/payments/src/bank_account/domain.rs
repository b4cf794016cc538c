//! The life of a bank account: ENTERED -> APPROVED -> SUPERSEDED, and REVOKED from the first two.

use nonrecours_kernel::{AttachmentName, BankAccountName};
use time::OffsetDateTime;

use super::{Details, Refusal};
use crate::instalment::Step;

/// An account of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankAccount {
    /// Resource name.
    pub name: BankAccountName,
    /// What its RIB says; never changes.
    pub details: Details,
    /// The RIB itself.
    pub rib: Option<AttachmentName>,
    /// Who entered it.
    pub entry: Step,
    /// State, with the steps made.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for another person to approve it.
    Entered,
    /// The operator is paid there.
    Approved {
        /// Who approved it.
        approval: Step,
    },
    /// Another was approved since.
    Superseded {
        /// Who approved it.
        approval: Step,
        /// Who approved the other.
        ending: Step,
    },
    /// Nothing more is paid there.
    Revoked {
        /// Who had approved it.
        approval: Option<Step>,
        /// Who revoked it.
        ending: Step,
        /// Why.
        reason: String,
    },
}

/// A state without what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// See [`State::Entered`].
    Entered,
    /// See [`State::Approved`].
    Approved,
    /// See [`State::Superseded`].
    Superseded,
    /// See [`State::Revoked`].
    Revoked,
}

impl Standing {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Entered,
        Self::Approved,
        Self::Superseded,
        Self::Revoked,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Entered => "ENTERED",
            Self::Approved => "APPROVED",
            Self::Superseded => "SUPERSEDED",
            Self::Revoked => "REVOKED",
        }
    }

    /// Reads [`Standing::code`].
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.code() == code)
    }

    /// Whether nothing more may be called on the account.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Superseded | Self::Revoked)
    }
}

impl State {
    /// Which one it is.
    pub const fn standing(&self) -> Standing {
        match self {
            Self::Entered => Standing::Entered,
            Self::Approved { .. } => Standing::Approved,
            Self::Superseded { .. } => Standing::Superseded,
            Self::Revoked { .. } => Standing::Revoked,
        }
    }

    /// Who approved it.
    pub const fn approval(&self) -> Option<&Step> {
        match self {
            Self::Entered => None,
            Self::Approved { approval } | Self::Superseded { approval, .. } => Some(approval),
            Self::Revoked { approval, .. } => approval.as_ref(),
        }
    }

    /// Who ended it.
    pub const fn ending(&self) -> Option<&Step> {
        match self {
            Self::Entered | Self::Approved { .. } => None,
            Self::Superseded { ending, .. } | Self::Revoked { ending, .. } => Some(ending),
        }
    }

    /// Why it was revoked.
    pub fn revoke_reason(&self) -> Option<&str> {
        match self {
            Self::Revoked { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

impl BankAccount {
    /// A new one, ENTERED.
    pub fn enter(
        name: BankAccountName,
        details: Details,
        rib: Option<AttachmentName>,
        entry: Step,
    ) -> Self {
        Self {
            name,
            details,
            rib,
            update_time: entry.time,
            entry,
            state: State::Entered,
            revision: 1,
        }
    }

    /// ENTERED -> APPROVED, by another person than who entered it: one person alone sends no money anywhere.
    pub fn approve(self, approval: Step) -> Result<Self, Refusal> {
        if self.state != State::Entered {
            return Err(Refusal::NotEntered);
        }
        if self.entry.actor == approval.actor {
            return Err(Refusal::OwnEntry);
        }
        let time = approval.time;
        Ok(self.reach(State::Approved { approval }, time))
    }

    /// APPROVED -> SUPERSEDED, by the approval of another.
    pub fn supersede(self, ending: Step) -> Result<Self, Refusal> {
        let State::Approved { approval } = &self.state else {
            return Err(Refusal::NotApproved);
        };
        let (approval, time) = (approval.clone(), ending.time);
        Ok(self.reach(State::Superseded { approval, ending }, time))
    }

    /// ENTERED | APPROVED -> REVOKED.
    pub fn revoke(self, reason: String, ending: Step) -> Result<Self, Refusal> {
        if self.state.standing().ended() {
            return Err(Refusal::Ended);
        }
        let (approval, time) = (self.state.approval().cloned(), ending.time);
        let state = State::Revoked {
            approval,
            ending,
            reason,
        };
        Ok(self.reach(state, time))
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

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{BankAccountId, OperatorId};
    use uuid::Uuid;

    use super::*;
    use crate::instalment::fixtures::{NOW, details, step};

    fn entered() -> BankAccount {
        let name = BankAccountName {
            operator: OperatorId::from_uuid(Uuid::from_u128(1)),
            bank_account: BankAccountId::from_uuid(Uuid::from_u128(4)),
        };
        BankAccount::enter(name, details(), None, step("manager", NOW))
    }

    #[test]
    fn an_account_is_approved_by_another_than_who_entered_it() {
        let account = entered();
        let own = account.clone().approve(step("manager", NOW));
        assert_eq!(own, Err(Refusal::OwnEntry));
        let approved = account.approve(step("officer", NOW)).unwrap();
        assert_eq!(approved.state.standing(), Standing::Approved);
        assert_eq!(approved.revision, 2);
        let again = approved.approve(step("other", NOW));
        assert_eq!(again, Err(Refusal::NotEntered));
    }

    #[test]
    fn an_account_ends_once() {
        let step = || step("officer", NOW);
        let revoke = |account: BankAccount| account.revoke("Compte clos".to_owned(), step());
        assert_eq!(entered().supersede(step()), Err(Refusal::NotApproved));
        let approved = entered().approve(step()).unwrap();
        let superseded = approved.clone().supersede(step()).unwrap();
        let revoked = revoke(approved).unwrap();
        assert_eq!(revoked.state.revoke_reason(), Some("Compte clos"));
        assert!(revoked.state.approval().is_some() && revoked.state.ending().is_some());
        let never_approved = revoke(entered()).unwrap();
        assert_eq!(never_approved.state.approval(), None);
        for ended in [superseded, revoked, never_approved] {
            assert!(ended.state.standing().ended());
            assert_eq!(revoke(ended.clone()), Err(Refusal::Ended));
            assert_eq!(ended.clone().approve(step()), Err(Refusal::NotEntered));
            assert_eq!(ended.supersede(step()), Err(Refusal::NotApproved));
        }
    }
}
