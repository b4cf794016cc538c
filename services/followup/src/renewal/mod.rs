//! The watch over renewals: alerts, raised as dates come up and settled by what is pushed.

pub mod domain;
pub mod rpc;
pub mod store;
pub mod sweep;
