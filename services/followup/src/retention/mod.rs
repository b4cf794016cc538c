//! Retention: records are kept for a time after the last contact, then their persons are erased.

mod apply;
pub mod domain;
pub mod rpc;
pub mod store;
pub mod sweep;
mod wire;
