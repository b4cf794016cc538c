//! Through whom a programme pays, and under which codes or from which account: configuration, every version of it kept.

mod domain;
pub mod rpc;
pub mod store;

pub use domain::{BudgetCodes, Channel, PayeeCategory, PayeeCodes, PostingCodes};
