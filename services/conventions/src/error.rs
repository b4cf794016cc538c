//! Why a request was not done, and the one way to a status.

use nonrecours_files as files;
use nonrecours_kernel::OutOfReach;
use nonrecours_pg as pg;
use nonrecours_rpc::Failure;
use tonic::{Code, Status};

use crate::refusal::Refusal;

/// Domain of this service's reasons.
const DOMAIN: &str = "conventions.nonrecours";

/// A request that was not done.
#[derive(Debug)]
pub enum Error {
    /// Refused before the rules of conventions were asked.
    Failure(Failure),
    /// The database.
    Store(pg::Error),
    /// Refused by the rules of conventions.
    Refused(Refusal),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Failure(failure) => failure,
            Error::Store(error) => error.into(),
            Error::Refused(refusal) => refused(refusal),
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    let (reason, text) = (refusal.reason(), refusal.text());
    match refusal {
        Refusal::SigningBlocked(blockers) => Failure::blocked(DOMAIN, reason, text, blockers),
        Refusal::PartyNotAllowed(_) | Refusal::PartyNotYours(_) => {
            Failure::new(Code::PermissionDenied, DOMAIN, reason, text)
        }
        Refusal::DocumentEngineFailed => Failure::new(Code::Internal, DOMAIN, reason, text),
        Refusal::AttachmentDamaged | Refusal::DocumentDamaged => {
            Failure::new(Code::DataLoss, DOMAIN, reason, text)
        }
        Refusal::ConventionNotDraft
        | Refusal::ConventionNotInForce
        | Refusal::AlreadySigned(_)
        | Refusal::ActDateMismatch { .. }
        | Refusal::ActSirenMismatch(_)
        | Refusal::AlreadyTransmitted
        | Refusal::AlreadyPublished
        | Refusal::ActDatesOutOfOrder { .. }
        | Refusal::ActTransmissionOutOfOrder(_)
        | Refusal::ConventionNotRenewable
        | Refusal::ReportNotEditable
        | Refusal::ReportNotSubmitted
        | Refusal::ReportWithoutAccounts
        | Refusal::ReportNotAccepted
        | Refusal::CompletionDateOutOfRange { .. }
        | Refusal::EnvelopeBelowEngaged { .. }
        | Refusal::TerritoryConflict { .. }
        | Refusal::StateInstalmentReceived
        | Refusal::StateReportNotSent
        | Refusal::StateReceiptExceedsGrant { .. }
        | Refusal::StateReportSent
        | Refusal::NothingToPublish { .. }
        | Refusal::ConventionNotRunning
        | Refusal::ConventionNotSigned
        | Refusal::DateOutOfRange { .. }
        | Refusal::NoticeNotPending
        | Refusal::NoticeDelayRunning { .. }
        | Refusal::InspectionClosed
        | Refusal::HearingRecorded
        | Refusal::HearingMissing
        | Refusal::AlreadySuspended
        | Refusal::NotSuspended
        | Refusal::ReductionTooHigh(_)
        | Refusal::RecoveryTooHigh(_)
        | Refusal::AmicableStepRecorded
        | Refusal::AmicableStepMissing
        | Refusal::DisputeInCourt
        | Refusal::DisputeClosed
        | Refusal::AmendmentNotDraft
        | Refusal::AmendmentNotOpen
        | Refusal::AmendmentOpen
        | Refusal::ActionsCompleted
        | Refusal::CommitmentReleased
        | Refusal::CommitmentDone
        | Refusal::CommitmentWithoutEvidence
        | Refusal::BudgetFixed
        | Refusal::DeviationCaseNotOpen
        | Refusal::DocumentEngineMissing
        | Refusal::AttachmentWithdrawn
        | Refusal::AttachmentCited
        | Refusal::TooManyAttachments => {
            Failure::new(Code::FailedPrecondition, DOMAIN, reason, text)
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

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<files::Error> for Error {
    fn from(error: files::Error) -> Self {
        match &error {
            files::Error::Absent(_) | files::Error::Damaged(_) => {
                tracing::error!(cause = %error, "a file was lost or altered");
                Self::Refused(Refusal::AttachmentDamaged)
            }
            files::Error::Unavailable(_) => Self::Failure(Failure::unavailable(&error)),
            files::Error::TooLarge => Self::Failure(Failure::internal(&error)),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<OutOfReach> for Error {
    fn from(_: OutOfReach) -> Self {
        Self::Failure(Failure::out_of_reach())
    }
}
