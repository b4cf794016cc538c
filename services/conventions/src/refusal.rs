//! What the rules of conventions refuse: each with its machine reason and its sentences.

use std::fmt;

use nonrecours_kernel::{Blocker, Text, french_date};
use time::Date;

use crate::convention::party::Party;

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
        /// Day of the decision.
        decision: Date,
        /// Today in Paris.
        today: Date,
    },
    /// The report is neither a draft nor returned.
    ReportNotEditable,
    /// The report is not handed in.
    ReportNotSubmitted,
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
            Self::ReportNotEditable => "REPORT_NOT_EDITABLE",
            Self::ReportNotSubmitted => "REPORT_NOT_SUBMITTED",
            Self::ReportNotAccepted => "REPORT_NOT_ACCEPTED",
            Self::CompletionDateOutOfRange { .. } => "COMPLETION_DATE_OUT_OF_RANGE",
            Self::CommitmentDone => "COMMITMENT_DONE",
            Self::CommitmentWithoutEvidence => "COMMITMENT_WITHOUT_EVIDENCE",
            Self::BudgetFixed => "BUDGET_FIXED",
            Self::DeviationCaseNotOpen => "DEVIATION_CASE_NOT_OPEN",
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
            Self::ActDatesOutOfOrder { decision, today } => Text::new(
                format!("The day lies outside {decision} (the decision) to {today} (today)."),
                format!(
                    "Cette date doit être comprise entre le {} (décision) et le {} (aujourd'hui).",
                    french_date(*decision),
                    french_date(*today)
                ),
            ),
            Self::ReportNotEditable => Text::new(
                "The report is handed in: only a draft or a returned one changes.",
                "Ce bilan est déjà remis : seul un brouillon ou un bilan renvoyé pour correction se modifie.",
            ),
            Self::ReportNotSubmitted => Text::new(
                "The report is not handed in.",
                "Ce bilan n'est pas remis : l'opérateur doit le remettre avant qu'il soit accepté ou renvoyé.",
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
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}
