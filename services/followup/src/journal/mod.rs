//! The journal of accesses: who has read or written which records of persons, when and why; never who the persons are.
//! What a transaction tells or changes is entered as it commits; sealed entries form a chain that shows any later
//! alteration; they are kept as long as the setting says (ADR 0018).

pub mod chain;
pub mod command;
pub mod keep;
pub mod rpc;
pub mod store;
pub mod verify;
mod witness;

pub use witness::witness;
