//! Erasing persons: what was kept of them goes, in backups too once their key is gone; what was counted stays.

pub mod command;
pub mod domain;
mod erase;
mod journal;
pub mod removal;
pub mod replay;
mod residue;
pub mod rpc;
pub mod store;
pub mod tombstone;
mod wire;

pub use erase::{Person, erase, lock};
