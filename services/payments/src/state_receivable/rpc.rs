//! Receivables over gRPC.

use nonrecours_contracts::{
    Mutation,
    payments::{
        GetStateReceivableRequest, ListStateReceivablesRequest, ListStateReceivablesResponse,
        ReceiveStateFundsRequest, ReverseStateReceiptRequest, StateReceivable as Wire,
        VerifyStateReceivablesRequest, VerifyStateReceivablesResponse,
        state_receivable_service_server::{StateReceivableService, StateReceivableServiceServer},
    },
};
use nonrecours_kernel::{Caller, Digest, IdSource, ProgrammeName, StateReceivableName};
use nonrecours_pg::{Change, Db, Entry as ChangeEntry, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert, etag, field, open};
use tonic::{Request, Response, Status};

use super::{
    Claim, Command, Entry, Evidence, Learned, StateReceivable, domain::BookedEntry, store,
    verify::Verification, wire::verified,
};
use crate::{
    error::Error,
    instalment::{Step, wire::text},
    recovery::positive,
};

/// Parent of a verification over every programme.
const EVERY_PROGRAMME: &str = "programmes/-";

/// The rpcs about receivables.
pub struct StateReceivables {
    db: Db,
    ids: IdSource,
}

impl StateReceivables {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> StateReceivableServiceServer<Self> {
        StateReceivableServiceServer::new(Self { db, ids })
    }

    async fn get(&self, request: Request<GetStateReceivableRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: StateReceivableName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let found = store::get(&mut tx, &name).await?;
        Ok(Wire::from(&found.ok_or_else(|| Failure::not_found(name))?))
    }

    async fn list(
        &self,
        request: Request<ListStateReceivablesRequest>,
    ) -> Result<ListStateReceivablesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListStateReceivables", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, Some(parent), page.after()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.state_receivable.to_string());
        Ok(ListStateReceivablesResponse {
            state_receivables: rows.iter().map(Wire::from).collect(),
            next_page_token,
        })
    }

    async fn receive(&self, request: Request<ReceiveStateFundsRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: StateReceivableName = field("name", &request.name)?;
        let mut check = Check::of(&request);
        let amount = check.take("amount", positive(request.amount.as_ref()));
        let date = check.take("receipt_date", convert::date(request.receipt_date.as_ref()));
        let reference = text(&mut check, "reference", &request.reference);
        let evidence = request.evidence.as_ref().and_then(|evidence| {
            let file_name = text(&mut check, "evidence.file_name", &evidence.file_name);
            let digest = check.parse::<Digest>("evidence.sha256", &evidence.sha256);
            let (file_name, digest) = file_name.zip(digest)?;
            Some(Evidence { file_name, digest })
        });
        let command = check.finish(|| {
            Some(Command::Receive {
                amount: amount?,
                date: date?,
                reference: reference?,
                evidence: evidence?,
            })
        })?;
        self.take(&caller, name, command, &request, &request.etag)
            .await
    }

    async fn reverse(&self, request: Request<ReverseStateReceiptRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: StateReceivableName = field("name", &request.name)?;
        let mut check = Check::of(&request);
        let reference = text(&mut check, "reference", &request.reference);
        let reason = text(&mut check, "reason", &request.reason);
        let command = check.finish(|| {
            Some(Command::Reverse {
                reference: reference?,
                reason: reason?,
            })
        })?;
        self.take(&caller, name, command, &request, &request.etag)
            .await
    }

    /// Makes one step of a receivable.
    async fn take<Q: Mutation>(
        &self,
        caller: &Caller,
        name: StateReceivableName,
        command: Command,
        request: &Q,
        given_etag: &str,
    ) -> Result<Wire, Error> {
        let scope = caller.scope();
        let mut tx = self.db.begin(&scope).await?;
        store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        let current = store::get(&mut tx, &name).await?;
        let current = current.ok_or_else(|| Failure::not_found(name))?;
        etag::check(given_etag, current.revision)?;
        let step = Step::of(&scope, tx.now());
        if let Command::Reverse { reason, .. } = &command {
            tx.because(reason);
        }
        let Some((next, entry)) = current.take(command, step)? else {
            return Ok(tx.answer(request, Wire::from(&current)).await?);
        };
        store::update(&mut tx, &next).await?;
        store::add(&mut tx, &next).await?;
        book(&mut tx, &self.ids, &next, entry).await?;
        let added = next.receipts.last().map(super::Receipt::change);
        let kind = added.ok_or_else(|| Failure::bug("a receipt that was not added"))?;
        tx.record_all(&[changed(kind, &next)]).await?;
        Ok(tx.answer(request, Wire::from(&next)).await?)
    }

    async fn verify(
        &self,
        request: Request<VerifyStateReceivablesRequest>,
    ) -> Result<VerifyStateReceivablesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent = match request.parent.as_str() {
            EVERY_PROGRAMME => None,
            parent => Some(field::<ProgrammeName>("parent", parent)?),
        };
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["VerifyStateReceivables", &request.parent],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, parent, page.after()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.state_receivable.to_string());
        let mut booked = store::booked(&mut tx, &rows).await?;
        let mut verifications = Vec::with_capacity(rows.len());
        for receivable in &rows {
            let booked = booked.remove(&receivable.name).unwrap_or_default();
            let verification = Verification::of(receivable, &booked)?;
            verifications.push(verified(receivable, verification));
        }
        Ok(VerifyStateReceivablesResponse {
            verifications,
            next_page_token,
        })
    }
}

/// Takes what the feed says of a funding into account, and tells of what it changes.
pub async fn learn(tx: &mut Tx, ids: &IdSource, claim: &Claim) -> Result<(), Error> {
    let now = tx.now();
    if !store::lock(tx, &claim.name).await? {
        let (receivable, entry) = claim.open(now)?;
        store::insert(tx, &receivable).await?;
        if let Some(entry) = entry {
            book(tx, ids, &receivable, entry).await?;
        }
        let opened = changed("state_receivable.opened", &receivable);
        return Ok(tx.record_all(&[opened]).await?);
    }
    let current = store::get(tx, &claim.name).await?;
    let current = current.ok_or_else(|| Failure::bug("a locked receivable is not there"))?;
    match current.learn(claim, now)? {
        Learned::Stale => Ok(()),
        Learned::Seen(next) => Ok(store::update(tx, &next).await?),
        Learned::Due(next, entry) => {
            store::update(tx, &next).await?;
            book(tx, ids, &next, entry).await?;
            let due = changed("state_receivable.due", &next);
            Ok(tx.record_all(&[due]).await?)
        }
    }
}

/// Books what a revision moves. The sums are counted twice, by the receivable and from the ledger.
async fn book(
    tx: &mut Tx,
    ids: &IdSource,
    receivable: &StateReceivable,
    entry: Entry,
) -> Result<(), Error> {
    let booked = BookedEntry {
        id: ids.next(),
        entry,
        actor: tx.actor().to_owned(),
    };
    store::book(tx, receivable, &booked).await?;
    if store::get(tx, &receivable.name).await?.as_ref() != Some(receivable) {
        let disagree = "the ledger and the receivable disagree on what is due or received";
        return Err(Failure::bug(disagree).into());
    }
    Ok(())
}

/// What is told of a receivable.
fn changed(kind: &'static str, receivable: &StateReceivable) -> ChangeEntry {
    let change = Change {
        kind,
        operator: None,
        name: &receivable.name.to_string(),
        revision: receivable.revision,
    };
    ChangeEntry::new(change, &Wire::from(receivable))
}

#[tonic::async_trait]
impl StateReceivableService for StateReceivables {
    async fn get_state_receivable(
        &self,
        request: Request<GetStateReceivableRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_state_receivables(
        &self,
        request: Request<ListStateReceivablesRequest>,
    ) -> Result<Response<ListStateReceivablesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn receive_state_funds(
        &self,
        request: Request<ReceiveStateFundsRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.receive(request).await?))
    }

    async fn reverse_state_receipt(
        &self,
        request: Request<ReverseStateReceiptRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.reverse(request).await?))
    }

    async fn verify_state_receivables(
        &self,
        request: Request<VerifyStateReceivablesRequest>,
    ) -> Result<Response<VerifyStateReceivablesResponse>, Status> {
        Ok(Response::new(self.verify(request).await?))
    }
}
