//! Hearings (auditions, art. 8).

pub mod domain;
pub mod rpc;
pub mod store;
