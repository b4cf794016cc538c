//! The kinds of things due, and the rule behind each.

use crate::operator::duty::{REPORT_BASIS, REPUBLICAN_BASIS};

/// Kind of a thing due, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The report of a convention.
    ActivityReport,
    /// The publication of a grant.
    GrantPublication,
    /// The transmission of an act.
    ActTransmission,
    /// The publication of an act.
    ActPublication,
    /// The end of the budget year.
    BudgetYearEnd,
    /// The last day for payment orders on the past budget year.
    LastPaymentOrder,
    /// The territory's report to the State.
    StateReport,
    /// An instalment of the State.
    StateInstalment,
    /// The end of the delay of a formal notice.
    FormalNotice,
    /// The reminder of a commitment.
    CommitmentReminder,
    /// A commitment.
    Commitment,
    /// A hearing.
    Hearing,
    /// A deviation to decide on.
    DeviationCase,
    /// The financial report of an operator of private law.
    FinancialReport,
    /// The contrat d'engagement républicain of an association.
    RepublicanCommitment,
    /// The indicative end of a convention.
    IndicativeEnd,
}

impl Kind {
    /// The rule that makes it due.
    pub const fn legal_basis(self) -> &'static str {
        match self {
            Self::ActivityReport => "art. 5 et 8 de la convention",
            Self::GrantPublication => {
                "décret n° 2017-779 du 5 mai 2017 : dans les trois mois de la signature"
            }
            Self::ActTransmission | Self::ActPublication => {
                "art. L. 2131-1 du CGCT (rappel fixé à 15 jours de la décision)"
            }
            Self::BudgetYearEnd => "annualité budgétaire, art. L. 1612-1 et s. du CGCT",
            Self::LastPaymentOrder => "journée complémentaire, art. L. 1612-11 du CGCT",
            Self::StateReport | Self::StateInstalment => "convention avec l'État",
            Self::FormalNotice => "art. 7 de la convention",
            Self::CommitmentReminder => {
                "art. 4 de la convention (rappel fixé à 30 jours de l'échéance)"
            }
            Self::Commitment => "art. 4 de la convention",
            Self::Hearing => {
                "art. 8 de la convention : rien n'est décidé sans avoir entendu l'opérateur"
            }
            Self::DeviationCase => {
                "art. 8 de la convention (rappel fixé à 30 jours de l'ouverture)"
            }
            Self::FinancialReport => REPORT_BASIS,
            Self::RepublicanCommitment => REPUBLICAN_BASIS,
            Self::IndicativeEnd => "art. 5 de la convention",
        }
    }
}
