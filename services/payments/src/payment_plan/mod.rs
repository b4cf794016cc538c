//! Payment plans: how the grant of a convention in force is paid.

mod agreement;
mod charge;
mod domain;
#[cfg(test)]
mod learning;
mod recovered;
pub(crate) mod rpc;
pub(crate) mod statement;
pub(crate) mod store;

pub use agreement::{Agreement, Measures, Mismatch};
pub use charge::Charge;
pub use domain::{Cause, Learned, Payee, PaymentPlan, State};
pub use recovered::{Period, Recovered};
