//! What the rules of conventions refuse: each with its machine reason, and its sentences in a file of their own.

use std::fmt;

use nonrecours_kernel::{Blocker, InseeCode, Money};
use time::Date;

use crate::convention::party::Party;

mod sentences;

/// A step that the state of things does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Terms and acts change only while nobody has signed; signatures are given only before the convention is in force.
    ConventionNotDraft,
    /// The convention is not in force.
    ConventionNotInForce,
    /// Signing is blocked; at least one blocker.
    SigningBlocked(Vec<Blocker>),
    /// The party has signed already.
    AlreadySigned(Party),
    /// The caller may not sign for that party.
    PartyNotAllowed(Party),
    /// The act was decided on another day than the signatory's empowering decision.
    ActDateMismatch {
        /// Day in the act's number.
        act: Date,
        /// Day given with the signatory.
        signatory: Date,
    },
    /// The act's number bears the SIREN of another body than the party.
    ActSirenMismatch(Party),
    /// The transmission is recorded already.
    AlreadyTransmitted,
    /// The publication is recorded already.
    AlreadyPublished,
    /// A date lies before the decision, or in the future.
    ActDatesOutOfOrder {
        /// Day of the decision, or of the step before.
        since: Date,
        /// Today in Paris.
        today: Date,
    },
    /// The act's transmission is not where the step begins; its state.
    ActTransmissionOutOfOrder(&'static str),
    /// The convention was never in force, or no budget year follows its own.
    ConventionNotRenewable,
    /// The report is neither a draft nor returned.
    ReportNotEditable,
    /// The report is not handed in.
    ReportNotSubmitted,
    /// The operator owes its accounts with the report, and nothing is recorded as spent or received.
    ReportWithoutAccounts,
    /// No report of the convention is accepted.
    ReportNotAccepted,
    /// The completion lies before the signature, or in the future.
    CompletionDateOutOfRange {
        /// Day on which the convention came into force.
        since: Date,
        /// Today in Paris.
        today: Date,
    },
    /// The commitment is validated already.
    CommitmentDone,
    /// No evidence of the commitment is given.
    CommitmentWithoutEvidence,
    /// The planned budget is part of what was signed.
    BudgetFixed,
    /// The convention has no deviation case open.
    DeviationCaseNotOpen,
    /// The typesetting program is not installed.
    DocumentEngineMissing,
    /// The typesetting program has failed.
    DocumentEngineFailed,
    /// The stored bytes of a document are lost or altered.
    DocumentDamaged,
    /// A vote would leave the envelope below what is engaged, or at nothing.
    EnvelopeBelowEngaged {
        /// What is engaged.
        engaged: Money,
    },
    /// A commune enters a territory it is of, or leaves one it is not of.
    TerritoryConflict {
        /// Which.
        insee_code: InseeCode,
        /// First day of the change.
        day: Date,
    },
    /// The receipt of the State's instalment is recorded already.
    StateInstalmentReceived,
    /// The State's balance comes after the territory's report.
    StateReportNotSent,
    /// More would be received than the State has granted.
    StateReceiptExceedsGrant {
        /// What is still to come.
        remaining: Money,
    },
    /// The sending of the territory's report is recorded already.
    StateReportSent,
    /// No convention of the budget year was signed by the day of publication.
    NothingToPublish {
        /// That day.
        day: Date,
    },
    /// The caller does not act for that party.
    PartyNotYours(Party),
    /// The convention is neither in force nor completed.
    ConventionNotRunning,
    /// Both parties have not signed yet.
    ConventionNotSigned,
    /// The day lies before what it follows, or in the future.
    DateOutOfRange {
        /// Day of what it follows.
        since: Date,
        /// Today in Paris.
        today: Date,
    },
    /// The formal notice is remedied, withdrawn or effective already.
    NoticeNotPending,
    /// The delay of the formal notice has not run out.
    NoticeDelayRunning {
        /// Its last day.
        deadline: Date,
    },
    /// The inspection is closed already.
    InspectionClosed,
    /// The outcome of the hearing is recorded already.
    HearingRecorded,
    /// The operator was not heard, and did not refuse to attend.
    HearingMissing,
    /// Payments are suspended already.
    AlreadySuspended,
    /// Payments are not suspended.
    NotSuspended,
    /// The reduced amount is not below this, the grant in force.
    ReductionTooHigh(Money),
    /// More would be claimed back than this, the sum paid.
    RecoveryTooHigh(Money),
    /// The amicable attempt is recorded already.
    AmicableStepRecorded,
    /// No amicable attempt is recorded.
    AmicableStepMissing,
    /// The court is seized already.
    DisputeInCourt,
    /// The dispute is closed.
    DisputeClosed,
    /// The attachment is withdrawn.
    AttachmentWithdrawn,
    /// The stored bytes of the attachment are not those uploaded, or gone.
    AttachmentDamaged,
    /// The evidence of a commitment rests on the attachment.
    AttachmentCited,
    /// The convention has as many attachments as it may.
    TooManyAttachments,
    /// Object, terms and acts of an amendment change only while nobody has signed it.
    AmendmentNotDraft,
    /// The amendment is in force or withdrawn.
    AmendmentNotOpen,
    /// Another amendment of the convention is open.
    AmendmentOpen,
    /// What the actions were to be is past changing.
    ActionsCompleted,
    /// An amendment has released the operator of the commitment, or words it anew.
    CommitmentReleased,
}

/// Refuses a day before what it follows, or in the future.
pub fn within(since: Date, today: Date, day: Date) -> Result<(), Refusal> {
    if (since..=today).contains(&day) {
        Ok(())
    } else {
        Err(Refusal::DateOutOfRange { since, today })
    }
}

impl Refusal {
    /// Machine reason: a value of the contract's `ErrorReason` without its prefix.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ConventionNotDraft => "CONVENTION_NOT_DRAFT",
            Self::ConventionNotInForce => "CONVENTION_NOT_IN_FORCE",
            Self::SigningBlocked(_) => "SIGNING_BLOCKED",
            Self::AlreadySigned(_) => "ALREADY_SIGNED",
            Self::PartyNotAllowed(_) => "PARTY_NOT_ALLOWED",
            Self::ActDateMismatch { .. } => "ACT_DATE_MISMATCH",
            Self::ActSirenMismatch(_) => "ACT_SIREN_MISMATCH",
            Self::AlreadyTransmitted => "ALREADY_TRANSMITTED",
            Self::AlreadyPublished => "ALREADY_PUBLISHED",
            Self::ActDatesOutOfOrder { .. } => "ACT_DATES_OUT_OF_ORDER",
            Self::ActTransmissionOutOfOrder(_) => "ACT_TRANSMISSION_OUT_OF_ORDER",
            Self::ConventionNotRenewable => "CONVENTION_NOT_RENEWABLE",
            Self::ReportNotEditable => "REPORT_NOT_EDITABLE",
            Self::ReportNotSubmitted => "REPORT_NOT_SUBMITTED",
            Self::ReportWithoutAccounts => "REPORT_WITHOUT_ACCOUNTS",
            Self::ReportNotAccepted => "REPORT_NOT_ACCEPTED",
            Self::CompletionDateOutOfRange { .. } => "COMPLETION_DATE_OUT_OF_RANGE",
            Self::EnvelopeBelowEngaged { .. } => "ENVELOPE_BELOW_ENGAGED",
            Self::TerritoryConflict { .. } => "TERRITORY_CONFLICT",
            Self::StateInstalmentReceived => "STATE_INSTALMENT_RECEIVED",
            Self::StateReportNotSent => "STATE_REPORT_NOT_SENT",
            Self::StateReceiptExceedsGrant { .. } => "STATE_RECEIPT_EXCEEDS_GRANT",
            Self::StateReportSent => "STATE_REPORT_SENT",
            Self::NothingToPublish { .. } => "NOTHING_TO_PUBLISH",
            Self::PartyNotYours(_) => "PARTY_NOT_YOURS",
            Self::ConventionNotRunning => "CONVENTION_NOT_RUNNING",
            Self::ConventionNotSigned => "CONVENTION_NOT_SIGNED",
            Self::DateOutOfRange { .. } => "DATE_OUT_OF_RANGE",
            Self::NoticeNotPending => "NOTICE_NOT_PENDING",
            Self::NoticeDelayRunning { .. } => "NOTICE_DELAY_RUNNING",
            Self::InspectionClosed => "INSPECTION_CLOSED",
            Self::HearingRecorded => "HEARING_RECORDED",
            Self::HearingMissing => "HEARING_MISSING",
            Self::AlreadySuspended => "ALREADY_SUSPENDED",
            Self::NotSuspended => "NOT_SUSPENDED",
            Self::ReductionTooHigh(_) => "REDUCTION_TOO_HIGH",
            Self::RecoveryTooHigh(_) => "RECOVERY_TOO_HIGH",
            Self::AmicableStepRecorded => "AMICABLE_STEP_RECORDED",
            Self::AmicableStepMissing => "AMICABLE_STEP_MISSING",
            Self::DisputeInCourt => "DISPUTE_IN_COURT",
            Self::AttachmentWithdrawn => "ATTACHMENT_WITHDRAWN",
            Self::AttachmentDamaged => "ATTACHMENT_DAMAGED",
            Self::AttachmentCited => "ATTACHMENT_CITED",
            Self::TooManyAttachments => "TOO_MANY_ATTACHMENTS",
            Self::DisputeClosed => "DISPUTE_CLOSED",
            Self::AmendmentNotDraft => "AMENDMENT_NOT_DRAFT",
            Self::AmendmentNotOpen => "AMENDMENT_NOT_OPEN",
            Self::AmendmentOpen => "AMENDMENT_OPEN",
            Self::ActionsCompleted => "ACTIONS_COMPLETED",
            Self::CommitmentReleased => "COMMITMENT_RELEASED",
            Self::CommitmentDone => "COMMITMENT_DONE",
            Self::CommitmentWithoutEvidence => "COMMITMENT_WITHOUT_EVIDENCE",
            Self::BudgetFixed => "BUDGET_FIXED",
            Self::DeviationCaseNotOpen => "DEVIATION_CASE_NOT_OPEN",
            Self::DocumentEngineMissing => "DOCUMENT_ENGINE_MISSING",
            Self::DocumentEngineFailed => "DOCUMENT_ENGINE_FAILED",
            Self::DocumentDamaged => "DOCUMENT_DAMAGED",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}
