//! The papers that justify the payments: files brought to `conventions`, and the account that they are paid on.

use nonrecours_contracts::{
    conventions::{
        AttachmentKind, AttachmentOpening, UploadAttachmentRequest,
        upload_attachment_request::Message,
    },
    payments::{
        ApproveBankAccountRequest, BankAccount, BankAccountState, DocumentReference,
        EnterBankAccountRequest, SupportingDocumentKind as Kind,
    },
};
use nonrecours_kernel::Digest;
use nonrecours_rpc::details::Details;
use tonic::Status;

use super::{Journey, convening::call, eventually};
use crate::client::answered;

/// What is brought with the first call.
pub(super) struct Papers {
    /// The files that the call cites.
    pub documents: Vec<DocumentReference>,
    /// The RIB, which the account cites.
    rib: String,
}

impl Journey {
    /// The files of the first call, brought by the commune.
    pub(super) async fn papers_of_advance(&self) -> anyhow::Result<Papers> {
        let (act, scan) = (AttachmentKind::Act, AttachmentKind::ScanOfOriginal);
        let mut documents = Vec::new();
        for (kind, file_name, what) in [
            (Kind::Act, "deliberation.pdf", act),
            (Kind::Convention, "convention signée.pdf", scan),
            (
                Kind::Call,
                "appel de fonds AF-2025-01.pdf",
                AttachmentKind::Other,
            ),
        ] {
            documents.push(cited(kind, self.bring(file_name, what).await?));
        }
        let rib = self.bring("RIB.pdf", AttachmentKind::Other).await?;
        Ok(Papers { documents, rib })
    }

    /// Those of the balance; the statement of sums paid is drawn from the books.
    pub(super) async fn papers_of_balance(&self) -> anyhow::Result<Vec<DocumentReference>> {
        let other = AttachmentKind::Other;
        let call = self.bring("appel de fonds AF-2025-02.pdf", other).await?;
        let report = self
            .bring("bilan 2025.pdf", AttachmentKind::Evidence)
            .await?;
        Ok(vec![cited(Kind::Call, call), cited(Kind::Report, report)])
    }

    /// The commune enters its account; an agent of the authority looks at the RIB and approves it.
    pub(super) async fn approved_account(&self, papers: &Papers) -> anyhow::Result<BankAccount> {
        let manager = self.cast.manager(self.operator()?)?;
        let entered = eventually("the RIB is known", async || {
            let request = EnterBankAccountRequest {
                parent: self.facts.operator.clone(),
                details: Some(self.example.bank_account.clone()),
                rib: papers.rib.clone(),
                request_id: self.request_id(),
            };
            known(call!(manager.bank_accounts(), enter_bank_account, request))
        })
        .await?;
        if entered.state() != BankAccountState::Entered {
            return Ok(entered);
        }
        let request = ApproveBankAccountRequest {
            name: entered.name,
            etag: String::new(),
            request_id: self.request_id(),
        };
        let officer = self.cast.officer()?;
        Ok(call!(
            officer.bank_accounts(),
            approve_bank_account,
            request
        )?)
    }

    /// Brings a file under the convention and gives its name; one that is there already is not brought twice.
    async fn bring(&self, file_name: &str, kind: AttachmentKind) -> anyhow::Result<String> {
        let bytes = format!("%PDF-1.7\n% {file_name}\n%%EOF\n").into_bytes();
        let opening = AttachmentOpening {
            parent: self.facts.convention.clone(),
            subject: String::new(),
            kind: kind.into(),
            file_name: file_name.to_owned(),
            media_type: "application/pdf".to_owned(),
            size_bytes: i64::try_from(bytes.len())?,
            sha256: Digest::of(&bytes).to_string(),
            request_id: self.request_id(),
        };
        let messages = [Message::Opening(opening), Message::Chunk(bytes)];
        let messages = messages.map(|message| UploadAttachmentRequest {
            message: Some(message),
        });
        let attachments = self.cast.manager(self.operator()?)?.attachments();
        let brought = answered(|| {
            let (mut attachments, messages) = (attachments.clone(), messages.clone());
            async move {
                attachments
                    .upload_attachment(tokio_stream::iter(messages))
                    .await
            }
        })
        .await?;
        Ok(brought.name)
    }
}

fn cited(kind: Kind, file: String) -> DocumentReference {
    DocumentReference {
        kind: kind.into(),
        file,
    }
}

/// What was answered; nothing while a file that was cited is still on its way to `payments`.
pub(super) fn known<T>(answer: Result<T, Status>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if Details::of(&status).reason == "NOT_FOUND" => Ok(None),
        Err(status) => Err(status.into()),
    }
}
