//! PostgreSQL mechanics shared by the three services.
//!
//! Whatever must never be forgotten hangs on the one object every write already needs, the transaction [`Tx`]: who is
//! calling, the clock's reading, the answers already given, the outbox and the trace context. No scope, no transaction.

mod cursor;
mod db;
mod error;
mod examine;
mod feed_cursor;
mod lead;
mod measure;
mod migrate;
mod outbox;
mod replay;
mod rows;
mod security;
mod tx;

pub use cursor::Cursor;
pub use db::{DEFAULT_MAX_CONNECTIONS, Db, DbOptions};
pub use error::Error;
pub use examine::Examined;
pub use lead::Candidate;
pub use measure::Measures;
pub use migrate::{COMMON, MigrateError, migrate};
pub use outbox::{Change, Entry, Event, Recorded};
pub use replay::REPLAY_RETENTION;
pub use rows::All;
pub use security::{Link, NotALink, Verified};
pub use tx::{Touched, Tx, Witness};
