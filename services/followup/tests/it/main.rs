//! The whole service in process, over real gRPC on loopback, on a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on fails its test"
)]

mod access;
mod calls;
mod chain;
mod doctor;
mod entitlements;
mod erasure;
mod faults;
mod follow;
mod identity;
mod indicators;
mod isolation;
mod journal;
mod limited;
mod limits;
mod limits_scene;
mod local_aids;
mod merges;
mod migration;
mod model;
mod modes;
mod notes;
mod plans;
mod push;
mod races;
mod reads;
mod referrals;
mod renewals;
mod resume;
mod retention;
mod retired;
mod rollup;
mod shared;
mod steps;
mod stream;
mod subject_requests;
mod support;
mod tables;
mod targets;
mod thresholds;
mod together;
