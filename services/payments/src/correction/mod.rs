//! Corrections of orders that the accountant has taken in charge (mandats d'annulation ou de réduction): issued on slips of
//! their own, effective once they are taken in charge too.

mod blocker;
mod domain;
mod effect;
mod file;
mod hearing;
mod issue;
pub mod rpc;
pub mod store;

pub use domain::{Acceptance, Correction, CorrectionKey};
pub use effect::take_in_charge;
pub use hearing::hear;
pub use issue::{Asked, Candidate, Previous, issue};
