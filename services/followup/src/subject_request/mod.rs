//! What persons ask of their own data (RGPD art. 15 to 21), and what is done about it.

pub mod domain;
pub mod export;
pub mod limit;
pub mod rpc;
pub mod store;
pub mod sweep;
pub mod wire;
