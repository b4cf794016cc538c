//! Flows: written, held against the rules, and read back.
#![allow(clippy::unwrap_used)]

mod aller;
mod fixtures;
mod fuzz;
mod returns;
