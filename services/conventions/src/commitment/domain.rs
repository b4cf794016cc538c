//! The life of a commitment: PENDING -> EVIDENCED -> DONE, and back to PENDING when it is reopened; RELEASED when an
//! amendment leaves it out.

use nonrecours_kernel::CommitmentName;
use time::{Date, Duration, OffsetDateTime};

use crate::refusal::Refusal;

/// A reminder is due this long before the commitment is.
pub const REMINDER_BEFORE: Duration = Duration::days(30);

/// A commitment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Resource name.
    pub name: CommitmentName,
    /// Code in the convention.
    pub code: String,
    /// As the convention words it.
    pub text: String,
    /// Day by which it is kept.
    pub due: Date,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When its convention, or the amendment that added it, came into force.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of a commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// To be kept.
    Pending {
        /// Why other evidence was asked for.
        reopened: Option<String>,
    },
    /// The operator has said how it was kept.
    Evidenced {
        /// How.
        evidence: Evidence,
    },
    /// Kept.
    Done {
        /// How.
        evidence: Evidence,
        /// When it was validated.
        time: OffsetDateTime,
        /// Subject of the token that validated it.
        by: String,
    },
    /// Left out by an amendment before it was done: not due any more.
    Released,
}

/// How a commitment was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// In the operator's words.
    pub text: String,
    /// Where the proof is; may be empty.
    pub reference: String,
    /// When it was given.
    pub time: OffsetDateTime,
    /// Subject of the token that gave it.
    pub by: String,
}

impl State {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "PENDING",
            Self::Evidenced { .. } => "EVIDENCED",
            Self::Done { .. } => "DONE",
            Self::Released => "RELEASED",
        }
    }

    /// The evidence given.
    pub const fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Pending { .. } | Self::Released => None,
            Self::Evidenced { evidence } | Self::Done { evidence, .. } => Some(evidence),
        }
    }
}

impl Commitment {
    /// Whether it is late on that day.
    pub fn overdue(&self, today: Date) -> bool {
        let awaited = match self.state {
            State::Pending { .. } | State::Evidenced { .. } => true,
            State::Done { .. } | State::Released => false,
        };
        awaited && self.due < today
    }

    /// Day from which a reminder is due.
    pub fn reminder(&self) -> Date {
        self.due.saturating_sub(REMINDER_BEFORE)
    }

    /// PENDING -> PENDING, EVIDENCED -> EVIDENCED: due on another day.
    pub fn reschedule(self, due: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.open()?;
        let state = self.state.clone();
        Ok(Self {
            due,
            ..self.changed(state, now)
        })
    }

    /// PENDING -> EVIDENCED, EVIDENCED -> EVIDENCED.
    pub fn record(self, evidence: Evidence, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.open()?;
        Ok(self.changed(State::Evidenced { evidence }, now))
    }

    /// EVIDENCED -> DONE.
    pub fn validate(self, by: &str, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.open()?;
        let evidence = self
            .state
            .evidence()
            .ok_or(Refusal::CommitmentWithoutEvidence)?;
        let state = State::Done {
            evidence: evidence.clone(),
            time: now,
            by: by.to_owned(),
        };
        Ok(self.changed(state, now))
    }

    /// EVIDENCED -> PENDING, DONE -> PENDING.
    pub fn reopen(self, reason: String, now: OffsetDateTime) -> Result<Self, Refusal> {
        match self.state {
            State::Pending { .. } => Err(Refusal::CommitmentWithoutEvidence),
            State::Released => Err(Refusal::CommitmentReleased),
            State::Evidenced { .. } | State::Done { .. } => Ok(self.changed(
                State::Pending {
                    reopened: Some(reason),
                },
                now,
            )),
        }
    }

    /// Whether it is what these words ask.
    pub fn covers(&self, code: &str, text: &str) -> bool {
        let stands = !matches!(self.state, State::Released);
        stands && self.code == code && self.text == text
    }

    /// What an amendment makes of it that lets it stand or not, and moves the indicative end from one day to another:
    /// nothing when it goes on as it was. PENDING, EVIDENCED -> RELEASED when it does not stand; what is done stays done.
    pub fn amend(
        self,
        stands: bool,
        (end, new_end): (Date, Date),
        now: OffsetDateTime,
    ) -> Option<Self> {
        match self.state {
            State::Done { .. } | State::Released => None,
            State::Pending { .. } | State::Evidenced { .. } if !stands => {
                Some(self.changed(State::Released, now))
            }
            // A day of its own stays.
            State::Pending { .. } | State::Evidenced { .. } => {
                let state = self.state.clone();
                (self.due == end && end != new_end).then(|| Self {
                    due: new_end,
                    ..self.changed(state, now)
                })
            }
        }
    }

    const fn open(&self) -> Result<(), Refusal> {
        match self.state {
            State::Pending { .. } | State::Evidenced { .. } => Ok(()),
            State::Done { .. } => Err(Refusal::CommitmentDone),
            State::Released => Err(Refusal::CommitmentReleased),
        }
    }

    fn changed(self, state: State, now: OffsetDateTime) -> Self {
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
    use super::*;
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    const START: OffsetDateTime = datetime!(2025-10-07 09:00 UTC);

    fn commitment() -> Commitment {
        Commitment {
            name: "operators/01980000-0000-7000-8000-000000000001/conventions/\
                   01980000-0000-7000-8000-000000000002/commitments/01980000-0000-7000-8000-000000000003"
                .parse()
                .unwrap(),
            code: "MISSIONS".into(),
            text: "Remplir les missions de l'article 2.".into(),
            due: date!(2025 - 12 - 31),
            state: State::Pending { reopened: None },
            revision: 1,
            create_time: START,
            update_time: START,
        }
    }

    fn evidence() -> Evidence {
        Evidence {
            text: "Douze permanences tenues.".into(),
            reference: String::new(),
            time: START,
            by: "manager".into(),
        }
    }

    #[test]
    fn it_is_overdue_from_the_day_after_and_reminded_of_thirty_days_before() {
        let pending = commitment();
        assert!(!pending.overdue(date!(2025 - 12 - 31)));
        assert!(pending.overdue(date!(2026 - 01 - 01)));
        assert_eq!(pending.reminder(), date!(2025 - 12 - 01));
        let leap = Commitment {
            due: date!(2024 - 03 - 30),
            ..pending
        };
        assert_eq!(leap.reminder(), date!(2024 - 02 - 29));
        let done = leap.record(evidence(), START).unwrap();
        assert!(done.overdue(date!(2025 - 01 - 01)));
        let done = done.validate("officer", START).unwrap();
        assert!(!done.overdue(date!(2025 - 01 - 01)));
    }

    #[test]
    fn an_amendment_moves_it_with_the_end_or_releases_it() {
        let (end, later) = (date!(2025 - 12 - 31), date!(2026 - 06 - 30));
        let pending = commitment();
        assert_eq!(pending.clone().amend(true, (end, end), START), None);
        let moved = pending.clone().amend(true, (end, later), START);
        assert_eq!(moved.unwrap().due, later);
        let own_day = Commitment {
            due: date!(2025 - 11 - 15),
            ..pending.clone()
        };
        assert_eq!(own_day.amend(true, (end, later), START), None);
        assert!(pending.covers("MISSIONS", &pending.text));
        assert!(!pending.covers("MISSIONS", "Autrement."));
        let released = pending.clone().amend(false, (end, end), START).unwrap();
        assert!(!released.overdue(date!(2030 - 01 - 01)));
        assert!(!released.covers("MISSIONS", &pending.text));
        assert_eq!(
            released.clone().record(evidence(), START),
            Err(Refusal::CommitmentReleased)
        );
        assert_eq!(
            released.reopen("Encore dû.".into(), START),
            Err(Refusal::CommitmentReleased)
        );
        let done = pending
            .record(evidence(), START)
            .and_then(|evidenced| evidenced.validate("officer", START))
            .unwrap();
        assert_eq!(done.amend(false, (end, later), START), None);
    }

    proptest! {
        /// Any sequence of commands: what is refused leaves the state as it was, what is done counts one revision, and
        /// nothing is DONE that was not evidenced just before.
        #[test]
        fn any_sequence_of_commands_leaves_a_legal_state(commands in prop::collection::vec(0..5_u8, 0..30)) {
            let mut held = commitment();
            for command in commands {
                let end = date!(2025 - 12 - 31);
                let next = match command {
                    4 => held
                        .clone()
                        .amend(false, (end, end), START)
                        .ok_or(Refusal::CommitmentDone),
                    0 => held.clone().record(evidence(), START),
                    1 => held.clone().validate("officer", START),
                    2 => held.clone().reopen("Preuve illisible.".into(), START),
                    _ => held.clone().reschedule(date!(2026 - 01 - 31), START),
                };
                let legal = match (&held.state, command) {
                    (State::Pending { .. } | State::Evidenced { .. }, 4) => true,
                    (_, 4) | (State::Released, _) => false,
                    (State::Done { .. }, _) => command == 2,
                    (State::Pending { .. }, _) => command == 0 || command == 3,
                    (State::Evidenced { .. }, _) => true,
                };
                prop_assert_eq!(next.is_ok(), legal);
                if let Ok(next) = next {
                    prop_assert_eq!(next.revision, held.revision + 1);
                    let done = matches!(next.state, State::Done { .. });
                    let evidenced = matches!(held.state, State::Evidenced { .. });
                    prop_assert!(!done || evidenced);
                    held = next;
                }
            }
        }
    }
}
