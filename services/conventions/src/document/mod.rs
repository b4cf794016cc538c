//! Documents: what the suite writes for people, from what is recorded.

mod data;
mod domain;
mod engine;
pub mod rpc;
mod store;
