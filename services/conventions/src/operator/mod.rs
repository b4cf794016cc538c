//! Operators: the bodies that are funded.

pub mod domain;
pub mod duty;
pub mod rpc;
pub mod store;
mod wire;
