//! Payment plans: how the grant of a convention in force is paid.

mod domain;
pub(crate) mod rpc;
pub(crate) mod store;

pub use domain::{Agreement, Learned, Mismatch, Payee, PaymentPlan, State};
