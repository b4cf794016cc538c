//! The whole service in process, over real gRPC on loopback, on a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on fails its test"
)]

mod faults;
mod follow;
mod indicators;
mod isolation;
mod model;
mod push;
mod races;
mod reads;
mod renewals;
mod rollup;
mod stream;
mod support;
mod tables;
