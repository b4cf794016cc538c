//! Inspections (contrôles, art. 8).

use nonrecours_kernel::InspectionName;
use time::{Date, OffsetDateTime};

use crate::refusal::{Refusal, within};

/// An inspection as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Resource name.
    pub name: InspectionName,
    /// What is looked into.
    pub subject: String,
    /// Day on which it was opened.
    pub opened: Date,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Under way.
    Open,
    /// Over.
    Closed {
        /// What was found.
        findings: String,
        /// Day on which it was closed.
        on: Date,
    },
}

impl Inspection {
    /// OPEN -> CLOSED.
    pub fn close(
        self,
        findings: String,
        on: Date,
        today: Date,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        match self.state {
            State::Open => {
                within(self.opened, today, on)?;
                Ok(Self {
                    state: State::Closed { findings, on },
                    revision: self.revision + 1,
                    update_time: now,
                    ..self
                })
            }
            State::Closed { .. } => Err(Refusal::InspectionClosed),
        }
    }
}
