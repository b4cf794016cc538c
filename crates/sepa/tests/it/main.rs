//! Bank files against the schemas of ISO 20022, and against whatever else may come.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fuzz;
mod reader;
mod transfer;
mod xsd;
