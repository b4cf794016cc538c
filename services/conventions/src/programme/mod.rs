//! Programmes: one territory's experiment each, with its envelopes.

pub mod domain;
pub mod rpc;
pub mod store;
pub mod territory;
pub mod wire;
