//! Budgets: planned and realised, and the deviations to decide on (art. 8).

pub mod domain;
pub mod financial;
pub mod lines;
pub mod rpc;
pub mod store;
pub mod wire;
