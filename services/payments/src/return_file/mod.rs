//! Files from the accountant: what they say of the orders, and what becomes of these.

mod domain;
mod hearing;
#[cfg(test)]
mod hearings;
mod reading;
pub mod rpc;
pub mod store;
mod upload;

pub use domain::ReturnFile;
pub use hearing::{Divergence, Heard, hear};
pub use reading::{Known, KnownOrder, OrderKey, Paid, Reading, Statement, read};
