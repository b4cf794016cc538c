//! Framework conventions: what the council voted, under which every convention hangs.

pub mod domain;
pub mod rpc;
pub mod store;
