//! Referrals: a person goes on to another operator or to a partner, with their consent.

pub mod domain;
pub mod received;
pub mod rpc;
pub mod store;
mod wire;
