//! Authorising acts, their transmission, and when they become enforceable (art. L2131-1 CGCT).

use nonrecours_kernel::{ActId, ActName, AmendmentId};
use time::{Date, OffsetDateTime};

use crate::{convention::party::Party, refusal::Refusal};

/// An act as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Resource name.
    pub name: ActName,
    /// Party it empowers.
    pub party: Party,
    /// The amendment it authorises; none: the convention itself.
    pub amendment: Option<AmendmentId>,
    /// Number given by the transmission; its date is that of the decision.
    pub act_id: ActId,
    /// Its way to the prefecture.
    pub transmission: Transmission,
    /// How it was made known.
    pub publication: Option<Publication>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Way of an act to the prefecture: each state carries the days that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmission {
    /// Nothing is sent.
    ToTransmit,
    /// Handed to the platform or the post.
    Posted {
        /// On that day.
        posting: Date,
    },
    /// Received by the prefecture.
    Transmitted(Received),
    /// Received, and acknowledged.
    Acknowledged {
        /// How it was received.
        received: Received,
        /// Day of the acknowledgement.
        day: Date,
        /// Its reference.
        reference: String,
    },
    /// Sent in vain: to be sent again.
    Failed {
        /// Refused, or failed on the way.
        failure: Failure,
        /// What had been done; at least one of the two.
        posting: Option<Date>,
        /// Day on which the prefecture had received it.
        transmission: Option<Date>,
        /// Day of the failure.
        day: Date,
        /// Why.
        reason: String,
    },
}

/// That the prefecture has received an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Day on which it was handed over, when that was recorded.
    pub posting: Option<Date>,
    /// Day of the transmission.
    pub day: Date,
}

/// Why a transmission came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The prefecture refused it.
    Refused,
    /// It failed on the way.
    Error,
}

/// How an act was made known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Published, or notified.
    pub publicity: Publicity,
    /// On that day.
    pub day: Date,
    /// Reference that proves it.
    pub reference: Option<String>,
}

/// The two ways of making an act known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publicity {
    /// For everybody.
    Publication,
    /// To those it concerns.
    Notification,
}

impl Publicity {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Publication, Self::Notification];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publication => "PUBLICATION",
            Self::Notification => "NOTIFICATION",
        }
    }
}

/// Which formality came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The transmission.
    Transmission,
    /// The publication or notification, or both on one day.
    Publicity(Publicity),
}

/// That an act is enforceable, and how one knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforceability {
    /// From that day.
    pub day: Date,
    /// What decided.
    pub basis: Basis,
    /// Reference that proves it; empty when none was given.
    pub proof: String,
}

impl Transmission {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ToTransmit => "TO_TRANSMIT",
            Self::Posted { .. } => "POSTED",
            Self::Transmitted(_) => "TRANSMITTED",
            Self::Acknowledged { .. } => "ACKNOWLEDGED",
            Self::Failed {
                failure: Failure::Refused,
                ..
            } => "REFUSED",
            Self::Failed {
                failure: Failure::Error,
                ..
            } => "ERROR",
        }
    }

    /// The transmission that counts: none when it came to nothing.
    pub const fn received(&self) -> Option<Received> {
        match self {
            Self::Transmitted(received) | Self::Acknowledged { received, .. } => Some(*received),
            Self::ToTransmit | Self::Posted { .. } | Self::Failed { .. } => None,
        }
    }

    /// Day on which it was last handed over.
    pub fn posting(&self) -> Option<Date> {
        match self {
            Self::ToTransmit => None,
            Self::Posted { posting } => Some(*posting),
            Self::Transmitted(received) | Self::Acknowledged { received, .. } => received.posting,
            Self::Failed { posting, .. } => *posting,
        }
    }

    /// Day on which the prefecture last received it, whatever came after.
    pub fn day(&self) -> Option<Date> {
        match self {
            Self::Failed { transmission, .. } => *transmission,
            _ => self.received().map(|received| received.day),
        }
    }
}

impl Act {
    /// From when it is enforceable: the later of transmission and publication, once there are both. The acknowledgement
    /// is no condition, it proves.
    pub fn enforceability(&self) -> Option<Enforceability> {
        let received = self.transmission.received()?;
        let publication = self.publication.as_ref()?;
        Some(if received.day > publication.day {
            Enforceability {
                day: received.day,
                basis: Basis::Transmission,
                proof: match &self.transmission {
                    Transmission::Acknowledged { reference, .. } => reference.clone(),
                    _ => self.act_id.to_string(),
                },
            }
        } else {
            Enforceability {
                day: publication.day,
                basis: Basis::Publicity(publication.publicity),
                proof: publication.reference.clone().unwrap_or_default(),
            }
        })
    }

    /// TO_TRANSMIT -> POSTED; after a failure, REFUSED and ERROR -> POSTED.
    pub fn post(self, day: Date, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        match &self.transmission {
            Transmission::ToTransmit | Transmission::Failed { .. } => {}
            Transmission::Posted { .. } => {
                return Err(self.out_of_order());
            }
            Transmission::Transmitted(_) | Transmission::Acknowledged { .. } => {
                return Err(Refusal::AlreadyTransmitted);
            }
        }
        in_order(self.before_sending(), day, today)?;
        Ok(self.sent(now, Transmission::Posted { posting: day }))
    }

    /// TO_TRANSMIT, POSTED -> TRANSMITTED; after a failure, REFUSED and ERROR -> TRANSMITTED.
    pub fn transmit(self, day: Date, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        let (since, posting) = match &self.transmission {
            Transmission::ToTransmit | Transmission::Failed { .. } => (self.before_sending(), None),
            Transmission::Posted { posting } => (*posting, Some(*posting)),
            Transmission::Transmitted(_) | Transmission::Acknowledged { .. } => {
                return Err(Refusal::AlreadyTransmitted);
            }
        };
        in_order(since, day, today)?;
        Ok(self.sent(now, Transmission::Transmitted(Received { posting, day })))
    }

    /// TRANSMITTED -> ACKNOWLEDGED.
    pub fn acknowledge(
        self,
        day: Date,
        reference: String,
        today: Date,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let Transmission::Transmitted(received) = self.transmission else {
            return Err(self.out_of_order());
        };
        in_order(received.day, day, today)?;
        let acknowledged = Transmission::Acknowledged {
            received,
            day,
            reference,
        };
        Ok(self.sent(now, acknowledged))
    }

    /// POSTED, TRANSMITTED -> REFUSED or ERROR.
    pub fn fail(
        self,
        failure: Failure,
        day: Date,
        reason: String,
        today: Date,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let (since, posting, transmission) = match &self.transmission {
            Transmission::Posted { posting } => (*posting, Some(*posting), None),
            Transmission::Transmitted(received) => {
                (received.day, received.posting, Some(received.day))
            }
            Transmission::ToTransmit
            | Transmission::Acknowledged { .. }
            | Transmission::Failed { .. } => return Err(self.out_of_order()),
        };
        in_order(since, day, today)?;
        let failed = Transmission::Failed {
            failure,
            posting,
            transmission,
            day,
            reason,
        };
        Ok(self.sent(now, failed))
    }

    /// Records the publication or notification, once.
    pub fn publish(
        self,
        publication: Publication,
        today: Date,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        if self.publication.is_some() {
            return Err(Refusal::AlreadyPublished);
        }
        in_order(self.act_id.date(), publication.day, today)?;
        Ok(self.changed(now, |act| act.publication = Some(publication)))
    }

    /// It is sent not before it is decided, nor again before it has failed.
    fn before_sending(&self) -> Date {
        match &self.transmission {
            Transmission::Failed { day, .. } => *day,
            _ => self.act_id.date(),
        }
    }

    fn out_of_order(&self) -> Refusal {
        Refusal::ActTransmissionOutOfOrder(self.transmission.as_str())
    }

    fn sent(self, now: OffsetDateTime, transmission: Transmission) -> Self {
        self.changed(now, |act| act.transmission = transmission)
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

/// No step comes before the one it follows, the decision first of all, or is recorded before it has happened.
pub fn in_order(since: Date, day: Date, today: Date) -> Result<(), Refusal> {
    if (since..=today).contains(&day) {
        Ok(())
    } else {
        Err(Refusal::ActDatesOutOfOrder { since, today })
    }
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
