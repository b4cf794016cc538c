//! Recoveries (titres de recette): what an operator has to give back, claimed, and what becomes of the claim.

mod domain;
mod issue;
mod refusal;
pub mod rpc;
pub(crate) mod stepping;
pub mod store;
mod wire;

pub use domain::{Act, ActKind, Breach, Cause, Command, Notification, PaidOn, Recovery, State};
pub use issue::{Asked, Header, issue};
pub use refusal::Refusal;
pub use rpc::positive;
