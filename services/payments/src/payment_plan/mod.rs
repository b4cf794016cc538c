//! Payment plans: how the grant of a convention in force is paid.

mod domain;
pub(crate) mod rpc;
pub(crate) mod store;

pub use domain::{Agreement, Learned, Measures, Mismatch, Payee, PaymentPlan, State};
