//! Instalments between protobuf and the domain.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::{BankAccountName, ConventionName, Invalid, OperatorId, screen};
use nonrecours_rpc::{
    Check,
    convert::{to_blocker, to_date, to_money, to_timestamp},
    etag,
};

use super::{
    DocumentKind, Instalment, Kind, RecoveryStage, Schedule, Source, Stage, State, Step,
    SupportingDocument,
};
use crate::{
    bank_account::{Details, wire::to_details},
    known_file::FileName,
};

/// The field of every message that carries the account of a payment.
const ACCOUNT: &str = "bank_account";

/// An instalment as its readers see it, with what its schedule says of it.
pub fn instalment(schedule: &Schedule, instalment: &Instalment) -> wire::Instalment {
    let bank_account = instalment.state.account().map(|account| {
        let warnings = account.details.warnings(ACCOUNT, &schedule.payee);
        to_details(&account.details, &warnings)
    });
    wire::Instalment {
        bank_account,
        ..change(schedule, instalment)
    }
}

/// The view for the change feed: without the bank account, which is nobody's business but the parties'.
pub fn change(schedule: &Schedule, instalment: &Instalment) -> wire::Instalment {
    let state = &instalment.state;
    let call = state.call();
    let blockers = schedule.blockers(instalment);
    let recovering = schedule.recovering(instalment);
    wire::Instalment {
        name: instalment.name.to_string(),
        kind: wire::InstalmentKind::from(instalment.kind).into(),
        position: i32::from(instalment.position),
        amount: Some(to_money(instalment.amount)),
        state: wire::InstalmentState::from(state.stage()).into(),
        blockers: blockers.iter().map(to_blocker).collect(),
        bank_account: None,
        call: call.map(|call| step(&call.step)),
        call_reference: call.map(|call| call.reference.clone()).unwrap_or_default(),
        certification: state.certified().map(|state| step(&state.certification)),
        order: state.ordered().map(|state| step(&state.order)),
        confirmation: state.paid().map(|state| step(&state.confirmation)),
        transfer_date: state.paid().map(|state| to_date(state.transfer_date)),
        revision: instalment.revision,
        create_time: Some(to_timestamp(instalment.create_time)),
        update_time: Some(to_timestamp(instalment.update_time)),
        etag: etag::of(instalment.revision),
        to_recover_amount: recovering.map(|recovering| to_money(recovering.amount)),
        recovery_state: recovering.map_or(0, |recovering| {
            wire::InstalmentRecoveryState::from(recovering.stage).into()
        }),
        bank_account_name: state
            .account()
            .and_then(|account| account.account)
            .map(|bank_account| {
                let operator = instalment.name.operator;
                BankAccountName {
                    operator,
                    bank_account,
                }
                .to_string()
            })
            .unwrap_or_default(),
        documents: instalment
            .documents
            .iter()
            .map(|one| document(schedule, one))
            .collect(),
        cancel_time: match state {
            State::Cancelled { time, .. } => Some(to_timestamp(*time)),
            _ => None,
        },
    }
}

/// A step with who made it.
pub fn step(step: &Step) -> wire::Step {
    wire::Step {
        actor: step.actor.clone(),
        actor_name: step.actor_name.clone(),
        time: Some(to_timestamp(step.time)),
    }
}

impl From<Kind> for wire::InstalmentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Advance => Self::Advance,
            Kind::Interim => Self::Interim,
            Kind::Balance => Self::Balance,
        }
    }
}

impl From<RecoveryStage> for wire::InstalmentRecoveryState {
    fn from(stage: RecoveryStage) -> Self {
        match stage {
            RecoveryStage::ToRecover => Self::ToRecover,
            RecoveryStage::Issued => Self::RecoveryIssued,
            RecoveryStage::Recovered => Self::Recovered,
        }
    }
}

impl From<Stage> for wire::InstalmentState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Planned => Self::Planned,
            Stage::Called => Self::Called,
            Stage::Certified => Self::Certified,
            Stage::Ordered => Self::Ordered,
            Stage::Paid => Self::Paid,
            Stage::Cancelled => Self::Cancelled,
        }
    }
}

fn document(schedule: &Schedule, document: &SupportingDocument) -> wire::SupportingDocument {
    wire::SupportingDocument {
        kind: wire::SupportingDocumentKind::from(document.kind).into(),
        file: match document.source {
            Source::File(name) => name.to_string(),
            Source::Books(_) => schedule.plan.name().to_string(),
        },
        file_name: document.file_name.clone(),
        sha256: document.digest.to_string(),
        reference: document.reference(),
        withdrawn: document.withdrawn,
    }
}

impl From<DocumentKind> for wire::SupportingDocumentKind {
    fn from(kind: DocumentKind) -> Self {
        match kind {
            DocumentKind::Act => Self::Act,
            DocumentKind::Convention => Self::Convention,
            DocumentKind::Call => Self::Call,
            DocumentKind::Rib => Self::Rib,
            DocumentKind::Report => Self::Report,
            DocumentKind::Statement => Self::Statement,
            DocumentKind::Other => Self::Other,
        }
    }
}

/// A kind as the contract names it; none for what the contract's own rule refuses.
pub const fn document_kind(kind: wire::SupportingDocumentKind) -> Option<DocumentKind> {
    match kind {
        wire::SupportingDocumentKind::Unspecified => None,
        wire::SupportingDocumentKind::Act => Some(DocumentKind::Act),
        wire::SupportingDocumentKind::Convention => Some(DocumentKind::Convention),
        wire::SupportingDocumentKind::Call => Some(DocumentKind::Call),
        wire::SupportingDocumentKind::Rib => Some(DocumentKind::Rib),
        wire::SupportingDocumentKind::Report => Some(DocumentKind::Report),
        wire::SupportingDocumentKind::Statement => Some(DocumentKind::Statement),
        wire::SupportingDocumentKind::Other => Some(DocumentKind::Other),
    }
}

/// Which account a request means.
#[derive(Clone, Debug)]
pub enum GivenAccount {
    /// One that is known.
    Known(BankAccountName),
    /// The one of this RIB.
    Rib(Details),
}

/// Reads the account of a call, or of the certification of what was not called: by its name or by its RIB, not by both;
/// every fault is noted. None when there is none.
pub fn given_account(
    check: &mut Check,
    operator: OperatorId,
    rib: Option<&wire::AccountDetails>,
    name: &str,
) -> Option<GivenAccount> {
    match (rib, name) {
        (None, "") => None,
        (Some(rib), "") => details(check, ACCOUNT, rib).map(GivenAccount::Rib),
        (None, name) => {
            let path = "bank_account_name";
            let name = check.parse::<BankAccountName>(path, name)?;
            check
                .take(path, account_of(name, operator))
                .map(GivenAccount::Known)
        }
        (Some(_), _) => {
            check.refuse(ACCOUNT, one_account());
            None
        }
    }
}

/// The account, if it is the operator's.
pub fn account_of(name: BankAccountName, operator: OperatorId) -> Result<BankAccountName, Invalid> {
    if name.operator == operator {
        return Ok(name);
    }
    Err(Invalid::new(
        "ACCOUNT_ELSEWHERE",
        "the account is another operator's",
        "Ce compte est celui d'un autre opérateur.",
    ))
}

/// Reads a RIB; every fault of it is noted.
pub fn details(check: &mut Check, path: &str, given: &wire::AccountDetails) -> Option<Details> {
    let iban = check.parse(&format!("{path}.iban"), &given.iban);
    let bic = check.parse(&format!("{path}.bic"), &given.bic);
    let holder = text(check, &format!("{path}.holder"), &given.holder);
    Some(Details {
        iban: iban?,
        bic: bic?,
        holder: holder?,
    })
}

/// Reads the documents of a request, each of the same convention; every fault is noted.
pub fn documents(
    check: &mut Check,
    convention: &ConventionName,
    given: &[wire::DocumentReference],
) -> Option<Vec<(DocumentKind, FileName)>> {
    let mut documents = Vec::with_capacity(given.len());
    let mut whole = true;
    for (index, given) in given.iter().enumerate() {
        let path = format!("documents[{index}].file");
        let file = check.parse::<FileName>(&path, &given.file);
        match (document_kind(given.kind()), file) {
            (_, Some(file)) if file.convention() != *convention => {
                check.refuse(&path, elsewhere());
            }
            (Some(kind), Some(file)) => documents.push((kind, file)),
            _ => whole = false,
        }
    }
    whole.then_some(documents)
}

fn one_account() -> Invalid {
    Invalid::new(
        "ACCOUNT_TWICE",
        "give either the account's name or its RIB",
        "Indiquez soit le nom du compte, soit son RIB, pas les deux.",
    )
}

fn elsewhere() -> Invalid {
    Invalid::new(
        "FILE_ELSEWHERE",
        "the file is of another convention",
        "Ce fichier est celui d'une autre convention : déposez-le sous celle-ci.",
    )
}

/// Reads a short text: trimmed, not blank, without a social security number.
pub fn text(check: &mut Check, path: &str, value: &str) -> Option<String> {
    let value = value.trim();
    let read = if value.is_empty() {
        Err(Invalid::new(
            "REQUIRED",
            "this field is needed",
            "ce champ est obligatoire",
        ))
    } else {
        screen(value).map(|()| value.to_owned())
    };
    check.take(path, read)
}
