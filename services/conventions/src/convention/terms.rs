//! The terms of a convention: open to change while it is a draft, fixed from the first signature on.

use nonrecours_kernel::{BudgetYear, FrameworkConventionName, Invalid, Money, Rate};
use time::Date;

use super::{
    party::{ByParty, Party},
    targets::Targets,
};
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
    /// How many originals are signed.
    pub originals: Originals,
    /// Codes of the target publics (art. 2).
    pub target_publics: Vec<String>,
    /// Objectives (art. 2).
    pub objectives: Vec<String>,
    /// Commitments of the operator (art. 4).
    pub commitments: Vec<Commitment>,
    /// What the operator is to achieve.
    pub targets: Targets,
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

/// Number of originals of a signed document: one a party at least, and not more than people sign by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Originals(i16);

impl Originals {
    /// As many as the document has when nobody says otherwise.
    pub const DEFAULT: Self = Self(3);
    /// Most.
    const MAX: i32 = 20;

    /// Reads a number; 0 stands for the default. Refused with `ORIGINALS_RANGE`.
    pub fn new(number: i32) -> Result<Self, Invalid> {
        match i16::try_from(number) {
            Ok(0) => Ok(Self::DEFAULT),
            Ok(number) if (2..=Self::MAX).contains(&i32::from(number)) => Ok(Self(number)),
            _ => Err(Invalid::new(
                "ORIGINALS_RANGE",
                format!(
                    "there are between 2 originals, one a party, and {}",
                    Self::MAX
                ),
                format!(
                    "Il faut entre deux exemplaires originaux, un par partie, et {}.",
                    Self::MAX
                ),
            )),
        }
    }

    /// The number.
    pub const fn get(self) -> i16 {
        self.0
    }
}

/// Kind of an instalment, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstalmentKind {
    /// Acompte, the first.
    Advance,
    /// Acompte intermédiaire.
    Interim {
        /// What it waits for.
        condition: String,
        /// Day on which it is expected to fall due.
        due: Option<Date>,
    },
    /// Solde, the last.
    Balance,
}

impl InstalmentKind {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Advance => "ADVANCE",
            Self::Interim { .. } => "INTERIM",
            Self::Balance => "BALANCE",
        }
    }

    /// What it waits for, of an interim.
    pub fn condition(&self) -> Option<&str> {
        match self {
            Self::Interim { condition, .. } => Some(condition),
            Self::Advance | Self::Balance => None,
        }
    }

    /// When it is expected to fall due, of an interim.
    pub const fn due(&self) -> Option<Date> {
        match self {
            Self::Interim { due, .. } => *due,
            Self::Advance | Self::Balance => None,
        }
    }
}

/// The instalments: shares above 0 that add up to 1; at most one advance, the first; one balance, the last; interims
/// between them, their due dates in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instalments(Vec<(InstalmentKind, Rate)>);

impl Instalments {
    /// Refused with `SHARE_ZERO`, `BALANCE_NOT_LAST`, `ADVANCE_NOT_FIRST`, `DUE_DATES_OUT_OF_ORDER` or `RATES_TOTAL`.
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
        let last = terms.last().map(|(kind, _)| kind);
        if balances.count() != 1 || last != Some(&InstalmentKind::Balance) {
            return Err(Invalid::new(
                "BALANCE_NOT_LAST",
                "there is exactly one balance, and it comes last",
                "Il faut un seul solde, en dernière échéance.",
            ));
        }
        let mut after_first = terms.iter().skip(1);
        if after_first.any(|(kind, _)| *kind == InstalmentKind::Advance) {
            return Err(Invalid::new(
                "ADVANCE_NOT_FIRST",
                "there is at most one advance, and it comes first; those between are interims",
                "Il y a au plus un acompte initial, en première échéance : les suivants sont des acomptes \
                 intermédiaires.",
            ));
        }
        if !terms.iter().filter_map(|(kind, _)| kind.due()).is_sorted() {
            return Err(Invalid::new(
                "DUE_DATES_OUT_OF_ORDER",
                "the due dates follow the order of the instalments",
                "Les dates d'échéance doivent suivre l'ordre des échéances.",
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

    fn year_later(mut self) -> Self {
        for (kind, _) in &mut self.0 {
            if let InstalmentKind::Interim { due: Some(due), .. } = kind {
                *due = year_later(*due);
            }
        }
        self
    }
}

/// The same day a year later; the day before for 29 February. Years end long after the last budget year.
fn year_later(day: Date) -> Date {
    let year = day.year() + 1;
    day.replace_year(year)
        .or_else(|_| day.replace_day(28).and_then(|day| day.replace_year(year)))
        .unwrap_or(day)
}

impl Terms {
    /// What the terms contradict among themselves, by field: `END_BEFORE_BUDGET_YEAR`, `INSTALMENT_EMPTY`,
    /// `DUE_BEFORE_BUDGET_YEAR`.
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
        let first_due = self
            .instalments
            .terms()
            .iter()
            .find_map(|(kind, _)| kind.due());
        if first_due.is_some_and(|due| due < self.budget_year.first_day()) {
            found.push((
                "instalment_terms",
                Invalid::new(
                    "DUE_BEFORE_BUDGET_YEAR",
                    "an instalment falls due before the budget year begins",
                    "Une échéance précède l'exercice budgétaire : corrigez sa date ou l'exercice.",
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

    /// The same terms for the next budget year under a framework convention: every date a year later, the year in the
    /// title too, nobody empowered yet. Nothing after the last budget year.
    pub fn renewed(self, framework_convention: FrameworkConventionName) -> Option<Self> {
        let budget_year = BudgetYear::try_from(self.budget_year.get().checked_add(1)?).ok()?;
        let unempowered = |signatory: Option<Signatory>| {
            signatory.map(|signatory| Signatory {
                empowering_decision: None,
                ..signatory
            })
        };
        Some(Self {
            framework_convention,
            title: self
                .title
                .replace(&self.budget_year.to_string(), &budget_year.to_string()),
            budget_year,
            instalments: self.instalments.year_later(),
            indicative_end: year_later(self.indicative_end),
            signatories: ByParty {
                authority: unempowered(self.signatories.authority),
                operator: unempowered(self.signatories.operator),
            },
            ..self
        })
    }

    /// The terms with a party's empowering decision on the day of its act: fills a blank date, refuses another day.
    pub fn empowered(self, party: Party, act: Date) -> Result<Self, Refusal> {
        Ok(Self {
            signatories: self.signatories.empowered(party, act)?,
            ..self
        })
    }

    /// Whether what the operator is to do is the same: for whom, to what end, what it undertakes, until when.
    pub fn same_actions(&self, other: &Self) -> bool {
        self.target_publics == other.target_publics
            && self.objectives == other.objectives
            && self.commitments == other.commitments
            && self.targets == other.targets
            && self.indicative_end == other.indicative_end
    }
}

impl ByParty<Option<Signatory>> {
    /// The signatories with a party's empowering decision on the day of its act: fills a blank date, refuses another day.
    pub fn empowered(mut self, party: Party, act: Date) -> Result<Self, Refusal> {
        if let Some(signatory) = self.get_mut(party) {
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
    /// New number.
    pub originals: Option<Originals>,
    /// New publics.
    pub target_publics: Option<Vec<String>>,
    /// New objectives.
    pub objectives: Option<Vec<String>>,
    /// New commitments.
    pub commitments: Option<Vec<Commitment>>,
    /// New targets.
    pub targets: Option<Targets>,
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
            originals: self.originals?,
            target_publics: self.target_publics?,
            objectives: self.objectives?,
            commitments: self.commitments?,
            targets: self.targets?,
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
            originals: self.originals.unwrap_or(terms.originals),
            target_publics: self.target_publics.unwrap_or(terms.target_publics),
            objectives: self.objectives.unwrap_or(terms.objectives),
            commitments: self.commitments.unwrap_or(terms.commitments),
            targets: self.targets.unwrap_or(terms.targets),
            indicative_end: self.indicative_end.unwrap_or(terms.indicative_end),
            signatories: self.signatories.unwrap_or(terms.signatories),
        }
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
