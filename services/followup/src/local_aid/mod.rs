//! Local extra-legal aids: rights beside the catalogue, each operator's own.

pub mod domain;
pub mod rpc;
pub mod store;
