//! That a person was erased, and why.

use nonrecours_kernel::{BeneficiaryName, ErasureName, Invalid};
use time::OffsetDateTime;

use crate::codes::codes;

codes! {
    /// Why a person is erased.
    ErasureReason {
        /// The person asked for it (RGPD art. 17).
        SubjectRequest = "SUBJECT_REQUEST",
        /// The person objects to being followed (RGPD art. 21).
        Objection = "OBJECTION",
        /// Nothing happened for as long as records are kept (RGPD art. 5).
        Retention = "RETENTION",
        /// The record should never have been there.
        Mistake = "MISTAKE",
    }
}

impl ErasureReason {
    /// Whether the person still counts: what was done was done, unless there was never anybody.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Mistake)
    }

    /// Whether the person wants it: who asked that records be stored and nothing else may still need them.
    pub const fn is_the_persons(self) -> bool {
        matches!(self, Self::SubjectRequest | Self::Objection)
    }

    /// Why, as histories say it.
    pub const fn why(self) -> &'static str {
        match self {
            Self::SubjectRequest => "demande d'effacement de la personne",
            Self::Objection => "opposition de la personne",
            Self::Retention => "durée de conservation échue",
            Self::Mistake => "fiche enregistrée par erreur",
        }
    }
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its name.
    pub name: ErasureName,
    /// The name that the person's record had.
    pub beneficiary: BeneficiaryName,
    /// Why.
    pub reason: ErasureReason,
    /// What went with the person.
    pub records: Records,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When the person was erased.
    pub create_time: OffsetDateTime,
    /// When a reference was last released.
    pub update_time: OffsetDateTime,
}

/// How many records went with a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Rights.
    pub entitlements: i32,
    /// Steps.
    pub steps: i32,
    /// Notes.
    pub notes: i32,
    /// Referrals.
    pub referrals: i32,
}

/// `BENEFICIARY_ERASED`.
pub fn beneficiary_erased() -> Invalid {
    Invalid::new(
        "BENEFICIARY_ERASED",
        "the person of this reference was erased: give another reference, or release this one",
        "la personne de cette référence a été effacée : donnez une autre référence, ou faites lever l'effacement de \
         celle-ci par votre responsable",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mistake_counts_no_more() {
        for reason in ErasureReason::ALL {
            assert_eq!(reason.counts(), *reason != ErasureReason::Mistake);
            assert!(!reason.why().is_empty());
        }
    }
}
