//! What the rules of conventions refuse: each with its machine reason and its sentences.

use std::fmt;

use nonrecours_kernel::{Blocker, InseeCode, Money, Text, french_date};
use time::Date;

use crate::{attachment::domain::MAX_ATTACHMENTS, convention::party::Party};

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

    /// The sentences for people.
    pub fn text(&self) -> Text {
        match self {
            Self::ConventionNotDraft => Text::new(
                "The convention is past this step: its terms and acts are fixed from the first signature on, and it is \
                 signed once.",
                "La convention n'en est plus là : ses termes et ses actes sont fixés dès la première signature, et elle \
                 ne se signe qu'une fois.",
            ),
            Self::ConventionNotInForce => Text::new(
                "The convention is not in force.",
                "La convention n'est pas en vigueur : les deux parties doivent l'avoir signée, et ses actions ne pas \
                 être déjà terminées.",
            ),
            Self::SigningBlocked(blockers) => Text::new(
                format!("Signing is blocked by {}.", blockers.len()),
                match blockers.len() {
                    1 => "La signature est bloquée : levez le point indiqué.".to_owned(),
                    count => {
                        format!("La signature est bloquée : levez les {count} points indiqués.")
                    }
                },
            ),
            Self::AlreadySigned(party) => Text::new(
                format!("{} has signed already.", party.english()),
                format!("La signature est déjà donnée pour {}.", party.french()),
            ),
            Self::PartyNotAllowed(Party::Authority) => Text::new(
                "Only the authorising officer signs for the authority.",
                "Seul l'ordonnateur signe pour l'autorité.",
            ),
            Self::PartyNotAllowed(Party::Operator) => Text::new(
                "Only the manager of the operator signs for it.",
                "Seul le responsable de l'opérateur signe pour lui.",
            ),
            Self::ActDateMismatch { act, signatory } => Text::new(
                format!(
                    "The act was decided on {act}, the signatory's empowering decision is dated {signatory}."
                ),
                format!(
                    "L'acte a été pris le {}, alors que le signataire est habilité par une décision du {} : corrigez \
                     l'un ou l'autre.",
                    french_date(*act),
                    french_date(*signatory)
                ),
            ),
            Self::ActSirenMismatch(party) => Text::new(
                format!(
                    "The act number bears the SIREN of another body than {}.",
                    party.english()
                ),
                format!(
                    "Le numéro d'acte porte le SIREN d'un autre organisme que {} : vérifiez la partie ou le numéro.",
                    party.french()
                ),
            ),
            Self::AlreadyTransmitted => Text::new(
                "The transmission is recorded already.",
                "La transmission de cet acte est déjà enregistrée.",
            ),
            Self::AlreadyPublished => Text::new(
                "The publication is recorded already.",
                "La publication de cet acte est déjà enregistrée.",
            ),
            Self::ActDatesOutOfOrder { since, today } => Text::new(
                format!(
                    "The day lies outside {since} (the decision, or the step before) to {today} (today)."
                ),
                format!(
                    "Cette date doit être comprise entre le {} (décision ou étape précédente) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::ActTransmissionOutOfOrder(state) => Text::new(
                format!(
                    "The transmission of the act is in state {state}: this step does not follow."
                ),
                match *state {
                    "TO_TRANSMIT" => {
                        "Rien n'est encore envoyé : enregistrez d'abord le dépôt ou la transmission."
                    }
                    "POSTED" => {
                        "L'acte est déposé : enregistrez d'abord sa transmission, son refus ou son échec."
                    }
                    "TRANSMITTED" => "L'acte est déjà transmis.",
                    "ACKNOWLEDGED" => "La préfecture a déjà accusé réception de l'acte.",
                    _ => "La dernière transmission n'a pas abouti : transmettez l'acte à nouveau.",
                },
            ),
            Self::ConventionNotRenewable => Text::new(
                "Only a convention that is or was in force is renewed, for a budget year up to 2100.",
                "Seule une convention en vigueur, ou qui l'a été, se renouvelle, pour un exercice jusqu'à 2100 : faites-la \
                 d'abord signer, ou modifiez-la.",
            ),
            Self::ReportNotEditable => Text::new(
                "The report is handed in: only a draft or a returned one changes.",
                "Ce bilan est déjà remis : seul un brouillon ou un bilan renvoyé pour correction se modifie.",
            ),
            Self::ReportNotSubmitted => Text::new(
                "The report is not handed in.",
                "Ce bilan n'est pas remis : l'opérateur doit le remettre avant qu'il soit accepté ou renvoyé.",
            ),
            Self::ReportWithoutAccounts => Text::new(
                "An operator of private law hands its report in with its accounts: record what was spent and received first.",
                "Un organisme de droit privé remet son bilan avec son compte rendu financier (loi du 12 avril 2000, \
                 art. 10) : enregistrez d'abord le budget réalisé.",
            ),
            Self::ReportNotAccepted => Text::new(
                "No activity report of the convention is accepted.",
                "Aucun bilan de la convention n'est accepté : acceptez-le avant de constater la fin des actions.",
            ),
            Self::CompletionDateOutOfRange { since, today } => Text::new(
                format!("The day lies outside {since} (in force) to {today} (today)."),
                format!(
                    "La fin des actions doit être comprise entre le {} (entrée en vigueur) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::EnvelopeBelowEngaged { engaged } => Text::new(
                format!(
                    "The envelope must stay above zero, and not below what is engaged ({engaged})."
                ),
                format!(
                    "L'enveloppe doit rester supérieure à zéro et au moins égale au montant engagé ({}) : réduisez la \
                     diminution.",
                    engaged.french()
                ),
            ),
            Self::TerritoryConflict { insee_code, day } => Text::new(
                format!(
                    "The territory of {day} contradicts this change of the commune {insee_code}."
                ),
                format!(
                    "La commune {insee_code} ne peut entrer dans le territoire ou en sortir au {} : vérifiez les dates \
                     déjà enregistrées pour elle.",
                    french_date(*day)
                ),
            ),
            Self::StateInstalmentReceived => Text::new(
                "The receipt of this instalment is recorded already.",
                "La réception de ce versement de l'État est déjà enregistrée.",
            ),
            Self::StateReportNotSent => Text::new(
                "The State's balance comes after the territory's report, which is not sent.",
                "Le solde de l'État vient après le bilan du territoire : enregistrez d'abord l'envoi du bilan.",
            ),
            Self::StateReceiptExceedsGrant { remaining } => Text::new(
                format!("Only {remaining} of the State's grant remains to be received."),
                format!(
                    "L'État ne doit plus que {} : vérifiez le montant reçu.",
                    remaining.french()
                ),
            ),
            Self::StateReportSent => Text::new(
                "The sending of the report is recorded already.",
                "L'envoi du bilan à l'État est déjà enregistré.",
            ),
            Self::NothingToPublish { day } => Text::new(
                format!("No convention of this budget year was signed by {day}."),
                format!(
                    "Aucune convention de cet exercice n'était signée au {} : il n'y a rien à publier.",
                    french_date(*day)
                ),
            ),
            Self::PartyNotYours(party) => Text::new(
                format!("You do not act for {}.", party.english()),
                format!(
                    "Vous n'agissez pas pour {} : cette étape revient à l'un de ses agents.",
                    party.french()
                ),
            ),
            Self::ConventionNotRunning => Text::new(
                "The convention is neither in force nor completed.",
                "La convention n'est pas en cours : elle n'est pas encore signée par les deux parties, ou elle est déjà \
                 soldée ou résiliée.",
            ),
            Self::ConventionNotSigned => Text::new(
                "Both parties have not signed the convention yet.",
                "La convention n'est pas encore signée par les deux parties.",
            ),
            Self::DateOutOfRange { since, today } => Text::new(
                format!("The day lies outside {since} (what it follows) to {today} (today)."),
                format!(
                    "Cette date doit être comprise entre le {} (étape précédente) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::NoticeNotPending => Text::new(
                "The formal notice is remedied, withdrawn or effective already.",
                "Cette mise en demeure n'est plus en cours : elle a été suivie d'effet, retirée ou a déjà mis fin à la \
                 convention.",
            ),
            Self::NoticeDelayRunning { deadline } => Text::new(
                format!("The delay of the formal notice runs until {deadline} included."),
                format!(
                    "Le délai de mise en demeure court jusqu'au {} inclus (art. 7) : la résiliation n'est possible que \
                     le lendemain.",
                    french_date(*deadline)
                ),
            ),
            Self::InspectionClosed => Text::new(
                "The inspection is closed already.",
                "Ce contrôle est déjà clos : ouvrez-en un autre s'il le faut.",
            ),
            Self::HearingRecorded => Text::new(
                "The outcome of the hearing is recorded already.",
                "L'issue de cette audition est déjà enregistrée.",
            ),
            Self::HearingMissing => Text::new(
                "The operator was not heard: name a hearing that was held, or that it refused to attend.",
                "L'opérateur n'a pas été entendu (art. 8) : indiquez une audition tenue, ou à laquelle il a refusé de se \
                 rendre.",
            ),
            Self::AlreadySuspended => Text::new(
                "Payments are suspended already.",
                "Les paiements de cette convention sont déjà suspendus.",
            ),
            Self::NotSuspended => Text::new(
                "Payments are not suspended.",
                "Les paiements de cette convention ne sont pas suspendus : il n'y a rien à reprendre.",
            ),
            Self::ReductionTooHigh(ceiling) => Text::new(
                format!("The amount is not below {ceiling}, the grant in force."),
                format!(
                    "Le montant réduit doit être inférieur à la subvention en vigueur, {}.",
                    ceiling.french()
                ),
            ),
            Self::RecoveryTooHigh(paid) => Text::new(
                format!("With what is claimed already, this is more than the {paid} paid."),
                format!(
                    "Avec les sommes déjà réclamées, ce montant dépasse ce qui a été versé, {}.",
                    paid.french()
                ),
            ),
            Self::AmicableStepRecorded => Text::new(
                "The amicable attempt is recorded already.",
                "La tentative amiable est déjà enregistrée.",
            ),
            Self::AmicableStepMissing => Text::new(
                "No court before an amicable attempt.",
                "Le tribunal n'est saisi qu'après une tentative amiable (art. 9) : enregistrez-la d'abord.",
            ),
            Self::DisputeInCourt => Text::new(
                "The court is seized already.",
                "Le tribunal est déjà saisi de ce litige.",
            ),
            Self::DisputeClosed => Text::new(
                "The dispute is closed.",
                "Ce litige est clos : ouvrez-en un autre s'il le faut.",
            ),
            Self::AttachmentWithdrawn => Text::new(
                "The attachment is withdrawn.",
                "Cette pièce est retirée : déposez-en une autre s'il le faut.",
            ),
            Self::AttachmentDamaged => Text::new(
                "The stored bytes of the attachment are not those uploaded, or are gone.",
                "Le fichier conservé est altéré ou perdu : prévenez le support, qui le rétablira d'une sauvegarde, ou \
                 déposez-le à nouveau.",
            ),
            Self::AttachmentCited => Text::new(
                "The evidence of a commitment rests on this attachment.",
                "La preuve d'un engagement repose sur cette pièce : rouvrez l'engagement, ou donnez-en une autre preuve, \
                 avant de la retirer.",
            ),
            Self::TooManyAttachments => Text::new(
                format!("The convention has {MAX_ATTACHMENTS} attachments already."),
                format!(
                    "Cette convention a déjà {MAX_ATTACHMENTS} pièces, le maximum : réunissez plusieurs documents en un \
                     seul, ou adressez-vous au programme."
                ),
            ),
            Self::AmendmentNotDraft => Text::new(
                "The amendment is past this step: it changes only while nobody has signed it.",
                "L'avenant n'en est plus là : il ne se modifie que tant que personne ne l'a signé. Abandonnez-le et \
                 rédigez-en un autre s'il le faut.",
            ),
            Self::AmendmentNotOpen => Text::new(
                "The amendment is in force or withdrawn.",
                "Cet avenant est déjà en vigueur, ou abandonné.",
            ),
            Self::AmendmentOpen => Text::new(
                "Another amendment of the convention is open.",
                "Un autre avenant de cette convention est en cours : faites-le signer, modifiez-le ou abandonnez-le.",
            ),
            Self::ActionsCompleted => Text::new(
                "The actions are done: publics, objectives, commitments and indicative end are past changing.",
                "Les actions sont achevées (art. 5) : publics, objectifs, engagements et fin indicative ne se modifient \
                 plus.",
            ),
            Self::CommitmentReleased => Text::new(
                "An amendment has released the operator of this commitment, or words it anew.",
                "Un avenant a levé cet engagement, ou l'a formulé autrement : celui-ci n'est plus dû.",
            ),
            Self::CommitmentDone => Text::new(
                "The commitment is validated already: reopen it first.",
                "Cet engagement est déjà validé : il faut le rouvrir avant de le modifier.",
            ),
            Self::CommitmentWithoutEvidence => Text::new(
                "No evidence of the commitment is given.",
                "Aucune preuve n'est donnée pour cet engagement : l'opérateur doit d'abord en fournir une.",
            ),
            Self::BudgetFixed => Text::new(
                "The planned budget is part of what was signed: it changes no more.",
                "Le budget prévisionnel fait partie de ce qui a été signé : il ne se modifie plus.",
            ),
            Self::DeviationCaseNotOpen => Text::new(
                "The convention has no deviation case open.",
                "Aucun écart budgétaire n'est en attente de décision pour cette convention.",
            ),
            Self::DocumentEngineMissing => Text::new(
                "The typesetting program nonrecours-typeset is not installed beside the service: no document is written.",
                "Le programme de mise en page nonrecours-typeset n'est pas installé auprès du service : aucun document \
                 n'est établi. Prévenez l'exploitant.",
            ),
            Self::DocumentEngineFailed => Text::new(
                "The typesetting program has failed: no document is written.",
                "La mise en page du document a échoué : aucun document n'est établi. Transmettez l'identifiant de trace \
                 au support.",
            ),
            Self::DocumentDamaged => Text::new(
                "The stored document is lost or altered since it was written.",
                "Le document conservé est perdu ou altéré depuis qu'il a été établi : faites-le restaurer depuis une \
                 sauvegarde.",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}
