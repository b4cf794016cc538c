//! The roll-up of a programme's operators: the territory's own report.

pub mod domain;
pub mod rpc;
pub mod store;
