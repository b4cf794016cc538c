//! Duplicates: two records that an operator has of one person become one, and two again when it was wrong.

pub mod alias;
pub mod domain;
mod moving;
pub mod rpc;
pub mod store;
