//! What the accountant or the bank states otherwise than it was ordered, until somebody settles it.

mod domain;
pub mod rpc;
mod settling;
pub mod store;

pub use domain::{Cause, Outcome, PaymentDifference, Settlement, Subject};
