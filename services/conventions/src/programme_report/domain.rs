//! Exact sums over conventions and their accepted reports.

use nonrecours_kernel::{Money, OperatorName, Text, Warning};

/// Sums of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRollUp {
    /// Which.
    pub name: OperatorName,
    /// Legal name.
    pub legal_name: String,
    /// Its sums.
    pub figures: Figures,
}

/// Sums over signed conventions; from `spent` on, over their accepted reports alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Conventions signed by both parties.
    pub conventions: i64,
    /// Of these, with an accepted report.
    pub accepted_reports: i64,
    /// Grants.
    pub grant: Money,
    /// Paid.
    pub paid: Money,
    /// Spent.
    pub spent: Money,
    /// Persons spotted, counted under each convention.
    pub persons_spotted: i64,
    /// Persons supported, counted under each convention.
    pub persons_supported: i64,
    /// Rights opened.
    pub entitlements_opened: i64,
    /// Euros opened a year.
    pub yearly_amount_opened: Money,
    /// Sessions held.
    pub sessions_held: i64,
    /// Commitments overdue.
    pub overdue_commitments: i64,
    /// What was agreed under all of them: persons spotted, persons supported, rights opened.
    pub targets: [i64; TARGETS],
    /// The same under those with an accepted report.
    pub reported_targets: [i64; TARGETS],
}

/// What has a target: persons spotted, persons supported, rights opened.
const TARGETS: usize = 3;

impl Figures {
    /// Both together; nothing when a sum leaves its range.
    pub fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            conventions: self.conventions.checked_add(other.conventions)?,
            accepted_reports: self.accepted_reports.checked_add(other.accepted_reports)?,
            grant: self.grant.checked_add(other.grant)?,
            paid: self.paid.checked_add(other.paid)?,
            spent: self.spent.checked_add(other.spent)?,
            persons_spotted: self.persons_spotted.checked_add(other.persons_spotted)?,
            persons_supported: self
                .persons_supported
                .checked_add(other.persons_supported)?,
            entitlements_opened: self
                .entitlements_opened
                .checked_add(other.entitlements_opened)?,
            yearly_amount_opened: self
                .yearly_amount_opened
                .checked_add(other.yearly_amount_opened)?,
            sessions_held: self.sessions_held.checked_add(other.sessions_held)?,
            overdue_commitments: self
                .overdue_commitments
                .checked_add(other.overdue_commitments)?,
            targets: sums(self.targets, other.targets)?,
            reported_targets: sums(self.reported_targets, other.reported_targets)?,
        })
    }
}

fn sums(one: [i64; TARGETS], other: [i64; TARGETS]) -> Option<[i64; TARGETS]> {
    let mut sums = one;
    for (sum, more) in sums.iter_mut().zip(other) {
        *sum = sum.checked_add(more)?;
    }
    Some(sums)
}

/// The sums over all operators; nothing when one leaves its range.
pub fn total(operators: &[OperatorRollUp]) -> Option<Figures> {
    operators
        .iter()
        .try_fold(Figures::default(), |sum, operator| {
            sum.plus(operator.figures)
        })
}

/// What the sums do not say.
pub fn warnings(operators: &[OperatorRollUp], total: &Figures) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if total.conventions > 1 && total.accepted_reports > 0 {
        warnings.push(Warning {
            field: "total.persons_spotted".into(),
            reason: "PERSONS_COUNTED_IN_EACH_OPERATOR",
            text: Text::new(
                "A person followed by several operators, or under several conventions, counts in each of them.",
                "Une personne suivie par plusieurs opérateurs, ou au titre de plusieurs conventions, compte dans \
                 chacun : le total n'est pas un nombre de personnes distinctes.",
            ),
        });
    }
    let missing = total.conventions.saturating_sub(total.accepted_reports);
    if missing > 0 {
        let late: Vec<&str> = operators
            .iter()
            .filter(|it| it.figures.accepted_reports < it.figures.conventions)
            .map(|it| it.legal_name.as_str())
            .collect();
        warnings.push(Warning {
            field: "total.accepted_reports".into(),
            reason: "REPORTS_NOT_ACCEPTED",
            text: Text::new(
                format!("{missing} reports are not accepted: {}.", late.join(", ")),
                format!(
                    "Bilans non acceptés : {missing} ({}) ; leurs chiffres manquent au total.",
                    late.join(", ")
                ),
            ),
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_leaves_its_range_is_no_sum() {
        let figures = Figures {
            persons_spotted: i64::MAX,
            ..Figures::default()
        };
        assert_eq!(figures.plus(figures), None);
        let targets = Figures {
            targets: [1, i64::MAX, 0],
            ..Figures::default()
        };
        assert_eq!(targets.plus(targets), None);
        assert_eq!(figures.plus(Figures::default()), Some(figures));
        assert_eq!(total(&[]), Some(Figures::default()));
        assert_eq!(warnings(&[], &Figures::default()), []);
    }
}
