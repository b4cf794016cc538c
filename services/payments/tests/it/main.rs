//! The whole service in process, over gRPC, on a real PostgreSQL; `conventions` is played by a scripted feed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod amendments;
mod bank;
mod bank_account;
mod bank_transfer;
mod budget_year;
mod cash_position;
mod correction_schema;
mod correction_slip;
mod doctor;
mod documents;
mod explanation;
mod files_only;
mod follow;
mod instalment;
mod interim;
mod isolation;
mod ledger_entry;
mod ledger_export;
mod measures;
mod migrations;
mod papers;
mod partial_return;
mod payment_difference;
mod payment_plan;
mod posting_codes;
mod race;
mod recovery;
mod recovery_ending;
mod recovery_schema;
mod redirection;
mod refusals;
mod return_file;
mod schema;
mod slip;
mod slip_schema;
mod state_receivable;
mod statements;
mod treasury;
mod verification;
mod world;
// The reader of schemas of the crate that writes the files.
#[path = "../../../../crates/sepa/tests/it/xsd.rs"]
mod xsd;
