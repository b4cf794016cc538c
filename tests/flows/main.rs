//! Journeys over the three services: all in one process with a clock of 2025, and as processes, several of each, that are killed
//! and cut off from each other and from their database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod books;
mod collector;
mod commands;
mod confidential;
mod crowd;
mod documents;
mod doubles;
mod exports;
mod faults;
mod files;
mod imports;
mod instances;
mod journey;
mod killed;
mod money_commands;
mod processes;
mod programs;
mod restore;
mod returned;
mod scan;
mod undisturbed;
mod upgrade;

/// What the journey's requests carry and neither a log nor a span may: accounts, records' references, names, tokens.
pub const PRIVATE: [&str; 8] = [
    "FR90",
    "3000100152",
    "DAI-0",
    "DRT-0",
    "Rossignol",
    "ROSSIGNOL",
    "Bearer",
    "eyJ",
];
