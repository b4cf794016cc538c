//! Hearings (auditions, art. 8): nothing is decided before the operator was heard, or refused to attend.

use nonrecours_kernel::{HearingName, InspectionId};
use time::{Date, OffsetDateTime};

use crate::refusal::{Refusal, within};

/// A hearing as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// Resource name.
    pub name: HearingName,
    /// What the operator is heard about.
    pub subject: String,
    /// Day on which the operator is asked to come.
    pub convened: Date,
    /// Inspection that led to it.
    pub inspection: Option<InspectionId>,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of a hearing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The operator is convened.
    Convened,
    /// It was heard, or refused to attend.
    Recorded {
        /// Which of the two.
        outcome: Outcome,
        /// Day of the hearing, or of the refusal.
        on: Date,
        /// What was said, or how attendance was refused.
        minutes: String,
    },
}

/// How a hearing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operator was heard.
    Held,
    /// The operator refused to attend.
    Refused,
}

impl Outcome {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Held, Self::Refused];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Refused => "REFUSED",
        }
    }
}

impl Hearing {
    /// CONVENED -> HELD or REFUSED; `since` is the day on which the convention came into force.
    pub fn record(
        self,
        outcome: Outcome,
        on: Date,
        minutes: String,
        (since, today): (Date, Date),
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        match self.state {
            State::Convened => {
                within(since, today, on)?;
                Ok(Self {
                    state: State::Recorded {
                        outcome,
                        on,
                        minutes,
                    },
                    revision: self.revision + 1,
                    update_time: now,
                    ..self
                })
            }
            State::Recorded { .. } => Err(Refusal::HearingRecorded),
        }
    }

    /// Day from which the authority may decide: that of the hearing, or of the refusal to attend.
    pub const fn heard(&self) -> Result<Date, Refusal> {
        match self.state {
            State::Convened => Err(Refusal::HearingMissing),
            State::Recorded { on, .. } => Ok(on),
        }
    }
}
