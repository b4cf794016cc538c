//! What the State gives the programme itself.

pub mod domain;
pub mod rpc;
pub mod store;
