//! Where the time comes from.

use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime, UtcOffset};

/// The present instant, passed to whatever needs it.
///
/// Instants are in UTC and cut to the microsecond, which is what PostgreSQL stores: an instant
/// read back from the database equals the one that was written.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> OffsetDateTime;
}

/// The clock of the machine: the one place where the wall clock is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the wall clock is read"
    )]
    fn now(&self) -> OffsetDateTime {
        to_microsecond(OffsetDateTime::now_utc())
    }
}

/// A clock that moves only when told to. Clones share the same hands.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<Mutex<OffsetDateTime>>,
}

impl ManualClock {
    /// A clock stopped at this instant.
    pub fn at(instant: OffsetDateTime) -> Self {
        Self {
            now: Arc::new(Mutex::new(to_microsecond(instant))),
        }
    }

    /// Puts the clock at this instant, which may be earlier than the present one: the only way
    /// to make time go back, as a machine whose clock is corrected does.
    pub fn set(&self, instant: OffsetDateTime) {
        *self.hands() = to_microsecond(instant);
    }

    /// Moves the clock forward by a duration of `time` or of the standard library.
    ///
    /// # Panics
    /// When the duration is negative: going back is asked for with [`ManualClock::set`].
    pub fn advance<D>(&self, by: D)
    where
        OffsetDateTime: Add<D, Output = OffsetDateTime>,
    {
        let mut hands = self.hands();
        let later = to_microsecond(*hands + by);
        assert!(later >= *hands, "a clock advances; `set` puts it back");
        *hands = later;
    }

    fn hands(&self) -> MutexGuard<'_, OffsetDateTime> {
        // An instant is written whole or not at all: a panic elsewhere cannot have spoilt it.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.hands()
    }
}

fn to_microsecond(instant: OffsetDateTime) -> OffsetDateTime {
    let excess = Duration::nanoseconds(i64::from(instant.nanosecond() % 1_000));
    (instant - excess).to_offset(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_system_clock_gives_whole_microseconds_in_utc() {
        let now = SystemClock.now();
        assert_eq!(now.nanosecond() % 1_000, 0);
        assert_eq!(now.offset(), UtcOffset::UTC);
        assert!(now > datetime!(2025-09-25 0:00 UTC));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_its_clones_with_it() {
        let clock = ManualClock::at(datetime!(2025-10-06 10:00:00.123456789 +2));
        let twin = clock.clone();
        assert_eq!(clock.now(), datetime!(2025-10-06 08:00:00.123456 UTC));
        assert_eq!(clock.now().offset(), UtcOffset::UTC);
        twin.advance(Duration::days(15));
        assert_eq!(clock.now(), datetime!(2025-10-21 08:00:00.123456 UTC));
        clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(twin.now(), datetime!(2025-10-21 08:00:01.123456 UTC));
        twin.set(datetime!(2025-10-06 0:00 UTC));
        assert_eq!(clock.now(), datetime!(2025-10-06 0:00 UTC));
    }

    #[test]
    #[should_panic(expected = "a clock advances")]
    fn a_manual_clock_does_not_go_back_in_silence() {
        ManualClock::at(datetime!(2025-10-06 0:00 UTC)).advance(Duration::seconds(-1));
    }
}
