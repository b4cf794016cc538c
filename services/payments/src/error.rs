//! What a handler can end with, and what becomes of it.

use nonrecours_kernel::{OutOfReach, Violation};
use nonrecours_pg as pg;
use nonrecours_rpc::Failure;
use tonic::{Code, Status};

use crate::{bank_account, instalment::Refusal, payment_plan::Mismatch};

/// Domain of the reasons of this service.
pub const DOMAIN: &str = "payments.nonrecours";

/// A request that was not done.
#[derive(Debug)]
pub enum Error {
    /// Refused, or failed, for a reason any service can give.
    Failure(Failure),
    /// The database did not do it.
    Store(pg::Error),
    /// The instalment does not allow it.
    Refused(Refusal),
    /// The bank account does not allow it.
    Account(bank_account::Refusal),
    /// Our own rules exclude it.
    Mismatch(Mismatch),
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

impl From<bank_account::Refusal> for Error {
    fn from(refusal: bank_account::Refusal) -> Self {
        Self::Account(refusal)
    }
}

impl From<Mismatch> for Error {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

impl From<OutOfReach> for Error {
    fn from(_: OutOfReach) -> Self {
        Self::Failure(Failure::out_of_reach())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Failure(failure) => failure,
            Error::Store(error) => error.into(),
            Error::Refused(refusal) => refused(refusal),
            Error::Account(refusal) => {
                let (code, reason) = (Code::FailedPrecondition, refusal.reason());
                Failure::new(code, DOMAIN, reason, refusal.text())
            }
            Error::Mismatch(mismatch) => Failure::internal(&mismatch),
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    let (reason, text) = (refusal.reason(), refusal.text());
    match refusal {
        Refusal::CallBlocked(blockers)
        | Refusal::PaymentBlocked(blockers)
        | Refusal::Cancelled(blockers) => Failure::blocked(DOMAIN, reason, text, blockers),
        Refusal::BankAccountMissing | Refusal::BankAccountUnexpected => {
            Failure::invalid(vec![Violation::at("bank_account", refusal.invalid())])
        }
        Refusal::TooManyDocuments => Failure::new(Code::ResourceExhausted, DOMAIN, reason, text),
        Refusal::RedirectionTooLate
        | Refusal::NotPlanned(_)
        | Refusal::NotCalled(_)
        | Refusal::NotCertified(_)
        | Refusal::NotOrdered(_)
        | Refusal::SeparationOfDuties(_)
        | Refusal::TransferDateOutOfRange { .. } => {
            Failure::new(Code::FailedPrecondition, DOMAIN, reason, text)
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}
