//! Lines of a budget by account class, and how far the realised ones are from the planned.

use std::collections::BTreeMap;

use nonrecours_kernel::{Invalid, Money, Rate};
use rust_decimal::{Decimal, RoundingStrategy};

/// Decimals of a deviation rate.
const RATE_SCALE: u32 = 4;

/// Classes of expenses and of income, with their French names (plan comptable des associations, règlement ANC 2018-06).
const CLASSES: [(i16, Side, &str); 21] = [
    (60, Side::Expenses, "Achats"),
    (61, Side::Expenses, "Services extérieurs"),
    (62, Side::Expenses, "Autres services extérieurs"),
    (63, Side::Expenses, "Impôts et taxes"),
    (64, Side::Expenses, "Charges de personnel"),
    (65, Side::Expenses, "Autres charges de gestion courante"),
    (66, Side::Expenses, "Charges financières"),
    (67, Side::Expenses, "Charges exceptionnelles"),
    (
        68,
        Side::Expenses,
        "Dotations aux amortissements, provisions et engagements",
    ),
    (
        70,
        Side::Income,
        "Vente de produits finis, de marchandises, prestations de services",
    ),
    (71, Side::Income, "Production stockée"),
    (72, Side::Income, "Production immobilisée"),
    (73, Side::Income, "Dotations et produits de tarification"),
    (74, Side::Income, "Subventions d'exploitation"),
    (75, Side::Income, "Autres produits de gestion courante"),
    (76, Side::Income, "Produits financiers"),
    (77, Side::Income, "Produits exceptionnels"),
    (
        78,
        Side::Income,
        "Reprises sur amortissements, dépréciations et provisions",
    ),
    (79, Side::Income, "Transfert de charges"),
    (
        86,
        Side::Expenses,
        "Emplois des contributions volontaires en nature",
    ),
    (87, Side::Income, "Contributions volontaires en nature"),
];

/// Side of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Charges.
    Expenses,
    /// Produits.
    Income,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Expenses, Self::Income];

    /// Its name among the subjects of a case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expenses => "EXPENSES",
            Self::Income => "INCOME",
        }
    }

    /// French name of its total.
    pub const fn total_label(self) -> &'static str {
        match self {
            Self::Expenses => "Total des charges",
            Self::Income => "Total des produits",
        }
    }
}

/// An account class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(i16);

impl Class {
    /// The class of contributions in kind: used, or received.
    pub const fn in_kind(side: Side) -> Self {
        Self(match side {
            Side::Expenses => 86,
            Side::Income => 87,
        })
    }

    /// Its number.
    pub const fn number(self) -> i16 {
        self.0
    }

    /// On which side it stands, and its French name.
    fn entry(self) -> (Side, &'static str) {
        CLASSES
            .iter()
            .find(|(number, ..)| *number == self.0)
            .map_or((Side::Expenses, ""), |(_, side, label)| (*side, *label))
    }

    /// On which side it stands.
    pub fn side(self) -> Side {
        self.entry().0
    }

    /// Its French name.
    pub fn label(self) -> &'static str {
        self.entry().1
    }
}

impl TryFrom<i16> for Class {
    type Error = Invalid;

    /// Refused with `ACCOUNT_CLASS_UNKNOWN`.
    fn try_from(number: i16) -> Result<Self, Invalid> {
        if CLASSES.iter().any(|(known, ..)| *known == number) {
            Ok(Self(number))
        } else {
            Err(Invalid::new(
                "ACCOUNT_CLASS_UNKNOWN",
                "the classes are 60 to 68, 70 to 79, 86 and 87",
                "Les comptes du budget vont de 60 à 68 et de 70 à 79, avec 86 et 87 pour les contributions en nature.",
            ))
        }
    }
}

/// Amounts by class, each zero or more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<Class, Money>);

impl Lines {
    /// Of classes that differ; of two lines of a class the last one counts.
    pub fn new(lines: impl IntoIterator<Item = (Class, Money)>) -> Self {
        Self(lines.into_iter().collect())
    }

    /// Each class with its amount, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Class, Money)> {
        self.0.iter().map(|(class, amount)| (*class, *amount))
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Amount of a class; zero where there is no line.
    pub fn amount(&self, class: Class) -> Money {
        self.0.get(&class).copied().unwrap_or(Money::ZERO)
    }

    /// Sum of a side; nothing when it is more than an amount can be.
    pub fn total(&self, side: Side) -> Option<Money> {
        Money::sum(
            self.iter()
                .filter(|(class, _)| class.side() == side)
                .map(|(_, amount)| amount),
        )
    }

    /// The same without contributions in kind.
    pub fn total_in_money(&self, side: Side) -> Option<Money> {
        self.total(side)?
            .checked_sub(self.amount(Class::in_kind(side)))
    }

    /// Refused with `BUDGET_UNBALANCED` unless expenses and income agree, contributions in kind among themselves too, and
    /// with `AMOUNT_RANGE` when a side is more than an amount can be.
    pub fn balanced(self) -> Result<Self, Invalid> {
        let (Some(expenses), Some(income)) = (self.total(Side::Expenses), self.total(Side::Income))
        else {
            return Err(too_much());
        };
        let in_kind = (
            self.amount(Class::in_kind(Side::Expenses)),
            self.amount(Class::in_kind(Side::Income)),
        );
        if expenses == income && in_kind.0 == in_kind.1 {
            return Ok(self);
        }
        Err(Invalid::new(
            "BUDGET_UNBALANCED",
            format!(
                "expenses come to {expenses} EUR and income to {income} EUR, in kind to {} and {} EUR: they must agree",
                in_kind.0, in_kind.1
            ),
            format!(
                "Le budget n'est pas équilibré : {} de charges et {} de produits, dont en nature {} (86) et {} (87).",
                expenses.french(),
                income.french(),
                in_kind.0.french(),
                in_kind.1.french()
            ),
        ))
    }

    /// Refused with `AMOUNT_RANGE` when a side is more than an amount can be.
    pub fn summable(self) -> Result<Self, Invalid> {
        if Side::ALL.iter().all(|side| self.total(*side).is_some()) {
            Ok(self)
        } else {
            Err(too_much())
        }
    }
}

fn too_much() -> Invalid {
    Invalid::new(
        "AMOUNT_RANGE",
        "the lines come to more than an amount can be",
        "Le total des lignes dépasse ce qu'un montant peut être : vérifiez les montants.",
    )
}

/// How far a realised amount is from the planned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Planned.
    pub planned: Money,
    /// Realised.
    pub realised: Money,
    /// Whether it is above the threshold, either way.
    pub significant: bool,
}

impl Deviation {
    /// Between two amounts of zero or more. It is significant above that share of the planned amount: exactly, nothing is
    /// rounded.
    pub fn new(planned: Money, realised: Money, threshold: Rate) -> Self {
        let distance = (realised.amount() - planned.amount()).abs();
        Self {
            planned,
            realised,
            significant: distance > planned.amount() * threshold.value(),
        }
    }

    /// Realised minus planned.
    pub fn amount(&self) -> Money {
        // Both lie between zero and the largest amount: so does their distance.
        self.realised
            .checked_sub(self.planned)
            .unwrap_or(Money::ZERO)
    }

    /// The same as a share of the planned amount, rounded half away from zero; nothing when nothing was planned.
    pub fn rate(&self) -> Option<Decimal> {
        share(self.amount(), self.planned)
    }
}

/// One amount as a share of another, rounded half away from zero; nothing when the other is zero.
pub fn share(part: Money, whole: Money) -> Option<Decimal> {
    let share = part.amount().checked_div(whole.amount())?;
    Some(
        share
            .round_dp_with_strategy(RATE_SCALE, RoundingStrategy::MidpointAwayFromZero)
            .normalize(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(number: i16) -> Class {
        number.try_into().unwrap()
    }

    fn lines(lines: &[(i16, i64)]) -> Lines {
        Lines::new(
            lines
                .iter()
                .map(|(number, cents)| (class(*number), Money::from_cents(*cents))),
        )
    }

    fn deviation(planned: i64, realised: i64) -> Deviation {
        Deviation::new(
            Money::from_cents(planned),
            Money::from_cents(realised),
            Rate::TENTH,
        )
    }

    #[test]
    fn classes_are_those_of_the_chart_of_accounts() {
        for unknown in [59, 69, 80, 85, 88] {
            let refused = Class::try_from(unknown).unwrap_err();
            assert_eq!(refused.reason, "ACCOUNT_CLASS_UNKNOWN");
        }
        assert_eq!(class(64).label(), "Charges de personnel");
        assert_eq!(class(86).side(), Side::Expenses);
        assert_eq!(class(87).side(), Side::Income);
        assert!(CLASSES.iter().all(|(.., label)| !label.is_empty()));
    }

    #[test]
    fn a_planned_budget_is_balanced_in_money_and_in_kind() {
        let balanced = lines(&[(60, 100), (64, 900), (74, 1000), (86, 50), (87, 50)]);
        assert!(balanced.balanced().is_ok());
        for unbalanced in [
            lines(&[(64, 900), (74, 1000)]),
            // As much in all, but what is given in kind is not what is used.
            lines(&[(64, 900), (86, 100), (74, 1000)]),
        ] {
            assert_eq!(
                unbalanced.balanced().unwrap_err().reason,
                "BUDGET_UNBALANCED"
            );
        }
        let largest = 99_999_999_999_999;
        let too_much = lines(&[(60, largest), (61, 1), (74, largest)]);
        assert_eq!(
            too_much.clone().balanced().unwrap_err().reason,
            "AMOUNT_RANGE"
        );
        assert_eq!(too_much.summable().unwrap_err().reason, "AMOUNT_RANGE");
    }

    #[test]
    fn the_threshold_is_exceeded_not_reached_to_the_cent() {
        assert!(!deviation(100_000, 110_000).significant);
        assert!(deviation(100_000, 110_001).significant);
        assert!(!deviation(100_000, 90_000).significant);
        assert!(deviation(100_000, 89_999).significant);
        // A tenth of an odd sum is not a whole number of cents: 10.5 cents stand between 10 and 11.
        assert!(!deviation(105, 115).significant);
        assert!(deviation(105, 116).significant);
        assert!(deviation(0, 1).significant);
        assert!(!deviation(0, 0).significant);
    }

    #[test]
    fn rates_are_rounded_half_away_from_zero() {
        let rate = |planned, realised| deviation(planned, realised).rate().map(|it| it.to_string());
        assert_eq!(rate(100_000, 87_500).as_deref(), Some("-0.125"));
        assert_eq!(rate(20_000, 20_001).as_deref(), Some("0.0001"));
        assert_eq!(rate(20_000, 19_999).as_deref(), Some("-0.0001"));
        assert_eq!(rate(300, 400).as_deref(), Some("0.3333"));
        assert_eq!(rate(0, 400), None);
    }

    proptest! {
        #[test]
        fn the_deviations_of_the_classes_add_up_to_that_of_their_side(
            planned in prop::collection::vec(0..1_000_000_i64, 9),
            realised in prop::collection::vec(0..1_000_000_i64, 9),
        ) {
            let all = |amounts: &[i64]| {
                let numbered: Vec<_> = (60..=68).zip(amounts.iter().copied()).collect();
                lines(&numbered)
            };
            let (planned, realised) = (all(&planned), all(&realised));
            let of_classes = Money::sum((60..=68).map(|number| {
                let class = class(number);
                Deviation::new(planned.amount(class), realised.amount(class), Rate::TENTH).amount()
            }));
            let total = |lines: &Lines| lines.total(Side::Expenses).unwrap();
            let whole = Deviation::new(total(&planned), total(&realised), Rate::TENTH);
            prop_assert_eq!(of_classes, Some(whole.amount()));
        }
    }
}
