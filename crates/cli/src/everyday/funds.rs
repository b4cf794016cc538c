//! Calls for funds with their papers: called, completed, paid elsewhere.

use std::str::FromStr;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use nonrecours_contracts::payments::{
    AttachSupportingDocumentsRequest, CallInstalmentRequest, DocumentReference, Instalment,
    RedirectInstalmentRequest, SupportingDocumentKind,
};
use nonrecours_kernel::Role;

use super::{ask, request_id};
use crate::{ask::client_as, state::State};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Délibération.
    Act,
    /// Convention signée.
    Convention,
    /// Appel de fonds.
    Call,
    /// RIB.
    Rib,
    /// Bilan.
    Report,
    /// État des sommes versées.
    Statement,
    /// Autre pièce.
    Other,
}

/// A document on the command line: `act=operators/…/attachments/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    kind: Kind,
    file: String,
}

/// What is done with calls for funds.
#[derive(Clone, Debug, Subcommand)]
pub enum Funds {
    /// Call an instalment, as the operator's manager.
    Call {
        /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`.
        instalment: String,
        /// Reference of the letter.
        #[arg(long)]
        reference: String,
        /// `operators/{operator}/bankAccounts/{bank_account}`.
        #[arg(long)]
        account: String,
        /// Supporting documents, each as `kind=name of the attachment or document`.
        #[arg(long = "document")]
        documents: Vec<Document>,
    },
    /// Join supporting documents to what was called, as a programme officer.
    Join {
        /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`.
        instalment: String,
        /// Supporting documents, each as `kind=name of the attachment or document`.
        #[arg(required = true)]
        documents: Vec<Document>,
    },
    /// Pay an instalment to another approved account, as a programme officer.
    Redirect {
        /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`.
        instalment: String,
        /// `operators/{operator}/bankAccounts/{bank_account}`.
        account: String,
    },
}

impl FromStr for Document {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (kind, file) = text
            .split_once('=')
            .context("indiquez la pièce sous la forme act=operators/…/attachments/…")?;
        let kind = Kind::from_str(kind, true).map_err(anyhow::Error::msg)?;
        Ok(Self {
            kind,
            file: file.to_owned(),
        })
    }
}

impl From<Kind> for SupportingDocumentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Act => Self::Act,
            Kind::Convention => Self::Convention,
            Kind::Call => Self::Call,
            Kind::Rib => Self::Rib,
            Kind::Report => Self::Report,
            Kind::Statement => Self::Statement,
            Kind::Other => Self::Other,
        }
    }
}

/// Does it, and says what came of it.
pub async fn run(state: &State, command: Funds) -> anyhow::Result<String> {
    let client_of = |role| Ok::<_, anyhow::Error>(client_as(state, role)?.instalments());
    let instalment = match command {
        Funds::Call {
            instalment,
            reference,
            account,
            documents,
        } => {
            let request = CallInstalmentRequest {
                name: instalment,
                reference,
                bank_account_name: account,
                documents: references(documents),
                request_id: request_id(),
                ..CallInstalmentRequest::default()
            };
            ask!(client_of(Role::OperatorManager)?, call_instalment, request)?
        }
        Funds::Join {
            instalment,
            documents,
        } => {
            let request = AttachSupportingDocumentsRequest {
                name: instalment,
                documents: references(documents),
                etag: String::new(),
                request_id: request_id(),
            };
            let officer = client_of(Role::ProgrammeOfficer)?;
            ask!(officer, attach_supporting_documents, request)?
        }
        Funds::Redirect {
            instalment,
            account,
        } => {
            let request = RedirectInstalmentRequest {
                name: instalment,
                bank_account_name: account,
                etag: String::new(),
                request_id: request_id(),
            };
            let officer = client_of(Role::ProgrammeOfficer)?;
            ask!(officer, redirect_instalment, request)?
        }
    };
    Ok(shown(&instalment))
}

fn references(documents: Vec<Document>) -> Vec<DocumentReference> {
    let documents = documents.into_iter().map(|document| DocumentReference {
        kind: SupportingDocumentKind::from(document.kind).into(),
        file: document.file,
    });
    documents.collect()
}

fn shown(instalment: &Instalment) -> String {
    let account = instalment.bank_account.clone().unwrap_or_default();
    let mut said = format!(
        "{}\nà payer sur {} ({}), {} pièce(s)",
        instalment.name,
        account.iban,
        account.holder,
        instalment.documents.len()
    );
    for blocker in &instalment.blockers {
        said.push_str(&format!("\n• {}", blocker.message_fr));
    }
    said
}
