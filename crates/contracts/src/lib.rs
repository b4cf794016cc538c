//! The contracts of the suite as Rust: messages, clients, servers and the descriptor set, all generated from `proto/`.
#![allow(
    missing_docs,
    clippy::all,
    reason = "generated; the documentation is in proto/"
)]

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));

pub use google::rpc as status;
pub use nonrecours::{
    common::v1 as common, conventions::v1 as conventions, feed::v1 as feed,
    followup::v1 as followup, payments::v1 as payments,
};

/// Descriptors of every file, custom options included: for reflection, access rules and field rules.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// A request that changes something: it carries a `request_id`, so that sending it again gives the same answer.
pub trait Mutation: prost::Message + prost::Name {
    /// UUID of the request, chosen by the client.
    fn request_id(&self) -> &str;
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));
