//! What was achieved beside what was agreed: the targets of conventions, and what an opened right has cost.

use std::collections::HashMap;

use nonrecours_contracts::followup::{
    Amount, ConventionTargets, Count, IndicatorRow, Withheld, amount, count,
};
use nonrecours_kernel::{ConventionName, Money};
use nonrecours_pg::{Error, Tx};
use nonrecours_rpc::convert::to_money;

use super::{
    sums::Months,
    table::{Breakdown, Row},
};
use crate::convention::{Terms, store};

/// Targets and money of the conventions that a row stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aim {
    targets: [i64; 3],
    due: Money,
}

/// The aims of a table's rows of a year, by the rows' codes. Only the conventions of that budget year count.
#[derive(Debug, Default)]
pub struct Aims(HashMap<String, Aim>);

impl Aim {
    /// That of one convention.
    pub fn of(terms: &Terms) -> Self {
        Self {
            targets: terms.targets.map(i64::from),
            due: terms.due,
        }
    }

    /// Both together. Beyond what an amount can be, the largest amount.
    fn and(self, other: Self) -> Self {
        let mut targets = self.targets;
        for (sum, more) in targets.iter_mut().zip(other.targets) {
            *sum = sum.saturating_add(more);
        }
        Self {
            targets,
            due: self.due.checked_add(other.due).unwrap_or(Money::MAX),
        }
    }

    /// What is due, for each right opened: to the cent, half a cent upwards. Nothing without any right.
    pub fn cost(&self, opened: i64) -> Option<Money> {
        let twice = opened.checked_mul(2).filter(|twice| *twice > 0)?;
        let cents = self.due.cents().checked_mul(2)?.checked_add(opened)? / twice;
        Money::try_from_cents(cents).ok()
    }

    /// On the wire, beside the rights opened: where these are withheld, so is their cost, which would tell them.
    pub fn wire(&self, opened: Option<&Count>) -> ConventionTargets {
        let [persons_spotted, persons_supported, entitlements_opened] = self.targets;
        let figure = match opened.and_then(|count| count.figure.as_ref()) {
            Some(count::Figure::Value(opened)) => self
                .cost(*opened)
                .map(|cost| amount::Figure::Value(to_money(cost))),
            Some(count::Figure::Withheld(Withheld { threshold })) => {
                Some(amount::Figure::Withheld(Withheld {
                    threshold: *threshold,
                }))
            }
            None => None,
        };
        ConventionTargets {
            persons_spotted,
            persons_supported,
            entitlements_opened,
            due_amount: Some(to_money(self.due)),
            cost_per_entitlement_opened: figure.map(|figure| Amount {
                figure: Some(figure),
            }),
        }
    }
}

impl Aims {
    /// Those of the rows that conventions stand behind: the total, operators, conventions.
    pub async fn read(tx: &mut Tx, breakdown: Breakdown, year: i32) -> Result<Self, Error> {
        let code: fn(&ConventionName) -> String = match breakdown {
            Breakdown::Total => |_| String::new(),
            Breakdown::Operator => |name| name.parent().to_string(),
            Breakdown::Convention => ConventionName::to_string,
            Breakdown::Commune
            | Breakdown::Public
            | Breakdown::Right
            | Breakdown::Reason
            | Breakdown::Channel => return Ok(Self::default()),
        };
        let mut aims: HashMap<String, Aim> = HashMap::new();
        for (name, terms) in store::signed(tx, year).await? {
            let aim = aims.entry(code(&name)).or_default();
            *aim = aim.and(Aim::of(&terms));
        }
        Ok(Self(aims))
    }

    /// Adds to an operator's own rows those of conventions under which nothing was recorded yet.
    pub fn complete(&self, rows: &mut Vec<Row>) {
        let mut missing: Vec<&String> = self
            .0
            .keys()
            .filter(|code| rows.iter().all(|row| row.code != **code))
            .collect();
        missing.sort();
        let empty: Vec<Row> = missing
            .into_iter()
            .map(|code| Row {
                code: code.clone(),
                months: Months::default(),
            })
            .collect();
        rows.extend(empty);
    }

    /// Puts the aim of a row of a year beside its figures.
    pub fn put(&self, row: &mut IndicatorRow) {
        row.targets = self
            .0
            .get(&row.code)
            .map(|aim| aim.wire(row.entitlements_opened.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aim(cents: i64) -> Aim {
        Aim {
            targets: [1, 2, 3],
            due: Money::from_cents(cents),
        }
    }

    #[test]
    fn a_cost_is_rounded_to_the_cent_and_half_a_cent_upwards() {
        for (cents, opened, cost) in [
            (1_150_000, 45, Some(25_556)),
            (1, 2, Some(1)),
            (1, 3, Some(0)),
            (100, 8, Some(13)),
            (1_150_000, 0, None),
            (1_150_000, -1, None),
            (Money::MAX.cents(), 1, Some(Money::MAX.cents())),
        ] {
            let found = aim(cents).cost(opened).map(Money::cents);
            assert_eq!(found, cost, "{cents} / {opened}");
        }
    }

    #[test]
    fn the_cost_of_a_withheld_number_is_withheld() {
        let withheld = Count {
            figure: Some(count::Figure::Withheld(Withheld { threshold: 5 })),
        };
        let told = aim(100).wire(Some(&withheld));
        let figure = told.cost_per_entitlement_opened.unwrap().figure.unwrap();
        assert_eq!(figure, amount::Figure::Withheld(Withheld { threshold: 5 }));
        let none = Count {
            figure: Some(count::Figure::Value(0)),
        };
        assert_eq!(aim(100).wire(Some(&none)).cost_per_entitlement_opened, None);
        assert_eq!(aim(100).wire(None).cost_per_entitlement_opened, None);
    }

    #[test]
    fn aims_add_up() {
        let both = aim(100).and(aim(50));
        assert_eq!(
            (both.targets, both.due),
            ([2, 4, 6], Money::from_cents(150))
        );
        assert_eq!(aim(Money::MAX.cents()).and(aim(1)).due, Money::MAX);
    }
}
