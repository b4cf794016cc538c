//! The whole service in process, over gRPC, on a real PostgreSQL; `conventions` is played by a scripted feed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod amendments;
mod budget_year;
mod explanation;
mod follow;
mod instalment;
mod interim;
mod isolation;
mod ledger_entry;
mod measures;
mod migrations;
mod payment_difference;
mod payment_plan;
mod posting_codes;
mod race;
mod recovery;
mod recovery_ending;
mod recovery_schema;
mod refusals;
mod return_file;
mod schema;
mod slip;
mod slip_schema;
mod treasury;
mod verification;
mod world;
