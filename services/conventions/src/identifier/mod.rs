//! Identifiers: validators for integrators.

mod rpc;

pub use rpc::Identifiers;
