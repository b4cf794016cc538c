//! Formal notices (mises en demeure, art. 7): a delay, fifteen days unless the programme says otherwise, from the day
//! the letter is sent.

use nonrecours_kernel::FormalNoticeName;
use time::{Date, Duration, OffsetDateTime};

use crate::{
    convention::{measures::Ground, party::Party},
    refusal::{Refusal, within},
};

/// A formal notice as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormalNotice {
    /// Resource name.
    pub name: FormalNoticeName,
    /// Party that gives notice.
    pub party: Party,
    /// Ground.
    pub ground: Ground,
    /// Motives, as the letter words them.
    pub motives: String,
    /// Number of the registered letter.
    pub letter: String,
    /// Day on which it was sent.
    pub sent: Date,
    /// Days that the other party has, counted from the day after (art. 7): those of the programme at that time.
    pub notice_days: i16,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of a formal notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The delay runs, or has run out.
    Sent,
    /// The breach has ended on that day.
    Remedied(Date),
    /// Taken back on that day.
    Withdrawn(Date),
    /// The convention was terminated on that day.
    Effective(Date),
}

impl State {
    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Remedied(_) => "REMEDIED",
            Self::Withdrawn(_) => "WITHDRAWN",
            Self::Effective(_) => "EFFECTIVE",
        }
    }

    /// Day on which it left SENT.
    pub const fn closed(self) -> Option<Date> {
        match self {
            Self::Sent => None,
            Self::Remedied(day) | Self::Withdrawn(day) | Self::Effective(day) => Some(day),
        }
    }
}

/// Last day of a delay of so many days, counted from the day after the sending.
pub fn deadline(sent: Date, notice_days: i16) -> Date {
    sent.saturating_add(Duration::days(i64::from(notice_days)))
}

impl FormalNotice {
    /// Last day of the delay. Days are those of the calendar in Paris: a change of the clocks makes none longer.
    pub fn deadline(&self) -> Date {
        deadline(self.sent, self.notice_days)
    }

    /// First day on which the convention can be terminated.
    pub fn applicable(&self) -> Date {
        self.deadline().saturating_add(Duration::DAY)
    }

    /// SENT -> REMEDIED.
    pub fn remedy(self, day: Date, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.pending()?;
        within(self.sent, today, day)?;
        Ok(self.reach(State::Remedied(day), now))
    }

    /// SENT -> WITHDRAWN.
    pub fn withdraw(self, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.pending()?;
        Ok(self.reach(State::Withdrawn(today), now))
    }

    /// SENT -> EFFECTIVE, once the delay has run out.
    pub fn apply(self, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.pending()?;
        if today < self.applicable() {
            let deadline = self.deadline();
            return Err(Refusal::NoticeDelayRunning { deadline });
        }
        Ok(self.reach(State::Effective(today), now))
    }

    fn pending(&self) -> Result<(), Refusal> {
        match self.state {
            State::Sent => Ok(()),
            State::Remedied(_) | State::Withdrawn(_) | State::Effective(_) => {
                Err(Refusal::NoticeNotPending)
            }
        }
    }

    fn reach(self, state: State, now: OffsetDateTime) -> Self {
        Self {
            state,
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{paris_date, paris_midnight};
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);

    fn notice(sent: Date) -> FormalNotice {
        let id = "0198b2e6-c000-7abc-8def-0123456789ab";
        FormalNotice {
            name: format!("operators/{id}/conventions/{id}/formalNotices/{id}")
                .parse()
                .unwrap(),
            party: Party::Authority,
            ground: Ground::Breach,
            motives: "Aucune permanence tenue.".into(),
            letter: "1A 234 567 8901 2".into(),
            sent,
            notice_days: 15,
            state: State::Sent,
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    #[test]
    fn the_delay_runs_in_days_of_the_calendar_in_paris() {
        for (sent, deadline) in [
            // The clocks go back on 26 October and forward on 29 March.
            (date!(2025 - 10 - 15), date!(2025 - 10 - 30)),
            (date!(2026 - 03 - 20), date!(2026 - 04 - 04)),
            // Through 29 February, and through the same days of a year without one.
            (date!(2024 - 02 - 20), date!(2024 - 03 - 06)),
            (date!(2025 - 02 - 20), date!(2025 - 03 - 07)),
            (date!(2024 - 02 - 29), date!(2024 - 03 - 15)),
            (date!(2025 - 12 - 24), date!(2026 - 01 - 08)),
        ] {
            let notice = notice(sent);
            assert_eq!(notice.deadline(), deadline);
            let midnight = paris_midnight(notice.applicable());
            let eve = midnight - Duration::SECOND;
            assert_eq!(
                notice.clone().apply(paris_date(eve), eve),
                Err(Refusal::NoticeDelayRunning { deadline })
            );
            let applied = notice.apply(paris_date(midnight), midnight).unwrap();
            assert_eq!(applied.state, State::Effective(deadline + Duration::DAY));
        }
    }

    #[test]
    fn the_sentence_names_the_last_day() {
        let refusal = notice(date!(2025 - 10 - 15)).apply(date!(2025 - 10 - 30), NOW);
        let french = refusal.unwrap_err().text().fr;
        assert!(french.contains("30/10/2025 inclus"), "{french}");
    }

    proptest! {
        /// Whatever is tried in whatever order: a notice leaves SENT once, and never becomes effective too early.
        #[test]
        fn a_notice_leaves_its_first_state_once(steps in prop::collection::vec((0..3_u8, 0..40_i64), 0..12)) {
            let sent = date!(2025 - 10 - 15);
            let mut notice = notice(sent);
            for (step, days) in steps {
                let before = notice.clone();
                let today = sent + Duration::days(days);
                let outcome = match step {
                    0 => notice.clone().remedy(today, today, NOW),
                    1 => notice.clone().withdraw(today, NOW),
                    _ => notice.clone().apply(today, NOW),
                };
                if let Ok(after) = outcome {
                    prop_assert_eq!(before.state, State::Sent);
                    prop_assert_eq!(after.state.closed(), Some(today));
                    prop_assert_eq!(after.revision, before.revision + 1);
                    if let State::Effective(day) = after.state {
                        prop_assert!(day - sent > Duration::days(15));
                    }
                    notice = after;
                } else if before.state == State::Sent {
                    prop_assert!(step == 2 && days <= 15);
                }
            }
        }
    }
}
