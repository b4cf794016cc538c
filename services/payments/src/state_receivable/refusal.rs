//! Why a step of a receivable is refused.

use nonrecours_kernel::{Money, Text, french_date};
use nonrecours_rpc::Failure;
use time::Date;
use tonic::Code;

use super::domain::MAX_RECEIPTS;
use crate::error::{DOMAIN, Error};

/// A step that is not made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More than this, which the State owes now.
    Exceeded(Money),
    /// The reference stands for another receipt.
    Known,
    /// The day lies outside these, both included.
    DateOutOfRange {
        /// The first.
        first: Date,
        /// The last.
        last: Date,
    },
    /// No receipt that stands has the reference.
    Unknown,
    /// It has as many receipts and reversals as it can have.
    Full,
}

impl Refusal {
    /// Value of the contract's `ErrorReason`, without its prefix.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Exceeded(_) => "STATE_RECEIPT_EXCEEDED",
            Self::Known => "STATE_RECEIPT_KNOWN",
            Self::DateOutOfRange { .. } => "STATE_RECEIPT_DATE_OUT_OF_RANGE",
            Self::Unknown => "STATE_RECEIPT_UNKNOWN",
            Self::Full => "STATE_RECEIVABLE_FULL",
        }
    }

    /// What to tell the caller.
    fn text(&self) -> Text {
        match self {
            Self::Exceeded(left) => Text::new(
                format!(
                    "The State owes {left} now: the balance is due once the territory's report was sent."
                ),
                format!(
                    "L'État ne doit à ce jour que {} : le solde est exigible une fois le bilan du territoire envoyé.",
                    left.french()
                ),
            ),
            Self::Known => Text::new(
                "The reference stands for another receipt of this funding.",
                "Cette référence désigne déjà un autre versement de ce financement : vérifiez le montant et la date.",
            ),
            Self::DateOutOfRange { first, last } => Text::new(
                format!("The day must lie between {first} and {last}."),
                format!(
                    "La date doit être comprise entre le {} et le {}.",
                    french_date(*first),
                    french_date(*last)
                ),
            ),
            Self::Unknown => Text::new(
                "No receipt that stands has this reference.",
                "Aucun versement en vigueur ne porte cette référence : il n'existe pas, ou il est déjà annulé.",
            ),
            Self::Full => Text::new(
                format!("The receivable has {MAX_RECEIPTS} receipts and reversals already."),
                format!(
                    "Ce financement porte déjà {MAX_RECEIPTS} versements et annulations : regroupez-les."
                ),
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
