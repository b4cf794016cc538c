//! Formal notices (mises en demeure, art. 7).

pub mod domain;
pub mod rpc;
pub mod store;
