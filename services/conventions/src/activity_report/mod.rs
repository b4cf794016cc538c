//! Activity reports: what was done and spent.

mod annex;
pub mod domain;
mod figures;
pub mod rpc;
pub mod store;
mod version;
mod wire;
