//! gRPC mechanics shared by the three services: serving, layers, authentication, telemetry, and the way between
//! protobuf and the domain's values.
//!
//! A handler reads: [`open`] the request, parse what authorization needs, [`Caller::reach`](nonrecours_kernel::Caller),
//! [`Check`] the rest, act, answer. Refusals are [`Failure`]s, which become rich gRPC statuses in one place.

mod accept;
pub mod audit;
pub mod auth;
pub mod check;
pub mod client;
mod connections;
pub mod convert;
pub mod details;
pub mod etag;
pub mod failure;
pub mod layers;
pub mod page;
mod reread;
pub mod rules;
pub mod server;
pub mod telemetry;
pub mod tls;

pub use check::{Check, field, open};
pub use failure::Failure;
pub use page::Page;
pub use server::{Server, ServerConfig};
