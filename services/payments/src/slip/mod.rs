//! Slips of payment orders (bordereaux de mandats): numbered without gaps, rendered as a file, followed at the accountant's or
//! the bank's.

mod address;
pub(crate) mod blocker;
mod domain;
pub(crate) mod file;
mod issue;
pub mod orders;
pub mod rpc;
pub mod store;
mod wire;

pub use domain::{Kind, Order, Payer, Reason, Slip, Stage};
pub use issue::{
    Candidate, Issued, NotIssued, Posting, Register, Terms, ThirdParty, issue, posting,
};
