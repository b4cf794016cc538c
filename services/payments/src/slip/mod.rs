//! Slips of payment orders (bordereaux de mandats): numbered without gaps, rendered as a file, followed at the accountant's or
//! the bank's.

mod address;
mod blocker;
mod domain;
mod file;
mod issue;
pub mod orders;
pub mod rpc;
pub mod store;
mod wire;

pub use domain::{Order, Payer, Reason, Slip, Stage};
pub use issue::{Candidate, Issued, NotIssued, Register, Terms, ThirdParty, issue};
