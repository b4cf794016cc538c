//! The agenda: what is due, when, and by which rule.

pub mod domain;
pub mod rpc;
pub mod store;
