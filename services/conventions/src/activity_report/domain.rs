//! Activity reports (bilans): drawn up, handed in, returned or accepted.

use nonrecours_kernel::{ActivityReportName, Money};
use time::OffsetDateTime;

use crate::refusal::Refusal;

/// A report as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityReport {
    /// Resource name.
    pub name: ActivityReportName,
    /// What the operator writes.
    pub content: Content,
    /// What was counted when it was last drawn.
    pub drawn: Drawn,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was created.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What the operator writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What was done.
    pub narrative: String,
    /// What was spent.
    pub spent: Money,
}

/// What the services know at the moment a report is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Figures of `followup`.
    pub figures: Figures,
    /// Sum paid under the convention.
    pub paid: Money,
}

/// Figures of the follow-up under one convention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Over all publics; a person counts once.
    pub total: Counts,
    /// Outreach sessions held.
    pub sessions_held: i64,
    /// By public, in the order of the catalogue; a person of several publics counts in each.
    pub publics: Vec<(String, Counts)>,
}

/// Figures of one set of persons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Distinct persons spotted.
    pub persons_spotted: i64,
    /// Distinct persons who were or are in support.
    pub persons_supported: i64,
    /// Rights opened.
    pub entitlements_opened: i64,
    /// Euros opened a year, as notified.
    pub yearly_amount_opened: Money,
}

/// Life of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Being drawn up.
    Draft,
    /// Handed in.
    Submitted {
        /// When.
        submitted: OffsetDateTime,
    },
    /// To be corrected.
    Returned {
        /// When it was last handed in.
        submitted: OffsetDateTime,
        /// When it was returned.
        decided: OffsetDateTime,
        /// What must be corrected.
        correction: String,
    },
    /// Accepted.
    Accepted {
        /// When it was last handed in.
        submitted: OffsetDateTime,
        /// When it was accepted.
        decided: OffsetDateTime,
    },
}

impl ActivityReport {
    /// DRAFT -> DRAFT, RETURNED -> RETURNED: other words and figures drawn anew.
    pub fn redraw(
        self,
        content: Content,
        drawn: Drawn,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        self.editable()?;
        Ok(self.changed(now, |report| {
            report.content = content;
            report.drawn = drawn;
        }))
    }

    /// DRAFT -> DRAFT, RETURNED -> RETURNED: the same words, figures drawn anew.
    pub fn refresh(self, drawn: Drawn, now: OffsetDateTime) -> Result<Self, Refusal> {
        let content = self.content.clone();
        self.redraw(content, drawn, now)
    }

    /// DRAFT | RETURNED -> SUBMITTED. Refuses when accounts are owed with it and lacking.
    pub fn submit(self, lacks_accounts: bool, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.editable()?;
        if lacks_accounts {
            return Err(Refusal::ReportWithoutAccounts);
        }
        Ok(self.changed(now, |report| {
            report.state = State::Submitted { submitted: now }
        }))
    }

    /// SUBMITTED -> RETURNED.
    pub fn return_for(self, correction: String, now: OffsetDateTime) -> Result<Self, Refusal> {
        let submitted = self.submitted()?;
        Ok(self.changed(now, |report| {
            report.state = State::Returned {
                submitted,
                decided: now,
                correction,
            };
        }))
    }

    /// SUBMITTED -> ACCEPTED.
    pub fn accept(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        let submitted = self.submitted()?;
        Ok(self.changed(now, |report| {
            report.state = State::Accepted {
                submitted,
                decided: now,
            };
        }))
    }

    /// Whether its words may change. Refuses a report that is handed in or accepted.
    pub fn editable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Draft | State::Returned { .. } => Ok(()),
            State::Submitted { .. } | State::Accepted { .. } => Err(Refusal::ReportNotEditable),
        }
    }

    fn submitted(&self) -> Result<OffsetDateTime, Refusal> {
        match self.state {
            State::Submitted { submitted } => Ok(submitted),
            State::Draft | State::Returned { .. } | State::Accepted { .. } => {
                Err(Refusal::ReportNotSubmitted)
            }
        }
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-15 08:00 UTC);

    fn report() -> ActivityReport {
        let id = "0198b2e6-c000-7abc-8def-0123456789ab";
        ActivityReport {
            name: format!("operators/{id}/conventions/{id}/activityReports/{id}")
                .parse()
                .unwrap(),
            content: content("Permanences tenues."),
            drawn: drawn(),
            state: State::Draft,
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    fn content(narrative: &str) -> Content {
        Content {
            narrative: narrative.into(),
            spent: Money::from_cents(1_150_000),
        }
    }

    fn drawn() -> Drawn {
        Drawn {
            figures: Figures::default(),
            paid: Money::from_cents(920_000),
        }
    }

    #[test]
    fn a_returned_report_is_corrected_handed_in_again_and_accepted() {
        let report = report()
            .submit(false, NOW)
            .and_then(|report| report.return_for("Précisez les dépenses.".into(), NOW))
            .and_then(|report| report.redraw(content("Permanences et dépenses."), drawn(), NOW))
            .and_then(|report| report.submit(false, NOW))
            .and_then(|report| report.accept(NOW))
            .unwrap();
        assert_eq!(
            report.state,
            State::Accepted {
                submitted: NOW,
                decided: NOW
            }
        );
        assert_eq!(report.content.narrative, "Permanences et dépenses.");
        assert_eq!(report.revision, 6);
    }

    #[test]
    fn a_report_without_the_accounts_owed_is_not_handed_in_and_refreshing_keeps_its_words() {
        let kept = report();
        let refused = kept.clone().submit(true, NOW);
        assert_eq!(refused, Err(Refusal::ReportWithoutAccounts));
        let drawn = Drawn {
            paid: Money::from_cents(1_150_000),
            ..drawn()
        };
        let refreshed = kept.clone().refresh(drawn.clone(), NOW).unwrap();
        assert_eq!((refreshed.content, refreshed.drawn), (kept.content, drawn));
        let submitted = report().submit(false, NOW).unwrap();
        // What has already gone is refused for that, whatever is lacking.
        assert_eq!(submitted.submit(true, NOW), Err(Refusal::ReportNotEditable));
    }

    proptest! {
        /// Whatever is asked in whatever order: a step is done exactly from the states it is meant for, and a report
        /// that was accepted stays as it is.
        #[test]
        fn only_the_steps_of_the_contract_are_done(steps in prop::collection::vec(0..5_u8, 0..20)) {
            let mut report = report();
            for (index, step) in (0_i64..).zip(steps) {
                let now = NOW + Duration::minutes(index);
                let before = report.clone();
                let (done, allowed) = match step {
                    0 => (report.clone().redraw(content("x"), drawn(), now), before.editable().is_ok()),
                    1 => (report.clone().submit(false, now), before.editable().is_ok()),
                    4 => (report.clone().refresh(drawn(), now), before.editable().is_ok()),
                    2 => (report.clone().return_for("y".into(), now), before.submitted().is_ok()),
                    _ => (report.clone().accept(now), before.submitted().is_ok()),
                };
                prop_assert_eq!(done.is_ok(), allowed);
                prop_assert!(!(before.editable().is_ok() && before.submitted().is_ok()));
                if let Ok(after) = done {
                    let accepted = matches!(before.state, State::Accepted { .. });
                    prop_assert!(!accepted);
                    prop_assert_eq!(after.revision, before.revision + 1);
                    prop_assert_eq!(after.update_time, now);
                    report = after;
                }
            }
        }
    }
}
