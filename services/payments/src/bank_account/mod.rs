//! Bank accounts of operators: entered by one person, approved by another.

mod details;
mod domain;
mod refusal;
pub mod rpc;
pub mod store;
pub mod wire;

pub use details::Details;
pub use domain::{BankAccount, Standing, State};
pub use refusal::Refusal;
