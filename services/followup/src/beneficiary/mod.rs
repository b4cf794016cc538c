//! Persons who are followed, without their identity.

pub mod domain;
pub mod rpc;
pub mod store;
