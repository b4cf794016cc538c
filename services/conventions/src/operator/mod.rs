//! Operators: the bodies that are funded.

pub mod domain;
pub mod rpc;
pub mod store;
