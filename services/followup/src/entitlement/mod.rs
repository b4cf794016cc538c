//! Rights followed for persons, from spotted to opened.

pub mod domain;
pub mod rpc;
pub mod store;
