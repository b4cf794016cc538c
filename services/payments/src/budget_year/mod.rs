//! Budget years (exercices): what must be ordered by 31 January, and what is carried over.

mod domain;
pub mod rpc;
mod store;
mod wire;

pub use domain::{BudgetYearView, Closing, Pending};
