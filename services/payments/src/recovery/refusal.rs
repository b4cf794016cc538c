//! Why a step of a recovery is refused.

use nonrecours_kernel::{Money, Text, french_date};
use nonrecours_rpc::Failure;
use time::Date;
use tonic::Code;

use super::{State, domain::MAX_ACTS};
use crate::error::{DOMAIN, Error};

/// A step that is not made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// All that is to recover is claimed, or nothing is.
    NothingToRecover,
    /// It is not known of which programme the convention is.
    ProgrammeUnknown,
    /// A public body signs no contrat d'engagement républicain.
    CommitmentNotApplicable,
    /// A breach is recovered already.
    BreachRecovered,
    /// The convention's period is not known.
    PeriodUnknown,
    /// The day lies outside these, both included.
    DateOutOfRange {
        /// The first.
        first: Date,
        /// The last.
        last: Date,
    },
    /// Nothing remains of it.
    Closed(State),
    /// The operator was told already.
    Notified,
    /// The operator was not told.
    NotNotified,
    /// More than this, which remains.
    Exceeded(Money),
    /// The reference stands for another receipt.
    ReceiptKnown,
    /// The instalment is not paid.
    OffsetUnpaid,
    /// More than this, which the instalment has left.
    OffsetExceeded(Money),
    /// It has as many acts as it can have.
    Full,
    /// The caller issued it.
    SeparationOfDuties,
}

impl Refusal {
    /// Value of the contract's `ErrorReason`, without its prefix.
    fn reason(&self) -> &'static str {
        match self {
            Self::NothingToRecover => "NOTHING_TO_RECOVER",
            Self::ProgrammeUnknown => "RECOVERY_PROGRAMME_UNKNOWN",
            Self::CommitmentNotApplicable => "REPUBLICAN_COMMITMENT_NOT_APPLICABLE",
            Self::BreachRecovered => "BREACH_RECOVERED",
            Self::PeriodUnknown => "RECOVERY_PERIOD_UNKNOWN",
            Self::DateOutOfRange { .. } => "RECOVERY_DATE_OUT_OF_RANGE",
            Self::Closed(_) => "RECOVERY_CLOSED",
            Self::Notified => "RECOVERY_NOTIFIED",
            Self::NotNotified => "RECOVERY_NOT_NOTIFIED",
            Self::Exceeded(_) => "RECOVERY_EXCEEDED",
            Self::ReceiptKnown => "RECEIPT_KNOWN",
            Self::OffsetUnpaid => "OFFSET_INSTALMENT_UNPAID",
            Self::OffsetExceeded(_) => "OFFSET_EXCEEDED",
            Self::Full => "RECOVERY_FULL",
            Self::SeparationOfDuties => "SEPARATION_OF_DUTIES",
        }
    }

    /// What to tell the caller.
    fn text(&self) -> Text {
        match self {
            Self::NothingToRecover => Text::new(
                "Nothing is to be recovered that no recovery claims already.",
                "Il n'y a rien à recouvrer qu'un titre de recette ne réclame déjà : consultez l'échéancier.",
            ),
            Self::ProgrammeUnknown => Text::new(
                "It is not known of which programme the convention is.",
                "Le programme de cette convention n'est pas encore connu ici : réessayez dans un instant, ou enregistrez à \
                 nouveau la convention.",
            ),
            Self::CommitmentNotApplicable => Text::new(
                "A public body signs no contrat d'engagement républicain.",
                "Un organisme public ne souscrit pas de contrat d'engagement républicain : émettez le titre sur une décision \
                 de l'article 8.",
            ),
            Self::BreachRecovered => Text::new(
                "A breach is recovered already.",
                "Un titre de recette réclame déjà la part à restituer pour manquement au contrat d'engagement républicain.",
            ),
            Self::PeriodUnknown => Text::new(
                "The period of the convention is not known.",
                "La période de la convention n'est pas encore connue ici : enregistrez à nouveau la convention, puis \
                 recommencez.",
            ),
            Self::DateOutOfRange { first, last } => Text::new(
                format!("The day must lie between {first} and {last}."),
                format!(
                    "La date doit être comprise entre le {} et le {}.",
                    french_date(*first),
                    french_date(*last)
                ),
            ),
            Self::Closed(state) => {
                let (en, fr) = match state {
                    State::Cancelled => ("cancelled", "annulé"),
                    State::WrittenOff => ("written off", "admis en non-valeur"),
                    _ => ("recovered", "recouvré"),
                };
                Text::new(
                    format!("Nothing remains of the recovery: it is {en}."),
                    format!("Il ne reste rien de ce titre de recette : il est {fr}."),
                )
            }
            Self::Notified => Text::new(
                "The operator was notified already.",
                "Ce titre de recette est déjà notifié : il n'y a rien à refaire.",
            ),
            Self::NotNotified => Text::new(
                "The operator was not notified of the recovery.",
                "Ce titre de recette n'est pas notifié à l'opérateur : il doit l'être avant une admission en non-valeur.",
            ),
            Self::Exceeded(left) => Text::new(
                format!("Only {left} remains of the recovery."),
                format!("Il ne reste que {} sur ce titre de recette.", left.french()),
            ),
            Self::ReceiptKnown => Text::new(
                "The reference stands for another receipt of this recovery.",
                "Cette référence désigne déjà un autre encaissement de ce titre : vérifiez le montant et la date.",
            ),
            Self::OffsetUnpaid => Text::new(
                "The instalment is not paid: nothing of it can be kept.",
                "Cette échéance n'est pas payée : la compensation s'enregistre avec ou après son paiement.",
            ),
            Self::OffsetExceeded(left) => Text::new(
                format!("Only {left} of the instalment is left to be set off against."),
                format!(
                    "Il ne reste que {} de cette échéance à compenser.",
                    left.french()
                ),
            ),
            Self::Full => Text::new(
                format!("The recovery has {MAX_ACTS} acts already."),
                format!(
                    "Ce titre de recette porte déjà {MAX_ACTS} opérations : regroupez les encaissements."
                ),
            ),
            Self::SeparationOfDuties => Text::new(
                "You have issued this recovery: another person must record what is received.",
                "Vous avez émis ce titre de recette : l'encaissement revient à une autre personne (séparation des fonctions).",
            ),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (reason, text) = (refusal.reason(), refusal.text());
        Failure::new(Code::FailedPrecondition, DOMAIN, reason, text).into()
    }
}
