//! Commitments: the operator's duties under a convention in force, one by one.

pub mod domain;
pub mod rpc;
pub mod store;
