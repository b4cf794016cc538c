//! Attachments (pièces jointes): files taken in under a convention.

pub mod domain;
mod file_name;
pub mod media;
pub mod rpc;
pub mod store;
mod subject;
mod upload;
mod wire;
mod zip;
