//! What a request brings to a payment, looked up: its account, and the files that justify it.

use nonrecours_kernel::{
    BankAccountName, IdSource, InstalmentName, Invalid, PaymentPlanId, Violation,
};
use nonrecours_pg::Tx;
use nonrecours_rpc::Failure;
use prost::Message as _;
use time::Date;

use super::{
    Destination, DocumentKind, Instalment, Schedule, Source, Step, SupportingDocument,
    wire::GivenAccount,
};
use crate::{
    bank_account::{self, BankAccount, Standing},
    error::Error,
    known_file::{self, FileName},
    payment_plan,
};

/// What a request brings, before anything is known of it.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// The account to pay on.
    pub account: Option<GivenAccount>,
    /// The files, each with what it is.
    pub documents: Vec<(DocumentKind, FileName)>,
}

/// The same, once it is known.
#[derive(Clone, Debug, Default)]
pub struct Papers {
    /// The account to pay on.
    pub account: Option<Destination>,
    /// What justifies the payment, the RIB of the account included.
    pub documents: Vec<SupportingDocument>,
}

impl Brought {
    /// Looks everything up; an account that is not there yet is entered.
    pub async fn look_up(
        self,
        tx: &mut Tx,
        ids: &IdSource,
        of: &InstalmentName,
        step: &Step,
    ) -> Result<Papers, Error> {
        let mut papers = Papers::default();
        for (index, (kind, file)) in self.documents.into_iter().enumerate() {
            let path = format!("documents[{index}].file");
            papers
                .documents
                .push(document(tx, &path, kind, file).await?);
        }
        let account = match self.account {
            None => return Ok(papers),
            Some(GivenAccount::Known(name)) => known(tx, &name).await?,
            Some(GivenAccount::Rib(details)) => {
                let (operator, entry) = (of.operator, step.clone());
                bank_account::rpc::enter(tx, ids, operator, details, None, entry).await?
            }
        };
        if account.state.standing().ended() {
            return Err(bank_account::Refusal::Ended.into());
        }
        papers.documents.extend(rib(tx, &account).await?);
        papers.account = Some(destination(&account));
        Ok(papers)
    }
}

/// An account by its name.
async fn known(tx: &mut Tx, name: &BankAccountName) -> Result<BankAccount, Error> {
    let account = bank_account::store::get(tx, name).await?;
    Ok(account.ok_or_else(|| Failure::not_found(name))?)
}

/// An approved account to be paid on, locked against its end, with its RIB.
pub async fn approved(
    tx: &mut Tx,
    name: &BankAccountName,
) -> Result<(Destination, Option<SupportingDocument>), Error> {
    bank_account::store::hold(tx, name).await?;
    let account = known(tx, name).await?;
    if account.state.standing() != Standing::Approved {
        return Err(bank_account::Refusal::NotApproved.into());
    }
    let rib = rib(tx, &account).await?;
    Ok((destination(&account), rib))
}

fn destination(account: &BankAccount) -> Destination {
    Destination {
        details: account.details.clone(),
        account: Some(account.name.bank_account),
        standing: account.state.standing(),
    }
}

/// The RIB of an account as a document of a payment; nothing when it has none, or it was withdrawn.
async fn rib(tx: &mut Tx, account: &BankAccount) -> Result<Option<SupportingDocument>, Error> {
    let Some(rib) = account.rib else {
        return Ok(None);
    };
    let name = FileName::Attachment(rib);
    let file = known_file::store::get(tx, &name).await?;
    let file = file.filter(|file| !file.withdrawn);
    Ok(file.map(|file| SupportingDocument {
        kind: DocumentKind::Rib,
        source: Source::File(name),
        file_name: file.file_name,
        digest: file.digest,
        withdrawn: false,
    }))
}

/// A file as a document of a payment.
async fn document(
    tx: &mut Tx,
    path: &str,
    kind: DocumentKind,
    name: FileName,
) -> Result<SupportingDocument, Error> {
    let file = known_file::store::get(tx, &name).await?;
    let file = file.ok_or_else(|| Failure::not_found(name))?;
    if file.withdrawn {
        return Err(Failure::invalid(vec![Violation::at(path, withdrawn())]).into());
    }
    Ok(SupportingDocument {
        kind,
        source: Source::File(name),
        file_name: file.file_name,
        digest: file.digest,
        withdrawn: false,
    })
}

/// Why a file that was withdrawn is not cited.
pub fn withdrawn() -> Invalid {
    Invalid::new(
        "FILE_WITHDRAWN",
        "the file was withdrawn",
        "Ce fichier a été retiré : joignez celui qui le remplace.",
    )
}

/// The statement of sums paid, drawn from the books as they stand: what a later payment is certified with, unless one was
/// brought.
pub fn statement(
    schedule: &Schedule,
    instalment: &Instalment,
    brought: &[SupportingDocument],
    ids: &IdSource,
    today: Date,
) -> Result<Option<SupportingDocument>, Error> {
    let wanted = schedule.is_later(instalment)
        && schedule
            .requirements
            .later
            .contains(&DocumentKind::Statement);
    let mut there = instalment.documents.iter().chain(brought);
    if !wanted || there.any(|one| one.kind == DocumentKind::Statement && !one.withdrawn) {
        return Ok(None);
    }
    let message = payment_plan::rpc::stated(schedule, today)?;
    let id: PaymentPlanId = ids.next();
    Ok(Some(SupportingDocument {
        kind: DocumentKind::Statement,
        source: Source::Books(id.uuid()),
        file_name: format!("etat-des-sommes-versees-{today}"),
        digest: nonrecours_kernel::Digest::of(&message.encode_to_vec()),
        withdrawn: false,
    }))
}
