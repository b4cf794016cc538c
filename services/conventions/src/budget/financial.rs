//! The compte rendu financier of a grant: planned, realised and deviation of each class, with their totals, as the Cerfa
//! form 15059 sets them out (loi 2000-321, art. 10; arrêté du 11 octobre 2006).

use nonrecours_kernel::{Money, Rate};
use rust_decimal::Decimal;

use super::{
    domain::Budget,
    lines::{Class, Deviation, Lines, Side, share},
};

/// The accounts of a convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinancialReport {
    /// Charges.
    pub expenses: Table,
    /// Produits.
    pub income: Table,
    /// Whether something is recorded as spent or received.
    pub recorded: bool,
    /// Grant of the convention.
    pub grant: Money,
    /// The grant as a share of the realised income in money; nothing when none was received.
    pub grant_rate: Option<Decimal>,
}

/// One side of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which.
    pub side: Side,
    /// The classes planned or realised, in their order, without contributions in kind.
    pub lines: Vec<(Class, Deviation)>,
    /// Of all lines together.
    pub total: Deviation,
    /// Of contributions in kind.
    pub in_kind: Deviation,
    /// Of everything.
    pub grand_total: Deviation,
}

impl FinancialReport {
    /// From the lines of a budget, exactly; without one every sum is zero.
    pub fn new(budget: Option<&Budget>, grant: Money) -> Self {
        let none = Lines::default();
        let (planned, realised, threshold) = budget.map_or((&none, &none, Rate::TENTH), |budget| {
            (&budget.planned, &budget.realised, budget.threshold)
        });
        let table = |side| Table::new(side, planned, realised, threshold);
        let income = table(Side::Income);
        Self {
            expenses: table(Side::Expenses),
            recorded: !realised.is_empty(),
            grant,
            grant_rate: share(grant, income.total.realised),
            income,
        }
    }
}

impl Table {
    fn new(side: Side, planned: &Lines, realised: &Lines, threshold: Rate) -> Self {
        // That each side can be summed was checked when the lines were taken: so can a part of it.
        let sum = |amount: &dyn Fn(&Lines) -> Option<Money>| {
            let of = |lines: &Lines| amount(lines).unwrap_or(Money::ZERO);
            Deviation::new(of(planned), of(realised), threshold)
        };
        let in_kind = Class::in_kind(side);
        let mut classes: Vec<Class> = planned
            .iter()
            .chain(realised.iter())
            .map(|(class, _)| class)
            .filter(|class| class.side() == side && *class != in_kind)
            .collect();
        classes.sort_unstable();
        classes.dedup();
        Self {
            side,
            lines: classes
                .into_iter()
                .map(|class| (class, sum(&|lines| Some(lines.amount(class)))))
                .collect(),
            total: sum(&|lines| lines.total_in_money(side)),
            in_kind: sum(&|lines| Some(lines.amount(in_kind))),
            grand_total: sum(&|lines| lines.total(side)),
        }
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::BudgetName;
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn budget(planned: &[(i16, i64)], realised: &[(i16, i64)]) -> Budget {
        let lines =
            |amounts: &[(i16, i64)]| {
                Lines::new(amounts.iter().map(|(class, cents)| {
                    ((*class).try_into().unwrap(), Money::from_cents(*cents))
                }))
            };
        let id = "0198b2e6-c000-7abc-8def-0123456789ab";
        Budget {
            name: format!("operators/{id}/conventions/{id}/budget")
                .parse::<BudgetName>()
                .unwrap(),
            planned: lines(planned),
            realised: lines(realised),
            threshold: Rate::TENTH,
            cases: Vec::new(),
            revision: 1,
            create_time: datetime!(2025-10-07 09:00 UTC),
            update_time: datetime!(2025-10-07 09:00 UTC),
        }
    }

    #[test]
    fn the_accounts_set_contributions_in_kind_apart() {
        let budget = budget(
            &[
                (62, 150_000),
                (64, 1_000_000),
                (74, 1_150_000),
                (86, 50_000),
                (87, 50_000),
            ],
            &[
                (61, 15_000),
                (64, 1_035_000),
                (74, 1_200_000),
                (86, 60_000),
                (87, 60_000),
            ],
        );
        let report = FinancialReport::new(Some(&budget), Money::from_cents(1_150_000));
        assert!(report.recorded);
        let classes: Vec<_> = report
            .expenses
            .lines
            .iter()
            .map(|(class, deviation)| (class.number(), deviation.amount()))
            .collect();
        assert_eq!(
            classes,
            [
                (61, Money::from_cents(15_000)),
                (62, Money::from_cents(-150_000)),
                (64, Money::from_cents(35_000)),
            ]
        );
        assert_eq!(report.expenses.total.realised, Money::from_cents(1_050_000));
        assert_eq!(report.expenses.in_kind.amount(), Money::from_cents(10_000));
        assert_eq!(
            report.expenses.grand_total.realised,
            Money::from_cents(1_110_000)
        );
        assert_eq!(report.income.total.planned, Money::from_cents(1_150_000));
        // 11 500 of 12 000 received in money.
        assert_eq!(report.grant_rate, Some("0.9583".parse().unwrap()));
    }

    #[test]
    fn without_a_budget_everything_is_zero() {
        let report = FinancialReport::new(None, Money::from_cents(100));
        assert!(!report.recorded && report.expenses.lines.is_empty());
        assert_eq!(report.income.grand_total.amount(), Money::ZERO);
        assert_eq!(report.grant_rate, None);
    }

    proptest! {
        /// Whatever is planned and realised: lines add up to their total, and with what is in kind to the grand total.
        #[test]
        fn the_lines_add_up(
            planned in prop::collection::vec((0..21_usize, 0..1_000_000_i64), 0..21),
            realised in prop::collection::vec((0..21_usize, 0..1_000_000_i64), 0..21),
        ) {
            let classes: Vec<i16> = (60..=68).chain(70..=79).chain([86, 87]).collect();
            let numbered = |lines: &[(usize, i64)]| -> Vec<_> {
                lines.iter().map(|(index, cents)| (classes[*index], *cents)).collect()
            };
            let budget = budget(&numbered(&planned), &numbered(&realised));
            let report = FinancialReport::new(Some(&budget), Money::ZERO);
            for table in [&report.expenses, &report.income] {
                for amount in [
                    |it: &Deviation| it.planned,
                    |it: &Deviation| it.realised,
                    |it: &Deviation| it.amount(),
                ] {
                    let lines = Money::sum(table.lines.iter().map(|(_, line)| amount(line)));
                    prop_assert_eq!(lines, Some(amount(&table.total)));
                    prop_assert_eq!(
                        amount(&table.total).checked_add(amount(&table.in_kind)),
                        Some(amount(&table.grand_total))
                    );
                }
            }
            let sides = [budget.planned.total(Side::Expenses), budget.planned.total(Side::Income)];
            let totals = [report.expenses.grand_total.planned, report.income.grand_total.planned];
            prop_assert_eq!(sides, totals.map(Some));
        }
    }
}
