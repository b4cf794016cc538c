//! Legal holds: who may not be erased for now, and why.

pub mod domain;
pub mod rpc;
pub mod store;
