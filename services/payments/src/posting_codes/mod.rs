//! Under which codes a programme orders its payments: configuration, every version of it kept.

mod domain;
pub mod rpc;
pub mod store;

pub use domain::{BudgetCodes, PayeeCategory, PayeeCodes, PostingCodes};
