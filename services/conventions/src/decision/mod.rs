//! Decisions of the authority (art. 8).

pub mod domain;
pub mod rpc;
pub mod store;
