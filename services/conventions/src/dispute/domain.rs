//! Disputes (litiges, art. 9): an amicable attempt, then the competent court.

use nonrecours_kernel::DisputeName;
use time::{Date, OffsetDateTime};

use crate::{
    convention::party::Party,
    refusal::{Refusal, within},
};

/// A dispute as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Resource name.
    pub name: DisputeName,
    /// Party that opened it.
    pub party: Party,
    /// What it is about.
    pub subject: String,
    /// Day on which it was opened.
    pub opened: Date,
    /// The steps made so far.
    pub steps: Steps,
    /// How it ended, once it has.
    pub ending: Option<Dated>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// How far the parties have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steps {
    /// Nothing was tried yet.
    None,
    /// An amicable attempt was made.
    Amicable(Dated),
    /// Then the court was seized.
    InCourt {
        /// The amicable attempt.
        amicable: Dated,
        /// The court, and when.
        referral: Dated,
    },
}

/// Something done on a day, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Day.
    pub on: Date,
    /// What was tried, the court, or the outcome.
    pub what: String,
}

impl Dispute {
    /// Its state's name in the database and in the contract.
    pub const fn state(&self) -> &'static str {
        match (&self.ending, &self.steps) {
            (Some(_), _) => "CLOSED",
            (None, Steps::None) => "OPEN",
            (None, Steps::Amicable(_)) => "AMICABLE",
            (None, Steps::InCourt { .. }) => "IN_COURT",
        }
    }

    /// The amicable attempt.
    pub const fn amicable(&self) -> Option<&Dated> {
        match &self.steps {
            Steps::None => None,
            Steps::Amicable(amicable) | Steps::InCourt { amicable, .. } => Some(amicable),
        }
    }

    /// The referral to the court.
    pub const fn referral(&self) -> Option<&Dated> {
        match &self.steps {
            Steps::None | Steps::Amicable(_) => None,
            Steps::InCourt { referral, .. } => Some(referral),
        }
    }

    /// OPEN -> AMICABLE.
    pub fn attempt(self, step: Dated, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.unfinished()?;
        match self.steps {
            Steps::None => {
                within(self.opened, today, step.on)?;
                Ok(self.changed(now, |dispute| dispute.steps = Steps::Amicable(step)))
            }
            Steps::Amicable(_) | Steps::InCourt { .. } => Err(Refusal::AmicableStepRecorded),
        }
    }

    /// AMICABLE -> IN_COURT.
    pub fn refer(self, referral: Dated, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.unfinished()?;
        match self.steps.clone() {
            Steps::None => Err(Refusal::AmicableStepMissing),
            Steps::Amicable(amicable) => {
                within(amicable.on, today, referral.on)?;
                let steps = Steps::InCourt { amicable, referral };
                Ok(self.changed(now, |dispute| dispute.steps = steps))
            }
            Steps::InCourt { .. } => Err(Refusal::DisputeInCourt),
        }
    }

    /// OPEN, AMICABLE or IN_COURT -> CLOSED.
    pub fn close(self, ending: Dated, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.unfinished()?;
        let last = self
            .referral()
            .or(self.amicable())
            .map_or(self.opened, |step| step.on);
        within(last, today, ending.on)?;
        Ok(self.changed(now, |dispute| dispute.ending = Some(ending)))
    }

    const fn unfinished(&self) -> Result<(), Refusal> {
        match self.ending {
            None => Ok(()),
            Some(_) => Err(Refusal::DisputeClosed),
        }
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}
