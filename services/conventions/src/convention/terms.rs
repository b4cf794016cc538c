//! The terms of a convention: open to change while it is a draft, fixed from the first signature on.

use nonrecours_kernel::{BudgetYear, FrameworkConventionName, Invalid, Money, Rate};
use time::Date;

use super::party::{ByParty, Party};
use crate::refusal::Refusal;

/// What the parties agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Framework convention it hangs under.
    pub framework_convention: FrameworkConventionName,
    /// Title.
    pub title: String,
    /// Budget year the grant is charged to (art. 3).
    pub budget_year: BudgetYear,
    /// Grant, positive (art. 3).
    pub grant: Money,
    /// How it is paid (art. 6).
    pub instalments: Instalments,
    /// Whether the advance is paid without a written call.
    pub advance_without_call: bool,
    /// Codes of the target publics (art. 2).
    pub target_publics: Vec<String>,
    /// Objectives (art. 2).
    pub objectives: Vec<String>,
    /// Commitments of the operator (art. 4).
    pub commitments: Vec<Commitment>,
    /// Latest end of the actions, indicative (art. 5).
    pub indicative_end: Date,
    /// Who signs for each party.
    pub signatories: ByParty<Option<Signatory>>,
}

/// One of the operator's duties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Unique in the convention.
    pub code: String,
    /// As the convention words it.
    pub text: String,
}

/// Who signs for a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatory {
    /// Given name and surname.
    pub full_name: String,
    /// In what capacity.
    pub capacity: String,
    /// Day of the decision that empowers them; none while it is not taken.
    pub empowering_decision: Option<Date>,
}

/// Kind of an instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstalmentKind {
    /// Acompte.
    Advance,
    /// Solde.
    Balance,
}

impl InstalmentKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Advance, Self::Balance];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advance => "ADVANCE",
            Self::Balance => "BALANCE",
        }
    }
}

/// The instalments: shares above 0 that add up to 1; one balance, the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instalments(Vec<(InstalmentKind, Rate)>);

impl Instalments {
    /// Refused with `SHARE_ZERO`, `BALANCE_NOT_LAST` or `RATES_TOTAL`.
    pub fn new(terms: Vec<(InstalmentKind, Rate)>) -> Result<Self, Invalid> {
        if terms.iter().any(|(_, share)| *share == Rate::ZERO) {
            return Err(Invalid::new(
                "SHARE_ZERO",
                "the share of an instalment is above 0",
                "La part d'une échéance doit être supérieure à zéro.",
            ));
        }
        let balances = terms
            .iter()
            .filter(|(kind, _)| *kind == InstalmentKind::Balance);
        let last = terms.last().map(|(kind, _)| *kind);
        if balances.count() != 1 || last != Some(InstalmentKind::Balance) {
            return Err(Invalid::new(
                "BALANCE_NOT_LAST",
                "there is exactly one balance, and it comes last",
                "Il faut un seul solde, en dernière échéance.",
            ));
        }
        let instalments = Self(terms);
        Money::ZERO.allocate(&instalments.shares())?;
        Ok(instalments)
    }

    /// Kind and share of each, in order.
    pub fn terms(&self) -> &[(InstalmentKind, Rate)] {
        &self.0
    }

    /// What each comes to: its share rounded half-up to the cent, the last one the remainder.
    pub fn amounts(&self, grant: Money) -> Vec<Money> {
        // The shares were checked when the instalments were made.
        grant.allocate(&self.shares()).unwrap_or_default()
    }

    fn shares(&self) -> Vec<Rate> {
        self.0.iter().map(|(_, share)| *share).collect()
    }
}

impl Terms {
    /// What the terms contradict among themselves, by field: `END_BEFORE_BUDGET_YEAR`, `INSTALMENT_EMPTY`.
    pub fn contradictions(&self) -> Vec<(&'static str, Invalid)> {
        let mut found = Vec::new();
        let amounts = self.instalments.amounts(self.grant);
        if !amounts.iter().all(|amount| amount.is_positive()) {
            found.push((
                "instalment_terms",
                Invalid::new(
                    "INSTALMENT_EMPTY",
                    "an instalment comes to nothing: the grant is too small for its share",
                    "Une échéance serait de zéro euro : la subvention est trop petite pour cette part.",
                ),
            ));
        }
        if self.indicative_end < self.budget_year.first_day() {
            found.push((
                "indicative_end_date",
                Invalid::new(
                    "END_BEFORE_BUDGET_YEAR",
                    "the actions end before the budget year begins",
                    "La fin des actions précède l'exercice budgétaire : corrigez l'une ou l'autre.",
                ),
            ));
        }
        found
    }

    /// The terms with a party's empowering decision on the day of its act: fills a blank date, refuses another day.
    pub fn empowered(mut self, party: Party, act: Date) -> Result<Self, Refusal> {
        if let Some(signatory) = self.signatories.get_mut(party) {
            let decision = *signatory.empowering_decision.get_or_insert(act);
            if decision != act {
                return Err(Refusal::ActDateMismatch {
                    act,
                    signatory: decision,
                });
            }
        }
        Ok(self)
    }
}

/// New values of some terms.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New framework convention.
    pub framework_convention: Option<FrameworkConventionName>,
    /// New title.
    pub title: Option<String>,
    /// New budget year.
    pub budget_year: Option<BudgetYear>,
    /// New grant.
    pub grant: Option<Money>,
    /// New instalments.
    pub instalments: Option<Instalments>,
    /// New setting.
    pub advance_without_call: Option<bool>,
    /// New publics.
    pub target_publics: Option<Vec<String>>,
    /// New objectives.
    pub objectives: Option<Vec<String>>,
    /// New commitments.
    pub commitments: Option<Vec<Commitment>>,
    /// New indicative end.
    pub indicative_end: Option<Date>,
    /// New signatories.
    pub signatories: Option<ByParty<Option<Signatory>>>,
}

impl Changes {
    /// The terms of a new convention; nothing when one is missing.
    pub fn complete(self) -> Option<Terms> {
        Some(Terms {
            framework_convention: self.framework_convention?,
            title: self.title?,
            budget_year: self.budget_year?,
            grant: self.grant?,
            instalments: self.instalments?,
            advance_without_call: self.advance_without_call?,
            target_publics: self.target_publics?,
            objectives: self.objectives?,
            commitments: self.commitments?,
            indicative_end: self.indicative_end?,
            signatories: self.signatories?,
        })
    }

    /// The terms with these values in the place of their own.
    pub fn apply(self, terms: Terms) -> Terms {
        Terms {
            framework_convention: self
                .framework_convention
                .unwrap_or(terms.framework_convention),
            title: self.title.unwrap_or(terms.title),
            budget_year: self.budget_year.unwrap_or(terms.budget_year),
            grant: self.grant.unwrap_or(terms.grant),
            instalments: self.instalments.unwrap_or(terms.instalments),
            advance_without_call: self
                .advance_without_call
                .unwrap_or(terms.advance_without_call),
            target_publics: self.target_publics.unwrap_or(terms.target_publics),
            objectives: self.objectives.unwrap_or(terms.objectives),
            commitments: self.commitments.unwrap_or(terms.commitments),
            indicative_end: self.indicative_end.unwrap_or(terms.indicative_end),
            signatories: self.signatories.unwrap_or(terms.signatories),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instalments(terms: &[(InstalmentKind, &str)]) -> Result<Instalments, Invalid> {
        Instalments::new(
            terms
                .iter()
                .map(|(kind, share)| (*kind, Rate::parse(share).unwrap()))
                .collect(),
        )
    }

    #[test]
    fn one_balance_last_and_shares_of_one() {
        use InstalmentKind::{Advance, Balance};
        let reason = |terms: &[_]| instalments(terms).unwrap_err().reason;
        assert_eq!(reason(&[]), "BALANCE_NOT_LAST");
        assert_eq!(reason(&[(Advance, "1")]), "BALANCE_NOT_LAST");
        assert_eq!(
            reason(&[(Balance, "0.2"), (Advance, "0.8")]),
            "BALANCE_NOT_LAST"
        );
        assert_eq!(
            reason(&[(Balance, "0.5"), (Balance, "0.5")]),
            "BALANCE_NOT_LAST"
        );
        assert_eq!(reason(&[(Advance, "0"), (Balance, "1")]), "SHARE_ZERO");
        assert_eq!(reason(&[(Advance, "0.8"), (Balance, "0.3")]), "RATES_TOTAL");
        let both = instalments(&[(Advance, "0.8"), (Balance, "0.2")]).unwrap();
        assert_eq!(
            both.amounts(Money::from_cents(1_150_000)),
            [Money::from_cents(920_000), Money::from_cents(230_000)]
        );
    }

    proptest! {
        #[test]
        fn the_instalments_always_add_up_to_the_grant(cents in 1..10_000_000_i64, share in 1..100_u8) {
            use InstalmentKind::{Advance, Balance};
            let both = instalments(&[
                (Advance, &format!("0.{share:02}")),
                (Balance, &format!("0.{:02}", 100 - share)),
            ]).unwrap();
            let grant = Money::from_cents(cents);
            prop_assert_eq!(Money::sum(both.amounts(grant)), Some(grant));
        }
    }
}
