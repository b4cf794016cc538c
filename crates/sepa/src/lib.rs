//! Bank files of a funder that pays by itself (ISO 20022): credit transfers out (`pain.001.001.09`), what the bank says of them
//! back (`pain.002`, `camt.053`, `camt.054`).
//!
//! A public accountant pays from other files: see `nonrecours-pes`.

mod fault;
mod latin;
mod reader;
mod scanner;
mod transfer;

pub use fault::{Fault, Problem};
pub use latin::latin;
pub use reader::{Direction, Entry, FileKind, Item, MAX_ITEMS, Reader, Reason, Status, StatusOf};
pub use scanner::{MAX_DEPTH, MAX_TEXT, MAX_TOKEN};
pub use transfer::{Account, MAX_TRANSFERS, Order, Transfer, end_to_end_id, write};
