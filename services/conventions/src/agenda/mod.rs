//! The agenda: what is due, when, and by which rule.

pub mod domain;
mod ending;
mod facts;
mod kind;
pub mod rpc;
pub mod store;
