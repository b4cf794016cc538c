//! Conventions: the grant agreements, from draft to settled.

pub mod domain;
pub mod measures;
pub mod party;
mod row;
pub mod rpc;
pub mod signing;
pub mod store;
pub mod terms;
mod territory;
pub mod wire;
