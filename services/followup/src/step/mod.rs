//! Acts of support.

pub mod domain;
pub mod rpc;
pub mod store;
