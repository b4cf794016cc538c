//! Receivables on the State: what it owes by its agreements, and what of it has come.

mod domain;
mod refusal;
pub(crate) mod rpc;
pub(crate) mod store;
mod verify;
mod wire;

pub use domain::{
    Claim, Command, Entry, Evidence, Learned, Part, Receipt, ReceiptKind, StateReceivable, Terms,
};
pub use refusal::Refusal;
