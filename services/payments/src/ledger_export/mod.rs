//! The books as a file for an accountant's tools: the columns of the fichier des écritures comptables, as CSV.

mod chart;
mod line;
pub mod rpc;
mod store;

pub use chart::{Chart, ChartError, DEFAULT};
pub use line::{Exported, HEADER, Party, write};
