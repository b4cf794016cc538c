//! The whole service in process, over gRPC, on a real PostgreSQL; `payments` and `followup` are played by the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod act;
mod activity_report;
mod budget;
mod commitment;
mod completion;
mod convention;
mod follow;
mod followup;
mod framework_convention;
mod identifier;
mod isolation;
mod migration;
mod operator;
mod operator_duty;
mod programme;
mod race;
mod requests;
mod schema;
mod signing;
mod world;
