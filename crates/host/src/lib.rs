//! What the three services share as running programs: their common settings, their start, their background work, and
//! their end.

mod config;
pub mod doctor;
mod gauges;
mod health;
mod host;
mod program;
mod security;

pub use config::{DatabaseConfig, HostConfig, HostSettings};
pub use gauges::Gauge;
pub use host::{Environment, Host, StartError};
pub use program::{Program, run};

/// Measured on the bench of follow-up: a push makes and drops many small values, on every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
