//! Records pushed in bulk by operators' software.

pub mod batch;
pub mod kind;
pub mod known;
pub mod plan;
pub mod read;
pub mod rpc;
