//! Instalments over gRPC.

use nonrecours_contracts::{
    Mutation,
    payments::{
        AttachSupportingDocumentsRequest, CallInstalmentRequest, CertifyInstalmentRequest,
        ConfirmInstalmentRequest, GetInstalmentRequest, Instalment as Wire, ListInstalmentsRequest,
        ListInstalmentsResponse, OrderInstalmentRequest, PaymentPlan as WirePlan,
        RedirectInstalmentRequest,
        instalment_service_server::{InstalmentService, InstalmentServiceServer},
    },
};
use nonrecours_kernel::{BankAccountName, ConventionName, IdSource, InstalmentName, Scope};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert, etag, field, open};
use time::Date;
use tonic::{Request, Response, Status};

use super::{
    Command, Instalment, Refusal, Schedule, Stage, Step, asked::Asked, document_store,
    papers::Brought, store, wire,
};
use crate::{
    error::Error,
    ledger_entry::{self, LedgerEntry},
    payment_plan::{self, PaymentPlan},
};

/// The rpcs about instalments.
pub struct Instalments {
    db: Db,
    ids: IdSource,
}

impl Instalments {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> InstalmentServiceServer<Self> {
        InstalmentServiceServer::new(Self { db, ids })
    }

    async fn get(&self, request: Request<GetInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut tx = self.db.read(&scope).await?;
        let schedule = store::schedule(&mut tx, &name.parent()).await?;
        let found = schedule.as_ref().and_then(|schedule| {
            let instalment = schedule.find(name.instalment)?;
            Some(wire::instalment(schedule, instalment))
        });
        Ok(found.ok_or_else(|| Failure::not_found(name))?)
    }

    async fn list(
        &self,
        request: Request<ListInstalmentsRequest>,
    ) -> Result<ListInstalmentsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator())?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListInstalments", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let after = page.after::<i32>()?.unwrap_or_default();
        let mut tx = self.db.read(&scope).await?;
        // The whole plan is read, for an instalment's blockers are about the others: 99 rows at most.
        let rows = store::schedule(&mut tx, &parent)
            .await?
            .map(|schedule| {
                let shown = |one: &Instalment| wire::instalment(&schedule, one);
                schedule.instalments.iter().map(shown).collect::<Vec<_>>()
            })
            .unwrap_or_default();
        let rows = rows
            .into_iter()
            .filter(|row| row.position > after)
            .collect();
        let (instalments, next_page_token) = page.cut(rows, |row| row.position.to_string());
        Ok(ListInstalmentsResponse {
            instalments,
            next_page_token,
        })
    }

    async fn call(&self, request: Request<CallInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let reference = wire::text(&mut check, "reference", &request.reference);
        let (rib, account) = (request.bank_account.as_ref(), &request.bank_account_name);
        if rib.is_none() && account.is_empty() {
            check.refuse("bank_account", Refusal::BankAccountMissing.invalid());
        }
        let account = wire::given_account(&mut check, name.operator, rib, account);
        let documents = wire::documents(&mut check, &name.parent(), &request.documents);
        let asked = check.finish(|| {
            let account = Some(account?);
            let documents = documents?;
            Some(Asked::Call(reference?, Brought { account, documents }))
        })?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    async fn attach(
        &self,
        request: Request<AttachSupportingDocumentsRequest>,
    ) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let documents = wire::documents(&mut check, &name.parent(), &request.documents);
        let asked = check.finish(|| {
            let documents = documents?;
            let account = None;
            Some(Asked::Attach(Brought { account, documents }))
        })?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    async fn redirect(&self, request: Request<RedirectInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let path = "bank_account_name";
        let account = check.parse::<BankAccountName>(path, &request.bank_account_name);
        let account =
            account.and_then(|account| check.take(path, wire::account_of(account, name.operator)));
        let asked = check.finish(|| Some(Asked::Redirect(account?)))?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    async fn certify(&self, request: Request<CertifyInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let (rib, account) = (request.bank_account.as_ref(), &request.bank_account_name);
        let account = wire::given_account(&mut check, name.operator, rib, account);
        let documents = wire::documents(&mut check, &name.parent(), &request.documents);
        let asked = check.finish(|| {
            let documents = documents?;
            Some(Asked::Certify(Brought { account, documents }))
        })?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    async fn order(&self, request: Request<OrderInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let asked = Check::of(&request).finish(|| Some(Asked::Order))?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    async fn confirm(&self, request: Request<ConfirmInstalmentRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: InstalmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut check = Check::of(&request);
        let transfer_date = convert::date(request.transfer_date.as_ref());
        let transfer_date = check.take("transfer_date", transfer_date);
        let asked = check.finish(|| Some(Asked::Confirm(transfer_date?)))?;
        self.take(&scope, name, asked, &request, &request.etag)
            .await
    }

    /// Makes one step of an instalment: the same life for all six.
    async fn take<Q: Mutation>(
        &self,
        scope: &Scope,
        name: InstalmentName,
        asked: Asked,
        request: &Q,
        given_etag: &str,
    ) -> Result<Wire, Error> {
        let mut tx = self.db.begin(scope).await?;
        let schedule = store::lock(&mut tx, &name.parent()).await?;
        // After the lock: the same request twice at once waits here, then finds the answer of the first.
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        let not_found = || Failure::not_found(name);
        let mut schedule = schedule.ok_or_else(not_found)?;
        let current = schedule.find(name.instalment).ok_or_else(not_found)?;
        etag::check(given_etag, current.revision)?;
        let step = Step::of(scope, tx.now());
        let told = asked.kind();
        let command = asked
            .command(&mut tx, &self.ids, &schedule, current, &step)
            .await?;
        let next = schedule.take(current, command, step)?;
        make(&mut tx, &self.ids, &mut schedule, &next, told).await?;
        let answer = wire::instalment(&schedule, &next);
        Ok(tx.answer(request, answer).await?)
    }
}

/// Writes a step that was made of an instalment of a locked plan: its state and documents, what it books, and the change.
async fn make(
    tx: &mut Tx,
    ids: &IdSource,
    schedule: &mut Schedule,
    next: &Instalment,
    told: &'static str,
) -> Result<(), Error> {
    store::update(tx, next).await?;
    let before = schedule.find(next.name.instalment);
    if before.is_none_or(|before| before.documents != next.documents) {
        document_store::write(tx, next).await?;
    }
    let reached = before.is_none_or(|before| before.state.stage() != next.state.stage());
    if let Some(movement) = next.movement().filter(|_| reached) {
        let (actor, now) = (tx.actor().to_owned(), tx.now());
        let entry = LedgerEntry::book(ids.next(), next, movement, &actor, now);
        ledger_entry::store::insert(tx, &entry).await?;
    }
    if next.state.stage() == Stage::Paid {
        schedule.plan = pay(tx, schedule, next).await?;
    }
    let change = Change {
        kind: told,
        operator: Some(next.name.operator()),
        name: &next.name.to_string(),
        revision: next.revision,
    };
    Ok(tx.record(change, &wire::change(schedule, next)).await?)
}

/// Confirms the transfer of an ordered instalment on this day, as the accountant of this scope; the day on which it was made
/// when that is confirmed already, or why it cannot be confirmed.
pub(crate) async fn confirm(
    tx: &mut Tx,
    ids: &IdSource,
    scope: &Scope,
    name: &InstalmentName,
    transfer_date: Date,
) -> Result<Result<Date, Refusal>, Error> {
    let gone = || Failure::bug("an instalment in a slip is not there");
    let mut schedule = store::lock(tx, &name.parent()).await?.ok_or_else(gone)?;
    let current = schedule.find(name.instalment).ok_or_else(gone)?;
    if let Some(paid) = current.state.paid() {
        return Ok(Ok(paid.transfer_date));
    }
    let step = Step::of(scope, tx.now());
    match schedule.take(current, Command::Confirm { transfer_date }, step) {
        Err(refusal) => Ok(Err(refusal)),
        Ok(next) => {
            make(tx, ids, &mut schedule, &next, kind(Stage::Paid)).await?;
            Ok(Ok(transfer_date))
        }
    }
}

/// Adds a booked payment to the locked plan. The sum is counted twice, by the plan and from the ledger.
async fn pay(
    tx: &mut Tx,
    schedule: &Schedule,
    instalment: &Instalment,
) -> Result<PaymentPlan, Error> {
    let plan = schedule.plan.clone();
    let plan = plan.pay(instalment.amount, schedule.planned()?, tx.now())?;
    payment_plan::store::update(tx, &plan).await?;
    let booked = payment_plan::store::get(tx, &plan.convention).await?;
    if booked.as_ref() != Some(&plan) {
        return Err(Failure::bug("the ledger and the plan disagree on the sum paid").into());
    }
    let change = Change {
        kind: "payment_plan.paid",
        operator: Some(plan.convention.operator),
        name: &plan.name().to_string(),
        revision: plan.revision,
    };
    tx.record(change, &WirePlan::from(plan.clone())).await?;
    Ok(plan)
}

/// The change that reaching a stage is told as.
pub(crate) const fn kind(stage: Stage) -> &'static str {
    match stage {
        Stage::Planned => "instalment.planned",
        Stage::Called => "instalment.called",
        Stage::Certified => "instalment.certified",
        Stage::Ordered => "instalment.ordered",
        Stage::Paid => "instalment.paid",
        Stage::Cancelled => "instalment.cancelled",
    }
}

#[tonic::async_trait]
impl InstalmentService for Instalments {
    async fn get_instalment(
        &self,
        request: Request<GetInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_instalments(
        &self,
        request: Request<ListInstalmentsRequest>,
    ) -> Result<Response<ListInstalmentsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn call_instalment(
        &self,
        request: Request<CallInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.call(request).await?))
    }

    async fn attach_supporting_documents(
        &self,
        request: Request<AttachSupportingDocumentsRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.attach(request).await?))
    }

    async fn redirect_instalment(
        &self,
        request: Request<RedirectInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.redirect(request).await?))
    }

    async fn certify_instalment(
        &self,
        request: Request<CertifyInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.certify(request).await?))
    }

    async fn order_instalment(
        &self,
        request: Request<OrderInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.order(request).await?))
    }

    async fn confirm_instalment(
        &self,
        request: Request<ConfirmInstalmentRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.confirm(request).await?))
    }
}
