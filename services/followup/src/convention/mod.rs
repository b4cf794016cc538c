//! What this service knows of conventions, as `conventions` last told it.

pub mod store;

use nonrecours_kernel::{ConventionName, Money};

/// A convention as far as follow-up is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// Its name.
    pub name: ConventionName,
    /// Revision that was last told.
    pub revision: i64,
    /// Both parties have signed and the actions are under way: records may be pushed.
    pub in_force: bool,
    /// What was agreed.
    pub terms: Terms,
}

/// What was agreed, as far as figures are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Both parties have signed, at some time.
    pub signed: bool,
    /// Budget year.
    pub budget_year: i16,
    /// What is due in all.
    pub due: Money,
    /// Persons to spot, persons to support, rights to open; 0: no target.
    pub targets: [i32; 3],
}
