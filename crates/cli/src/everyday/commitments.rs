//! Commitments (art. 4): listed, evidenced, validated, reopened.

use clap::Subcommand;
use nonrecours_contracts::conventions::{
    Commitment, CommitmentEvidence, CommitmentFilter, CommitmentState, ListCommitmentsRequest,
    RecordCommitmentEvidenceRequest, ReopenCommitmentRequest, ValidateCommitmentRequest,
};
use nonrecours_kernel::Role;

use super::{MAX_PAGES, PAGE, ask, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// What is done with commitments.
#[derive(Clone, Debug, Subcommand)]
pub enum Commitments {
    /// List the commitments of a convention, an operator, a programme, or of everyone with `operators/-`.
    List {
        /// `operators/{operator}/conventions/{convention}`, `operators/{operator}`, `programmes/{programme}` or
        /// `operators/-`.
        parent: String,
        /// Only those past their day.
        #[arg(long, conflicts_with = "reminder")]
        overdue: bool,
        /// Only those to be reminded of.
        #[arg(long)]
        reminder: bool,
    },
    /// Say, as the operator, how a commitment was kept.
    Evidence {
        /// `operators/{operator}/conventions/{convention}/commitments/{commitment}`.
        name: String,
        /// How it was kept.
        #[arg(long)]
        text: String,
        /// Where the proof is.
        #[arg(long, default_value = "")]
        reference: String,
    },
    /// Find the evidence good, as the programme officer.
    Validate {
        /// `operators/{operator}/conventions/{convention}/commitments/{commitment}`.
        name: String,
    },
    /// Ask for other evidence, as the programme officer.
    Reopen {
        /// `operators/{operator}/conventions/{convention}/commitments/{commitment}`.
        name: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Does it, and says what came of it.
pub async fn run(state: &State, command: Commitments) -> anyhow::Result<String> {
    let officer = || client_as(state, Role::ProgrammeOfficer);
    let changed = match command {
        Commitments::List {
            parent,
            overdue,
            reminder,
        } => {
            let filter = match (overdue, reminder) {
                (true, _) => CommitmentFilter::Overdue,
                (false, true) => CommitmentFilter::Reminder,
                (false, false) => CommitmentFilter::Unspecified,
            };
            return list(state, parent, filter).await;
        }
        Commitments::Evidence {
            name,
            text,
            reference,
        } => {
            let request = RecordCommitmentEvidenceRequest {
                name,
                evidence: Some(CommitmentEvidence {
                    text,
                    reference,
                    ..CommitmentEvidence::default()
                }),
                request_id: request_id(),
                ..RecordCommitmentEvidenceRequest::default()
            };
            let client = client_as(state, Role::OperatorManager)?.commitments();
            ask!(client, record_commitment_evidence, request)?
        }
        Commitments::Validate { name } => {
            let request = ValidateCommitmentRequest {
                name,
                request_id: request_id(),
                ..ValidateCommitmentRequest::default()
            };
            ask!(officer()?.commitments(), validate_commitment, request)?
        }
        Commitments::Reopen { name, reason } => {
            let request = ReopenCommitmentRequest {
                name,
                reason,
                request_id: request_id(),
                ..ReopenCommitmentRequest::default()
            };
            ask!(officer()?.commitments(), reopen_commitment, request)?
        }
    };
    Ok(format!("{} : {}", changed.code, in_french(&changed)))
}

async fn list(state: &State, parent: String, filter: CommitmentFilter) -> anyhow::Result<String> {
    let client = client_as(state, Role::ProgrammeOfficer)?.commitments();
    let mut table = print::table(&["engagement", "code", "échéance", "état", "preuve"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListCommitmentsRequest {
            parent: parent.clone(),
            filter: filter.into(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.clone(), list_commitments, request)?;
        for commitment in &page.commitments {
            let evidence = commitment.evidence.clone().unwrap_or_default();
            table.add_row([
                commitment.name.clone(),
                commitment.code.clone(),
                shown_day(commitment.due_date.as_ref())?,
                in_french(commitment).to_owned(),
                evidence.text,
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(table.to_string())
}

fn in_french(commitment: &Commitment) -> &'static str {
    match (commitment.state(), commitment.overdue) {
        (CommitmentState::Unspecified, _) => "état inconnu",
        (CommitmentState::Pending, false) => "à tenir",
        (CommitmentState::Pending, true) => "à tenir, en retard",
        (CommitmentState::Evidenced, false) => "preuve à valider",
        (CommitmentState::Evidenced, true) => "preuve à valider, en retard",
        (CommitmentState::Done, _) => "validé",
        (CommitmentState::Released, _) => "levé par avenant",
    }
}
