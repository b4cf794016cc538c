//! Conventions: the grant agreements, from draft to settled.

mod amending;
pub mod domain;
pub mod measures;
pub mod party;
pub(crate) mod row;
pub mod rpc;
pub mod signing;
mod state;
pub mod store;
pub mod targets;
pub mod terms;
pub mod terms_wire;
mod territory;
pub mod wire;

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
mod life_tests;
