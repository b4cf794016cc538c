//! Why a request was not done, and the one way to a status.

use nonrecours_disclosure::MAX_ROWS;
use nonrecours_kernel::{Blocker, ConventionName, OutOfReach, Text};
use nonrecours_pg as pg;
use nonrecours_rpc::Failure;
use tonic::{Code, Status};

use crate::{
    legal_hold::domain::AlreadyLifted, merge::domain as merge, referral::domain::Refusal,
    subject_request, vault::SealError,
};

/// Domain of this service's reasons.
const DOMAIN: &str = "followup.nonrecours";

/// A request that was not done. What is wrong with one record of a batch is no error: it is a result of the batch.
#[derive(Debug)]
pub enum Error {
    /// Refused before the rules of follow-up were asked.
    Failure(Failure),
    /// The database.
    Store(pg::Error),
    /// Records are pushed only under a convention in force.
    ConventionNotInForce(ConventionName),
    /// The referral does not allow it.
    Refused(Refusal),
    /// The register of persons' requests does not allow it.
    Register(subject_request::domain::Refusal),
    /// The two records to be merged are under different conventions.
    MergeAcrossConventions,
    /// Undoing a merge would not be exact.
    MergeUndoBlocked(Vec<Blocker>),
    /// A legal hold keeps a person from being erased.
    LegalHold,
    /// A hold was lifted already.
    LegalHoldLifted,
    /// What is sealed could not be opened, or nothing sealed.
    Seal(SealError),
    /// A batch comes again under its number, but is another one.
    BatchDiffers(i64),
    /// A table would have this many rows.
    TableTooLarge(usize),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Failure(failure) => failure,
            Error::Store(error) => error.into(),
            Error::Refused(refusal) => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                refusal.reason(),
                refusal.text(),
            ),
            Error::Register(refusal) => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                refusal.reason(),
                refusal.text(),
            ),
            Error::MergeAcrossConventions => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "MERGE_ACROSS_CONVENTIONS",
                merge::across_conventions(),
            ),
            Error::MergeUndoBlocked(blockers) => Failure::blocked(
                DOMAIN,
                "MERGE_UNDO_BLOCKED",
                merge::undo_blocked(blockers.len()),
                blockers,
            ),
            Error::LegalHold => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "LEGAL_HOLD",
                Text::new(
                    "A legal hold keeps the person from being erased: lift it first.",
                    "Cette personne est conservée pour un motif légal : levez-le avant de l'effacer.",
                ),
            ),
            Error::LegalHoldLifted => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "LEGAL_HOLD_LIFTED",
                Text::new(
                    "The hold was lifted already.",
                    "Ce motif légal est déjà levé : relisez-le.",
                ),
            ),
            // Another instance already has a key that this one is about to read.
            Error::Seal(error @ SealError::KeyMissing(_)) => Failure::unavailable(&error),
            Error::Seal(error) => Failure::internal(&error),
            Error::ConventionNotInForce(name) => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "CONVENTION_NOT_IN_FORCE",
                Text::new(
                    format!(
                        "{name} is not in force: records are accepted only under a convention in force."
                    ),
                    format!(
                        "{name} n'est pas en vigueur : les enregistrements ne sont reçus qu'au titre d'une convention \
                         signée par les deux parties et non terminée."
                    ),
                ),
            ),
            Error::BatchDiffers(sequence) => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "BATCH_DIFFERS",
                Text::new(
                    format!(
                        "Batch {sequence} of this stream is done, and was another one: begin a new stream, under an id of \
                         its own."
                    ),
                    format!(
                        "Le lot {sequence} de cet envoi a déjà été enregistré avec un autre contenu : ouvrez un nouvel \
                         envoi, sous un autre identifiant."
                    ),
                ),
            ),
            Error::TableTooLarge(rows) => Failure::new(
                Code::FailedPrecondition,
                DOMAIN,
                "TABLE_TOO_LARGE",
                Text::new(
                    format!(
                        "The table would have {rows} rows: disclosure control weighs at most {MAX_ROWS}."
                    ),
                    format!(
                        "Le tableau aurait {rows} lignes : le secret statistique n'en traite pas plus de {MAX_ROWS}. \
                         Demandez une autre ventilation."
                    ),
                ),
            ),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<pg::Error> for Error {
    fn from(error: pg::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<subject_request::domain::Refusal> for Error {
    fn from(refusal: subject_request::domain::Refusal) -> Self {
        Self::Register(refusal)
    }
}

impl From<AlreadyLifted> for Error {
    fn from(_: AlreadyLifted) -> Self {
        Self::LegalHoldLifted
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl From<OutOfReach> for Error {
    fn from(_: OutOfReach) -> Self {
        Self::Failure(Failure::out_of_reach())
    }
}
