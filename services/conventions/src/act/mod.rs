//! Authorising acts: what empowers each party to sign.

pub mod domain;
pub mod rpc;
pub mod store;
mod wire;
