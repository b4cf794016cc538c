//! Records pushed in bulk by operators' software.

pub mod batch;
pub mod ground;
mod group;
mod intake;
pub mod kind;
pub mod known;
pub mod mark;
pub mod plan;
mod queue;
pub mod read;
pub mod results;
pub mod rpc;
pub mod turn;
