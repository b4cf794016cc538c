//! Explanations: what each instalment waits for, and what happened to it.

pub(crate) mod rpc;
mod store;
mod wire;
