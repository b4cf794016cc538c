//! What tests stand on: a real PostgreSQL, a clock that is set by hand, tokens of every role, a service run in
//! process over real gRPC, a scripted feed in the place of another service, and a way between programs that is cut or slowed.
//!
//! A development dependency only. It panics where a test would: there is nothing to recover.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

pub mod bench;
mod database;
mod feed;
mod proxy;
pub mod raw;
mod serving;
mod tokens;

pub use database::TestDb;
pub use feed::ScriptedFeed;
pub use nonrecours_kernel::ManualClock;
pub use proxy::{Link, Moment, Proxy};
pub use serving::Serving;
pub use tokens::{AUDIENCE, ISSUER, Tokens, anonymous};

use nonrecours_kernel::IdSource;
use std::sync::Arc;
use time::{OffsetDateTime, macros::datetime};

/// When tests begin unless they say otherwise: the day after the commune's act was transmitted.
pub const START: OffsetDateTime = datetime!(2025-10-07 09:00 +2);

/// A clock set to [`START`].
pub fn clock() -> ManualClock {
    ManualClock::at(START)
}

/// Ids that are the same in every run.
pub fn ids(clock: &ManualClock, seed: u64) -> IdSource {
    IdSource::seeded(Arc::new(clock.clone()), seed)
}

/// A new request id.
pub fn request_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    uuid::Uuid::from_u64_pair(
        0x0198_0000_0000_7000,
        NEXT.fetch_add(1, Ordering::Relaxed) | 1 << 63,
    )
    .to_string()
}
