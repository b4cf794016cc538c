//! The books: every sum shown is derived from them.

mod domain;
pub(crate) mod rpc;
pub(crate) mod store;
pub(crate) mod verify;

pub use domain::{Account, LedgerEntry, Movement, Subject};
