//! Files from the accountant or the bank: what they say of the orders, and what becomes of these.

mod accountant;
mod bank;
mod domain;
mod hearing;
#[cfg(test)]
mod hearings;
mod reading;
pub mod rpc;
pub mod store;
mod taking;
mod upload;
pub mod wire;

pub use domain::{FileKind, ReturnFile};
pub use hearing::{Divergence, Heard, hear};
pub use reading::{
    About, Known, KnownOrder, Named, OrderKey, Paid, Reading, Returned, Statement, Stranger,
    Target, read,
};
