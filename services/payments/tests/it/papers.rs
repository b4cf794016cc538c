//! The papers of payments: files that `conventions` tells of, and accounts entered and approved.

use nonrecours_contracts::{
    conventions as source,
    payments::{
        AccountDetails, ApproveBankAccountRequest, BankAccount, BankAccountState,
        DocumentReference, EnterBankAccountRequest, SupportingDocumentKind as Kind,
        bank_account_service_client::BankAccountServiceClient,
    },
};
use nonrecours_kernel::{
    AttachmentId, AttachmentName, ConventionName, Digest, InstalmentName, OperatorName,
};
use nonrecours_rpc::client::PeerChannel;
use nonrecours_testkit::request_id;
use tonic::Status;
use uuid::Uuid;

use crate::world::{World, rib};

impl World {
    pub fn bank_accounts(&self, token: String) -> BankAccountServiceClient<PeerChannel> {
        BankAccountServiceClient::new(self.service.channel(token))
    }

    /// Says that there is a file, or that it was withdrawn.
    pub fn tell_file(&self, convention: &ConventionName, kind: Kind, withdrawn: bool) {
        let name = file(convention, kind);
        let state = if withdrawn {
            source::AttachmentState::Withdrawn
        } else {
            source::AttachmentState::Active
        };
        let snapshot = source::Attachment {
            file_name: format!("{}.pdf", kind.as_str_name()),
            sha256: Digest::of(name.as_bytes()).to_string(),
            state: state.into(),
            name,
            ..Default::default()
        };
        let revision = i64::from(withdrawn) + 1;
        self.feed
            .push(&snapshot.name, revision, "attachment.added", &snapshot);
    }

    /// Enters an account as the operator's manager.
    pub async fn enter(&self, request: EnterBankAccountRequest) -> Result<BankAccount, Status> {
        let operator: OperatorName = request.parent.parse().unwrap();
        let mut client = self.bank_accounts(self.tokens.manager(operator.operator));
        Ok(client.enter_bank_account(request).await?.into_inner())
    }

    /// Approves one as a programme officer.
    pub async fn approve(&self, request: ApproveBankAccountRequest) -> Result<BankAccount, Status> {
        let mut client = self.bank_accounts(self.tokens.officer());
        Ok(client.approve_bank_account(request).await?.into_inner())
    }

    /// The account of [`rib`], approved.
    pub async fn account(&self, convention: &ConventionName) -> BankAccount {
        self.paid_on(convention, rib()).await
    }

    /// The account of these details, approved; its RIB is a file of the convention.
    pub async fn paid_on(
        &self,
        convention: &ConventionName,
        details: AccountDetails,
    ) -> BankAccount {
        let account = self.enter(enter(convention, details)).await.unwrap();
        if account.state() != BankAccountState::Entered {
            return account;
        }
        self.approve(approve(&account.name)).await.unwrap()
    }
}

/// Files that [`World::tell`] tells of.
pub const FILES: [Kind; 6] = [
    Kind::Act,
    Kind::Convention,
    Kind::Call,
    Kind::Rib,
    Kind::Report,
    Kind::Other,
];

/// The file of this kind of a convention.
pub fn file(convention: &ConventionName, kind: Kind) -> String {
    let id = convention.convention.uuid().as_u128() ^ (kind as u128);
    let name = AttachmentName {
        operator: convention.operator,
        convention: convention.convention,
        attachment: AttachmentId::from_uuid(Uuid::from_u128(id)),
    };
    name.to_string()
}

/// These files of the convention of an instalment.
pub fn documents(instalment: &str, kinds: &[Kind]) -> Vec<DocumentReference> {
    let Ok(name) = instalment.parse::<InstalmentName>() else {
        return Vec::new();
    };
    let reference = |kind: &Kind| DocumentReference {
        kind: (*kind).into(),
        file: file(&name.parent(), *kind),
    };
    kinds.iter().map(reference).collect()
}

/// All that a payment needs but the RIB, which comes with the account.
pub const NEEDED: [Kind; 4] = [Kind::Act, Kind::Convention, Kind::Call, Kind::Report];

pub fn enter(convention: &ConventionName, details: AccountDetails) -> EnterBankAccountRequest {
    EnterBankAccountRequest {
        parent: convention.parent().to_string(),
        details: Some(details),
        rib: file(convention, Kind::Rib),
        request_id: request_id(),
    }
}

pub fn approve(name: &str) -> ApproveBankAccountRequest {
    ApproveBankAccountRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}
