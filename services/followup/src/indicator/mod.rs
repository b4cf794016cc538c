//! Indicators: counts and sums over the follow-up, never persons.

mod arrivals;
mod cache;
pub mod domain;
pub mod measure;
mod query;
pub mod release;
pub mod rollup;
pub mod rpc;
pub mod store;
pub mod sums;
pub mod table;
mod table_store;
mod targets;
pub mod thresholds;
