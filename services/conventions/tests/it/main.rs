//! The whole service in process, over gRPC, on a real PostgreSQL; `payments` and `followup` are played by the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod act;
mod activity_report;
mod agenda;
mod completion;
mod convention;
mod decision;
mod dispute;
mod ending;
mod follow;
mod followup;
mod formal_notice;
mod framework_convention;
mod history;
mod isolation;
mod migration_acts;
mod migration_ending;
mod migration_programme;
mod open_data;
mod operator;
mod programme;
mod programme_report;
mod race;
mod renewal;
mod requests;
mod schema;
mod signing;
mod split;
mod state_funding;
mod transmission;
mod votes;
mod world;
