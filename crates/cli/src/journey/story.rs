//! The days on which the journey takes place.

use nonrecours_kernel::{Clock, ManualClock};
use time::{Duration, OffsetDateTime, macros::datetime};

use super::Step;

/// What each reading takes: changes made one after the other have times one after the other.
const READING: Duration = Duration::milliseconds(250);

/// A clock that the journey turns to the days of 2025, and that goes on a little with each reading.
#[derive(Clone)]
pub struct StoryClock(ManualClock);

impl Default for StoryClock {
    fn default() -> Self {
        Self(ManualClock::at(day(Step::OpenProgramme)))
    }
}

impl Clock for StoryClock {
    fn now(&self) -> OffsetDateTime {
        self.0.advance(READING);
        self.0.now()
    }
}

impl StoryClock {
    /// Turns to the day of a step, or stays when the story is beyond it already.
    pub fn turn_to(&self, step: Step) {
        let day = day(step);
        if self.0.now() < day {
            self.0.set(day);
        }
    }
}

/// The document's day where it gives one, a plausible one otherwise.
fn day(step: Step) -> OffsetDateTime {
    match step {
        Step::OpenProgramme | Step::RegisterOperator => datetime!(2025-09-26 09:00 +2),
        Step::DraftConvention | Step::SignDraft => datetime!(2025-09-26 10:30 +2),
        Step::RecordActs | Step::SignUnpublished => datetime!(2025-10-06 14:00 +2),
        Step::Sign | Step::OpenPlan | Step::CallBalanceTooEarly => datetime!(2025-10-08 11:00 +2),
        Step::CallAdvance => datetime!(2025-10-09 09:15 +2),
        Step::CertifyAdvance => datetime!(2025-10-13 10:00 +2),
        Step::OrderAdvance => datetime!(2025-10-15 16:00 +2),
        Step::PayAdvance => datetime!(2025-10-20 08:30 +2),
        Step::PushOutsideForce | Step::PushRecords | Step::PushAgain | Step::PushBadRecords => {
            datetime!(2025-12-15 18:00 +1)
        }
        Step::Report => datetime!(2025-12-18 09:00 +1),
        Step::CompleteActions => datetime!(2025-12-22 10:00 +1),
        Step::PayBalance | Step::Settle => datetime!(2025-12-23 09:00 +1),
    }
}
