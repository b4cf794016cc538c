//! What persons ask of their own data (RGPD art. 15 to 21), from a terminal: entered, seen, answered.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use nonrecours_contracts::followup::{
    CreateSubjectRequestRequest, ExportPersonalDataRequest, ExtendSubjectRequestRequest,
    FulfilSubjectRequestRequest, IdentityCheck, LiftSubjectRequestRequest,
    ListSubjectRequestsRequest, RefusalBasis, RefuseSubjectRequestRequest, SubjectRequest,
    SubjectRequestState, SubjectRight,
};
use nonrecours_kernel::{BeneficiaryName, OperatorName, Role};
use serde_json::{Map, Value};

use super::{MAX_PAGES, PAGE, ask, day_or_today, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// What is done about requests.
#[derive(Clone, Debug, Subcommand)]
pub enum Subjects {
    /// List them with their due dates.
    List {
        /// `operators/{operator}`.
        operator: String,
        /// Only those open past their due date.
        #[arg(long)]
        overdue: bool,
    },
    /// Enter one.
    Enter {
        /// `operators/{operator}/beneficiaries/{beneficiary}`.
        beneficiary: String,
        /// What is asked for.
        #[arg(value_enum)]
        right: Right,
        /// How the person was identified.
        #[arg(long, value_enum)]
        identified: Identified,
        /// Day on which it came, e.g. 2025-11-03; otherwise today.
        #[arg(long)]
        on: Option<String>,
    },
    /// Take two months more, once, and say why (art. 12.3).
    Extend {
        /// `operators/{operator}/subjectRequests/{subject_request}`.
        name: String,
        /// Why: told to the person.
        #[arg(long)]
        reason: String,
    },
    /// Do what is asked: erase, restrict, stop processing, or note that the data were handed over or set right.
    Fulfil {
        /// `operators/{operator}/subjectRequests/{subject_request}`.
        name: String,
    },
    /// Refuse it, on a basis in law.
    Refuse {
        /// `operators/{operator}/subjectRequests/{subject_request}`.
        name: String,
        /// The basis.
        #[arg(long, value_enum)]
        basis: Basis,
        /// Why: told to the person.
        #[arg(long)]
        reason: String,
    },
    /// End a restriction or an objection that was followed.
    Lift {
        /// `operators/{operator}/subjectRequests/{subject_request}`.
        name: String,
    },
    /// Write all that is held on the person to a file of JSON, for who asked for access (art. 15.3).
    Export {
        /// `operators/{operator}/subjectRequests/{subject_request}`.
        name: String,
        /// The file; it must not be there yet.
        file: PathBuf,
        /// The legal claim that the data serve (art. 18.2), when the request is one that limits their processing.
        #[arg(long)]
        legal_claim: Option<String>,
    },
}

/// What a person may ask for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Right {
    /// A copy of the data (art. 15).
    Access,
    /// Wrong data set right (art. 16).
    Rectification,
    /// The data erased (art. 17).
    Erasure,
    /// The data kept and not used (art. 18).
    Restriction,
    /// No more processing (art. 21).
    Objection,
}

/// How a person was identified.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Identified {
    /// They came, and are known.
    InPerson,
    /// They showed a document.
    DocumentShown,
    /// They were reached where the records say.
    ContactConfirmed,
}

/// On what basis a request is refused.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Basis {
    /// They could not be identified (art. 12.2).
    IdentityNotProven,
    /// Manifestly unfounded or excessive (art. 12.5).
    UnfoundedOrExcessive,
    /// The data are right (art. 16).
    DataAccurate,
    /// A legal obligation (art. 17.3 b).
    LegalObligation,
    /// Legal claims (art. 17.3 e).
    LegalClaims,
    /// Compelling legitimate grounds (art. 21.1).
    CompellingGrounds,
    /// No ground of art. 18.1 is given.
    NoGroundToRestrict,
}

/// Runs one of them; the text that it prints.
pub async fn run(state: &State, command: Subjects) -> anyhow::Result<String> {
    let client = client_as(state, Role::OperatorManager)?.subject_requests();
    let (etag, request_id) = (String::new(), request_id());
    let done = match command {
        Subjects::List { operator, overdue } => return list(state, &operator, overdue).await,
        Subjects::Export {
            name,
            file,
            legal_claim,
        } => {
            let mut whole = Map::new();
            let mut page_token = String::new();
            loop {
                let client = client.clone();
                let request = ExportPersonalDataRequest {
                    name: name.clone(),
                    page_token,
                    legal_claim: legal_claim.clone().unwrap_or_default(),
                    ..ExportPersonalDataRequest::default()
                };
                let page = ask!(client, export_personal_data, request)?;
                join(&mut whole, serde_json::from_slice(&page.json)?);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            write_new(&file, &serde_json::to_vec_pretty(&whole)?)?;
            return Ok(format!("données écrites dans {}", file.display()));
        }
        Subjects::Enter {
            beneficiary,
            right,
            identified,
            on,
        } => {
            let person: BeneficiaryName = beneficiary
                .parse()
                .map_err(|invalid: nonrecours_kernel::Invalid| anyhow::anyhow!(invalid.text.fr))?;
            let operator = person.operator;
            let request = CreateSubjectRequestRequest {
                parent: OperatorName { operator }.to_string(),
                beneficiary,
                right: SubjectRight::from(right).into(),
                identity_check: IdentityCheck::from(identified).into(),
                received_date: Some(day_or_today(on.as_deref())?),
                request_id,
            };
            ask!(client, create_subject_request, request)?
        }
        Subjects::Extend { name, reason } => {
            let request = ExtendSubjectRequestRequest {
                name,
                reason,
                etag,
                request_id,
            };
            ask!(client, extend_subject_request, request)?
        }
        Subjects::Fulfil { name } => {
            let request = FulfilSubjectRequestRequest {
                name,
                etag,
                request_id,
            };
            ask!(client, fulfil_subject_request, request)?
        }
        Subjects::Refuse {
            name,
            basis,
            reason,
        } => {
            let request = RefuseSubjectRequestRequest {
                name,
                basis: RefusalBasis::from(basis).into(),
                reason,
                etag,
                request_id,
            };
            ask!(client, refuse_subject_request, request)?
        }
        Subjects::Lift { name } => {
            let request = LiftSubjectRequestRequest {
                name,
                etag,
                request_id,
            };
            ask!(client, lift_subject_request, request)?
        }
    };
    described(&done)
}

/// Writes a file that only its owner reads, and that was not there.
fn write_new(file: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| anyhow::anyhow!("{} : {error}", file.display()))
}

/// Adds a page of an export to those before: lists go on, and what only a page needs is left out.
fn join(whole: &mut Map<String, Value>, page: Map<String, Value>) {
    for (key, value) in page {
        match (whole.get_mut(&key), value) {
            _ if key == "nextPageToken" => {}
            (Some(Value::Array(before)), Value::Array(more)) => before.extend(more),
            (_, value) => drop(whole.insert(key, value)),
        }
    }
}

async fn list(state: &State, operator: &str, overdue_only: bool) -> anyhow::Result<String> {
    let client = client_as(state, Role::OperatorManager)?.subject_requests();
    let mut table = print::table(&["demande", "droit", "reçue le", "échéance", "état"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListSubjectRequestsRequest {
            parent: operator.to_owned(),
            page_size: PAGE,
            page_token,
            overdue_only,
            ..ListSubjectRequestsRequest::default()
        };
        let page = ask!(client.clone(), list_subject_requests, request)?;
        for request in &page.subject_requests {
            table.add_row([
                request.name.clone(),
                right(request.right()).to_owned(),
                shown_day(request.received_date.as_ref())?,
                shown_day(request.due_date.as_ref())?,
                state_of(request.state()).to_owned(),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(table.to_string())
}

fn described(request: &SubjectRequest) -> anyhow::Result<String> {
    Ok(format!(
        "{} ({}), à traiter au plus tard le {}\n{}",
        right(request.right()),
        state_of(request.state()),
        shown_day(request.due_date.as_ref())?,
        request.name,
    ))
}

impl From<Right> for SubjectRight {
    fn from(right: Right) -> Self {
        match right {
            Right::Access => Self::Access,
            Right::Rectification => Self::Rectification,
            Right::Erasure => Self::Erasure,
            Right::Restriction => Self::Restriction,
            Right::Objection => Self::Objection,
        }
    }
}

impl From<Identified> for IdentityCheck {
    fn from(identified: Identified) -> Self {
        match identified {
            Identified::InPerson => Self::InPerson,
            Identified::DocumentShown => Self::DocumentShown,
            Identified::ContactConfirmed => Self::ContactConfirmed,
        }
    }
}

impl From<Basis> for RefusalBasis {
    fn from(basis: Basis) -> Self {
        match basis {
            Basis::IdentityNotProven => Self::IdentityNotProven,
            Basis::UnfoundedOrExcessive => Self::UnfoundedOrExcessive,
            Basis::DataAccurate => Self::DataAccurate,
            Basis::LegalObligation => Self::LegalObligation,
            Basis::LegalClaims => Self::LegalClaims,
            Basis::CompellingGrounds => Self::CompellingGrounds,
            Basis::NoGroundToRestrict => Self::NoGroundToRestrict,
        }
    }
}

const fn right(right: SubjectRight) -> &'static str {
    match right {
        SubjectRight::Unspecified => "",
        SubjectRight::Access => "accès",
        SubjectRight::Rectification => "rectification",
        SubjectRight::Erasure => "effacement",
        SubjectRight::Restriction => "limitation",
        SubjectRight::Objection => "opposition",
    }
}

const fn state_of(state: SubjectRequestState) -> &'static str {
    match state {
        SubjectRequestState::Unspecified => "",
        SubjectRequestState::Received => "reçue",
        SubjectRequestState::Extended => "prolongée",
        SubjectRequestState::Fulfilled => "satisfaite",
        SubjectRequestState::Refused => "refusée",
    }
}
