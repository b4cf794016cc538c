//! Outreach sessions.

pub mod domain;
pub mod rpc;
pub mod store;
