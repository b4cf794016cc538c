//! The `nonrecours` command: the whole suite in one process, the journey of one convention, and everyday questions.

pub mod ask;
pub mod attachments;
pub mod check;
pub mod client;
pub mod collected;
pub mod collector;
pub mod demo;
pub mod doctor;
pub mod documents;
pub mod everyday;
pub mod example;
pub mod export;
pub mod import;
pub mod issuer;
pub mod journey;
pub mod mapping;
pub mod payments;
pub mod play;
pub mod print;
pub mod programme;
pub mod state;
pub mod suite;
pub mod trace_tree;
pub mod treasury;
pub mod up;
