//! Records pushed in bulk by operators' software.

pub mod batch;
mod intake;
pub mod kind;
pub mod known;
pub mod plan;
pub mod read;
pub mod rpc;
