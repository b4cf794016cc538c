//! The budget of a convention: planned, then realised; a significant deviation opens a case, which a person closes.

use nonrecours_kernel::{Blocker, BudgetName, ConventionName, Money, Rate};
use time::OffsetDateTime;

use super::lines::{Class, Deviation, Lines, Side};
use crate::{
    convention::domain::{Convention, State},
    refusal::Refusal,
};

/// A budget as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Resource name.
    pub name: BudgetName,
    /// Planned.
    pub planned: Lines,
    /// Spent and received; empty: nothing recorded.
    pub realised: Lines,
    /// Share of the planned amount above which a deviation is significant.
    pub threshold: Rate,
    /// Cases, newest first.
    pub cases: Vec<Case>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was planned first.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// A significant deviation to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Counts the cases of the budget from 1.
    pub number: i32,
    /// What was significant when it was opened.
    pub subjects: Vec<String>,
    /// When it was opened.
    pub opened: OffsetDateTime,
    /// How it was closed; none while it is open.
    pub closed: Option<Closing>,
}

/// How a case was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub time: OffsetDateTime,
    /// Subject of the token that closed it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Case {
    /// What it is shown as on its convention.
    pub fn blocker(&self, convention: &ConventionName) -> Blocker {
        let subjects = self.subjects.join(", ");
        let french = self
            .subjects
            .iter()
            .map(|subject| match subject.as_str() {
                "EXPENSES" => "total des charges",
                "INCOME" => "total des produits",
                class => class,
            })
            .collect::<Vec<_>>()
            .join(", ");
        Blocker::new(
            "BUDGET_DEVIATION",
            format!("{convention}/budget"),
            format!(
                "The budget deviates significantly ({subjects}): decide after hearing the operator (art. 8)."
            ),
            format!(
                "Le budget réalisé s'écarte significativement du prévisionnel ({french}) : entendez l'opérateur, puis \
                 décidez (art. 8)."
            ),
        )
    }
}

impl Budget {
    /// The planned budget of a convention: anew, or in the place of an earlier one while nobody has signed.
    pub fn plan(
        earlier: Option<Self>,
        convention: &Convention,
        planned: Lines,
        threshold: Rate,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        match earlier {
            None => Ok(Self {
                name: BudgetName {
                    operator: convention.name.operator,
                    convention: convention.name.convention,
                },
                planned,
                realised: Lines::default(),
                threshold,
                cases: Vec::new(),
                revision: 1,
                create_time: now,
                update_time: now,
            }),
            Some(earlier) if matches!(convention.state, State::Draft) => Ok(Self {
                planned,
                ..earlier.changed(now)
            }),
            Some(_) => Err(Refusal::BudgetFixed),
        }
    }

    /// Takes what was spent and received in the place of what was recorded before. Opens a case when what
    /// deviates significantly is something else than before, or by another amount, unless one is open, or the convention
    /// was terminated: its accounts are rendered, and there is nothing left to decide on.
    pub fn realise(
        self,
        convention: &Convention,
        realised: Lines,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let decided_on = match convention.state {
            State::InForce { .. } | State::Completed { .. } => true,
            State::Terminated { .. } => false,
            _ => return Err(Refusal::ConventionNotInForce),
        };
        let before = self.significant();
        let mut budget = Self {
            realised,
            ..self.changed(now)
        };
        let significant = budget.significant();
        let other = !significant.is_empty() && significant != before;
        if decided_on && other && budget.open_case().is_none() {
            let number = budget.cases.first().map_or(1, |latest| latest.number + 1);
            budget.cases.insert(
                0,
                Case {
                    number,
                    subjects: significant
                        .into_iter()
                        .map(|(subject, _)| subject)
                        .collect(),
                    opened: now,
                    closed: None,
                },
            );
        }
        Ok(budget)
    }

    /// Closes the open case.
    pub fn close_case(
        self,
        by: &str,
        reason: String,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let mut budget = self.changed(now);
        let case = budget
            .cases
            .iter_mut()
            .find(|case| case.closed.is_none())
            .ok_or(Refusal::DeviationCaseNotOpen)?;
        case.closed = Some(Closing {
            time: now,
            by: by.to_owned(),
            reason,
        });
        Ok(budget)
    }

    /// The open case.
    pub fn open_case(&self) -> Option<&Case> {
        self.cases.iter().find(|case| case.closed.is_none())
    }

    /// Deviation of each class planned or realised, in their order; none while nothing is recorded.
    pub fn deviations(&self) -> Vec<(Class, Deviation)> {
        if self.realised.is_empty() {
            return Vec::new();
        }
        let mut classes: Vec<Class> = self
            .planned
            .iter()
            .chain(self.realised.iter())
            .map(|(class, _)| class)
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
            .into_iter()
            .map(|class| {
                let (planned, realised) = (self.planned.amount(class), self.realised.amount(class));
                (class, Deviation::new(planned, realised, self.threshold))
            })
            .collect()
    }

    /// Deviation of a side; nothing while nothing is recorded.
    pub fn total(&self, side: Side) -> Option<Deviation> {
        // That the lines can be summed was checked when they were taken.
        let total = |lines: &Lines| lines.total(side).unwrap_or(Money::ZERO);
        (!self.realised.is_empty())
            .then(|| Deviation::new(total(&self.planned), total(&self.realised), self.threshold))
    }

    /// What is significant and by how much: classes, then sides.
    fn significant(&self) -> Vec<(String, Money)> {
        let classes = self
            .deviations()
            .into_iter()
            .map(|(class, deviation)| (class.number().to_string(), deviation));
        let sides = Side::ALL
            .into_iter()
            .filter_map(|side| Some((side.as_str().to_owned(), self.total(side)?)));
        classes
            .chain(sides)
            .filter(|(_, deviation)| deviation.significant)
            .map(|(subject, deviation)| (subject, deviation.amount()))
            .collect()
    }

    fn changed(self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}
