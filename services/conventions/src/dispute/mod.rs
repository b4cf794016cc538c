//! Disputes (litiges, art. 9).

pub mod domain;
pub mod rpc;
pub mod store;
