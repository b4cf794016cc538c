//! Versions of a convention: what came into force when, and what each changed.

pub mod difference;
pub mod rpc;
pub mod store;
pub mod wire;
