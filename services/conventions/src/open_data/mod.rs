//! Open data: the grants as the law wants them published, and when they were.

pub mod domain;
pub mod rpc;
pub mod store;
