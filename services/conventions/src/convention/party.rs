//! The two parties to a convention.

use nonrecours_kernel::{Caller, Role};

use crate::refusal::Refusal;

/// A party to a convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The authority that funds.
    Authority,
    /// The operator.
    Operator,
}

impl Party {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Authority, Self::Operator];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "AUTHORITY",
            Self::Operator => "OPERATOR",
        }
    }

    /// In an English sentence.
    pub const fn english(self) -> &'static str {
        match self {
            Self::Authority => "the authority",
            Self::Operator => "the operator",
        }
    }

    /// In a French sentence.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Authority => "l'autorité",
            Self::Operator => "l'opérateur",
        }
    }
}

/// Who gives notice, opens a dispute and carries them on: the officers for the authority, the manager for the operator.
pub fn acts_for(caller: &Caller, party: Party) -> Result<(), Refusal> {
    let acts = match party {
        Party::Authority => {
            caller.has(Role::ProgrammeOfficer) || caller.has(Role::AuthorisingOfficer)
        }
        Party::Operator => caller.has(Role::OperatorManager),
    };
    if acts {
        Ok(())
    } else {
        Err(Refusal::PartyNotYours(party))
    }
}

/// One thing for each party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByParty<T> {
    /// The authority's.
    pub authority: T,
    /// The operator's.
    pub operator: T,
}

impl<T> ByParty<T> {
    /// A party's own.
    pub const fn get(&self, party: Party) -> &T {
        match party {
            Party::Authority => &self.authority,
            Party::Operator => &self.operator,
        }
    }

    /// A party's own, to change it.
    pub const fn get_mut(&mut self, party: Party) -> &mut T {
        match party {
            Party::Authority => &mut self.authority,
            Party::Operator => &mut self.operator,
        }
    }
}
