//! The rules that every contract of the suite keeps, read from the descriptors, and what the code must do with them.
//!
//! Each test lists everything that breaks its rule at once. An exception is written here with its reason; one that no
//! longer exempts anything is a failure too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access;
mod changes;
mod contract;
mod dependencies;
mod messages;
mod methods;
mod reasons;
mod resources;
mod settings;
mod sources;
mod telemetry;
