//! What a programme has, what it is owed, and what it is bound to pay.

mod domain;
pub mod rpc;
mod store;

pub use domain::{CashPosition, Ordered};
