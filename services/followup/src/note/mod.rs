//! What agents write down of persons, sealed.

pub mod domain;
pub mod incoming;
pub mod rpc;
pub mod store;
