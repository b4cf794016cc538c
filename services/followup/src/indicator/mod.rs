//! Indicators: counts and sums over the follow-up, never persons.

pub mod domain;
pub mod rollup;
pub mod rpc;
pub mod store;
