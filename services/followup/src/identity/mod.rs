//! Who the persons are: apart from what is followed of them, sealed, for their operator alone.

pub mod domain;
pub mod incoming;
pub mod rotation;
pub mod rpc;
pub mod store;
