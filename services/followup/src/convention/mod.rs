//! What this service knows of conventions, as `conventions` last told it.

pub mod store;

use nonrecours_kernel::ConventionName;

/// A convention as far as follow-up is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// Its name.
    pub name: ConventionName,
    /// Revision that was last told.
    pub revision: i64,
    /// Both parties have signed and the actions are under way: records may be pushed.
    pub in_force: bool,
}
