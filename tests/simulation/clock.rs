//! The clock of a simulation: the days of the story, and moves that nobody expects.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use nonrecours_cli::journey::StoryClock;
use nonrecours_kernel::Clock;
use time::{Duration, OffsetDateTime};

/// The story's clock, put forward or back. Clones share the same hands.
#[derive(Clone, Default)]
pub struct MovedClock {
    pub story: StoryClock,
    seconds: Arc<AtomicI64>,
}

impl Clock for MovedClock {
    fn now(&self) -> OffsetDateTime {
        self.story.now() + Duration::seconds(self.seconds.load(Ordering::SeqCst))
    }
}

impl MovedClock {
    /// Puts it forward, or back, as a machine whose clock is corrected does.
    pub fn shift(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}
