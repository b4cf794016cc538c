//! Bank files of a funder that pays by itself (ISO 20022): credit transfers out (`pain.001.001.09`), what the bank says of them
//! back (`pain.002`, `camt.053`, `camt.054`).
//!
//! A public accountant pays from other files: see `nonrecours-pes`.

mod latin;
mod reader;
mod reason;
mod transfer;

pub use latin::latin;
pub use reader::{Direction, Entry, FileKind, Item, Reader, Reason, Status, StatusOf};
pub use reason::meaning;
pub use transfer::{Account, MAX_TRANSFERS, Order, Transfer, Written, end_to_end_id, write};
