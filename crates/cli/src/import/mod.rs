//! Import of workbooks and CSV files, for operators without software: what an agent writes down in a spreadsheet becomes the
//! records of a push. Which column is which field is data ([`layout`]); what the fields are is said by the contract
//! ([`field`]).

mod args;
pub mod cell;
pub mod convert;
pub mod field;
pub mod layout;
pub mod list;
mod outcome;
pub mod report;
pub mod rows;
mod run;
mod send;
pub mod template;

pub use args::{ImportArgs, command};
pub use outcome::{Outcome, Tally};
pub use run::{Import, run};
