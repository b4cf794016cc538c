//! Activity reports: what was done and spent.

pub mod domain;
pub mod rpc;
pub mod store;
mod wire;
