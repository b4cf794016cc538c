//! Bank accounts over gRPC.

use nonrecours_contracts::payments::{
    ApproveBankAccountRequest, BankAccount as Wire, EnterBankAccountRequest, GetBankAccountRequest,
    ListBankAccountsRequest, ListBankAccountsResponse, RevokeBankAccountRequest,
    bank_account_service_server::{BankAccountService, BankAccountServiceServer},
};
use nonrecours_kernel::{
    AttachmentName, BankAccountName, IdSource, Invalid, OperatorId, OperatorName, Violation,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{BankAccount, Details, store, wire};
use crate::{
    error::Error,
    instalment::{
        Step,
        papers::withdrawn,
        wire::{details, text},
    },
    known_file::{self, FileName},
    payment_plan::{self, Payee},
};

/// Parent of a list over every operator that the caller may see.
const EVERY_OPERATOR: &str = "operators/-";

/// The rpcs about bank accounts.
pub struct BankAccounts {
    db: Db,
    ids: IdSource,
}

impl BankAccounts {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> BankAccountServiceServer<Self> {
        BankAccountServiceServer::new(Self { db, ids })
    }

    async fn enter(&self, request: Request<EnterBankAccountRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator())?;
        let mut check = Check::of(&request);
        let given = request.details.as_ref();
        let given = given.and_then(|given| details(&mut check, "details", given));
        let rib = rib(&mut check, &parent, &request.rib);
        let (given, rib) = check.finish(|| Some((given?, rib?)))?;
        let mut tx = self.db.begin(&scope).await?;
        let payee = payee(&mut tx, &parent).await?;
        if let Some(rib) = rib {
            active(&mut tx, &rib).await?;
        }
        let entry = Step::of(&scope, tx.now());
        // Waits for whoever enters the same account: the same request twice at once finds the answer of the first.
        let account = enter(&mut tx, &self.ids, parent.operator, given, rib, entry).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let answer = wire::account(&account, &payee);
        Ok(tx.answer(&request, answer).await?)
    }

    async fn approve(&self, request: Request<ApproveBankAccountRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BankAccountName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let account = found(&mut tx, &name).await?;
        etag::check(&request.etag, account.revision)?;
        let step = Step::of(&scope, tx.now());
        let before = store::approved(&mut tx, name.operator).await?;
        let approved = account.approve(step.clone())?;
        let mut entries = Vec::new();
        if let Some(before) = before {
            let superseded = before.supersede(step)?;
            store::update(&mut tx, &superseded).await?;
            entries.push(entry("bank_account.superseded", &superseded));
        }
        store::update(&mut tx, &approved).await?;
        entries.push(entry("bank_account.approved", &approved));
        tx.record_all(&entries).await?;
        let payee = payee(&mut tx, &name.parent()).await?;
        let answer = wire::account(&approved, &payee);
        Ok(tx.answer(&request, answer).await?)
    }

    async fn revoke(&self, request: Request<RevokeBankAccountRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BankAccountName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let reason = text(&mut check, "reason", &request.reason);
        let reason = check.finish(|| reason)?;
        let mut tx = self.db.begin(&scope).await?;
        store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let account = found(&mut tx, &name).await?;
        etag::check(&request.etag, account.revision)?;
        tx.because(&reason);
        let revoked = account.revoke(reason, Step::of(&scope, tx.now()))?;
        store::update(&mut tx, &revoked).await?;
        tx.record_all(&[entry("bank_account.revoked", &revoked)])
            .await?;
        let payee = payee(&mut tx, &name.parent()).await?;
        let answer = wire::account(&revoked, &payee);
        Ok(tx.answer(&request, answer).await?)
    }

    async fn get(&self, request: Request<GetBankAccountRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BankAccountName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut tx = self.db.read(&scope).await?;
        let account = found(&mut tx, &name).await?;
        let payee = payee(&mut tx, &name.parent()).await?;
        Ok(wire::account(&account, &payee))
    }

    async fn list(
        &self,
        request: Request<ListBankAccountsRequest>,
    ) -> Result<ListBankAccountsResponse, Error> {
        let (caller, request) = open(request)?;
        let scope = match request.parent.as_str() {
            EVERY_OPERATOR => caller.scope(),
            parent => caller.reach(field::<OperatorName>("parent", parent)?.operator())?,
        };
        Check::of(&request).finish(|| Some(()))?;
        let of = scope.operator().map_or_else(
            || EVERY_OPERATOR.to_owned(),
            |operator| operator.to_string(),
        );
        let page = Page::read(
            &["ListBankAccounts", &request.parent, &of],
            request.page_size,
            &request.page_token,
        )?;
        let operator = match request.parent.as_str() {
            EVERY_OPERATOR => scope.operator(),
            parent => Some(field::<OperatorName>("parent", parent)?.operator),
        };
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, operator, page.after::<Uuid>()?, page.limit()).await?;
        let operators: Vec<OperatorId> = rows.iter().map(|row| row.name.operator).collect();
        let payees = payment_plan::store::payees(&mut tx, &operators).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.bank_account.to_string());
        let shown = rows.iter().filter_map(|row| {
            let of = |payee: &&Payee| payee.operator == row.name.operator;
            // A constraint has each account's operator there.
            payees
                .iter()
                .find(of)
                .map(|payee| wire::account(row, payee))
        });
        Ok(ListBankAccountsResponse {
            bank_accounts: shown.collect(),
            next_page_token,
        })
    }
}

/// Enters an account, and tells of it; the one that has the same details and is ENTERED or APPROVED already, as it is.
pub(crate) async fn enter(
    tx: &mut Tx,
    ids: &IdSource,
    operator: OperatorId,
    details: Details,
    rib: Option<AttachmentName>,
    step: Step,
) -> Result<BankAccount, Error> {
    let name = BankAccountName {
        operator,
        bank_account: ids.next(),
    };
    let account = BankAccount::enter(name, details, rib, step);
    if store::insert(tx, &account).await? {
        tx.record_all(&[entry("bank_account.entered", &account)])
            .await?;
        return Ok(account);
    }
    let same = store::live(tx, operator, &account.details).await?;
    // It was there when the insertion gave way to it; whoever ends it now makes this one be sent again.
    Ok(same.ok_or_else(Failure::concurrent_update)?)
}

fn entry(kind: &'static str, account: &BankAccount) -> Entry {
    let change = Change {
        kind,
        operator: Some(account.name.operator),
        name: &account.name.to_string(),
        revision: account.revision,
    };
    Entry::new(change, &wire::change(account))
}

async fn found(tx: &mut Tx, name: &BankAccountName) -> Result<BankAccount, Error> {
    let account = store::get(tx, name).await?;
    Ok(account.ok_or_else(|| Failure::not_found(name))?)
}

async fn payee(tx: &mut Tx, name: &OperatorName) -> Result<Payee, Error> {
    let payee = payment_plan::store::payees(tx, &[name.operator])
        .await?
        .pop();
    Ok(payee.ok_or_else(|| Failure::not_found(name))?)
}

/// Reads the name of a RIB; none when nothing is written.
fn rib(check: &mut Check, operator: &OperatorName, given: &str) -> Option<Option<AttachmentName>> {
    if given.is_empty() {
        return Some(None);
    }
    let rib = check.parse::<AttachmentName>("rib", given)?;
    let own = if rib.operator == operator.operator {
        Ok(Some(rib))
    } else {
        Err(Invalid::new(
            "FILE_ELSEWHERE",
            "the RIB is another operator's",
            "Ce RIB est celui d'un autre opérateur.",
        ))
    };
    check.take("rib", own)
}

/// Refuses a RIB that is not known, or counts no more.
async fn active(tx: &mut Tx, rib: &AttachmentName) -> Result<(), Error> {
    let file = known_file::store::get(tx, &FileName::Attachment(*rib)).await?;
    let file = file.ok_or_else(|| Failure::not_found(rib))?;
    if file.withdrawn {
        return Err(Failure::invalid(vec![Violation::at("rib", withdrawn())]).into());
    }
    Ok(())
}

#[tonic::async_trait]
impl BankAccountService for BankAccounts {
    async fn enter_bank_account(
        &self,
        request: Request<EnterBankAccountRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.enter(request).await?))
    }

    async fn approve_bank_account(
        &self,
        request: Request<ApproveBankAccountRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.approve(request).await?))
    }

    async fn revoke_bank_account(
        &self,
        request: Request<RevokeBankAccountRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.revoke(request).await?))
    }

    async fn get_bank_account(
        &self,
        request: Request<GetBankAccountRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_bank_accounts(
        &self,
        request: Request<ListBankAccountsRequest>,
    ) -> Result<Response<ListBankAccountsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
