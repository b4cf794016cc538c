//! Amendments: how the terms of a signed convention change.

pub mod domain;
pub mod rpc;
pub mod store;
mod wire;
