//! Amendments over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CreateAmendmentRequest, GetAmendmentRequest, ListAmendmentsRequest,
        ListAmendmentsResponse, SignAmendmentRequest, UpdateAmendmentRequest,
        WithdrawAmendmentRequest,
        amendment_service_server::{AmendmentService, AmendmentServiceServer},
    },
};
use nonrecours_kernel::{AmendmentName, ConventionName, IdSource, Violation, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Amendment, Content, Edit, State},
    store,
    wire::{INPUT_FIELDS, circumstances, edits, shown},
};
use crate::{
    act, commitment,
    convention::{self, domain::Convention, rpc::may_sign, wire::party},
    error::Error,
    mask::{refuse_others, touched},
    programme,
    text::text,
    version::{self, store::Signed},
};

/// The amendment service.
pub struct Amendments {
    db: Db,
    ids: IdSource,
}

impl Amendments {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> AmendmentServiceServer<Self> {
        AmendmentServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateAmendmentRequest>,
    ) -> Result<wire::Amendment, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let content = draft(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let name = AmendmentName {
            operator: parent.operator,
            convention: parent.convention,
            amendment: self.ids.next(),
        };
        let number = store::next_number(&mut tx, &parent).await?;
        let amendment = Amendment::draft(name, number, content, &convention, tx.now())?;
        consistent(&convention, &amendment)?;
        store::insert(&mut tx, &amendment).await?;
        tx.because(&amendment.content.object);
        finish(tx, &request, "amendment.drafted", &convention, &amendment).await
    }

    async fn get(&self, request: Request<GetAmendmentRequest>) -> Result<wire::Amendment, Error> {
        let (caller, request) = open(request)?;
        let name: AmendmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        let amendment = store::get(&mut tx, &name).await?;
        let convention = convention::store::get(&mut tx, &name.parent()).await?;
        one(&mut tx, &convention, &amendment).await
    }

    async fn list(
        &self,
        request: Request<ListAmendmentsRequest>,
    ) -> Result<ListAmendmentsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListAmendments", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.amendment.to_string());
        let amendments = if rows.is_empty() {
            Vec::new()
        } else {
            let convention = convention::store::get(&mut tx, &parent).await?;
            shown(&mut tx, &convention, &rows).await?
        };
        Ok(ListAmendmentsResponse {
            amendments,
            next_page_token,
        })
    }

    // The convention is the root that every step locks first: its terms are what an amendment changes.
    async fn update(
        &self,
        request: Request<UpdateAmendmentRequest>,
    ) -> Result<wire::Amendment, Error> {
        let (caller, request) = open(request)?;
        let given = request.amendment.clone().unwrap_or_default();
        let name: AmendmentName = field("amendment.name", &given.name)?;
        let scope = caller.reach(name.operator)?;
        let edits = update(&request, &given, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let amendment = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&given.etag, amendment.revision)?;
        let acts = act::store::of_amendment(&mut tx, &name).await?;
        let amendment = amendment.update(edits, &acts, &convention, tx.now())?;
        consistent(&convention, &amendment)?;
        store::update(&mut tx, &amendment).await?;
        finish(tx, &request, "amendment.updated", &convention, &amendment).await
    }

    async fn sign(&self, request: Request<SignAmendmentRequest>) -> Result<wire::Amendment, Error> {
        let (caller, request) = open(request)?;
        let name: AmendmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let party = check.take("party", party(request.party()));
        let party = check.finish(|| party)?;
        may_sign(&caller, party)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let amendment = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, amendment.revision)?;
        let programme = convention.terms.framework_convention.parent();
        let year = convention.terms.budget_year;
        // Locked until the end: what is left of the envelope when the blockers are looked at is left when it is engaged.
        programme::store::lock_envelope(&mut tx, &programme, year).await?;
        let circumstances = circumstances(&mut tx, &amendment).await?;
        let (amendment, amended) = amendment.sign(
            party,
            &caller.subject,
            &convention,
            &circumstances,
            tx.now(),
        )?;
        store::update(&mut tx, &amendment).await?;
        let (State::InForce { signatures, .. }, Some(amended)) = (&amendment.state, amended) else {
            return finish(tx, &request, "amendment.signed", &convention, &amendment).await;
        };
        tx.because(&amendment.content.object);
        let signed = Signed {
            amendment: Some(name.amendment),
            signatories: &amendment.content.signatories,
            signatures,
            acts: &circumstances.acts,
        };
        convention::store::advance(&mut tx, convention.held(), &amended).await?;
        convention::store::update_amended_terms(&mut tx, &amended).await?;
        version::store::insert(&mut tx, &amended, &signed).await?;
        commitment::rpc::amend(&mut tx, &convention.terms, &amended, &self.ids).await?;
        convention::rpc::record(&mut tx, "convention.amended", &amended).await?;
        finish(tx, &request, "amendment.in_force", &amended, &amendment).await
    }

    async fn withdraw(
        &self,
        request: Request<WithdrawAmendmentRequest>,
    ) -> Result<wire::Amendment, Error> {
        let (caller, request) = open(request)?;
        let name: AmendmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", text(&request.reason));
        let reason = check.finish(|| reason)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let amendment = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, amendment.revision)?;
        tx.because(&reason);
        let amendment = amendment.withdraw(reason, tx.now())?;
        store::update(&mut tx, &amendment).await?;
        finish(tx, &request, "amendment.withdrawn", &convention, &amendment).await
    }
}

/// Records a change of an amendment that is a consequence of another step of the same transaction.
pub async fn record(
    tx: &mut Tx,
    kind: &'static str,
    convention: &Convention,
    amendment: &Amendment,
) -> Result<(), Error> {
    let message = one(tx, convention, amendment).await?;
    let change = change(kind, amendment, &message.name);
    Ok(tx.record(change, &message).await?)
}

async fn finish<Q: Mutation>(
    mut tx: Tx,
    request: &Q,
    kind: &'static str,
    convention: &Convention,
    amendment: &Amendment,
) -> Result<wire::Amendment, Error> {
    let message = one(&mut tx, convention, amendment).await?;
    let name = message.name.clone();
    Ok(tx
        .finish(request, change(kind, amendment, &name), message)
        .await?)
}

fn change<'a>(kind: &'static str, amendment: &Amendment, name: &'a str) -> Change<'a> {
    Change {
        kind,
        operator: Some(amendment.name.operator),
        name,
        revision: amendment.revision,
    }
}

async fn one(
    tx: &mut Tx,
    convention: &Convention,
    amendment: &Amendment,
) -> Result<wire::Amendment, Error> {
    let mut messages = shown(tx, convention, std::slice::from_ref(amendment)).await?;
    Ok(messages
        .pop()
        .ok_or_else(|| Failure::bug("an amendment without an answer"))?)
}

#[tonic::async_trait]
impl AmendmentService for Amendments {
    async fn create_amendment(
        &self,
        request: Request<CreateAmendmentRequest>,
    ) -> Result<Response<wire::Amendment>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_amendment(
        &self,
        request: Request<GetAmendmentRequest>,
    ) -> Result<Response<wire::Amendment>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_amendments(
        &self,
        request: Request<ListAmendmentsRequest>,
    ) -> Result<Response<ListAmendmentsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn update_amendment(
        &self,
        request: Request<UpdateAmendmentRequest>,
    ) -> Result<Response<wire::Amendment>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn sign_amendment(
        &self,
        request: Request<SignAmendmentRequest>,
    ) -> Result<Response<wire::Amendment>, Status> {
        Ok(Response::new(self.sign(request).await?))
    }

    async fn withdraw_amendment(
        &self,
        request: Request<WithdrawAmendmentRequest>,
    ) -> Result<Response<wire::Amendment>, Status> {
        Ok(Response::new(self.withdraw(request).await?))
    }
}

fn draft(request: &CreateAmendmentRequest, today: Date) -> Result<Content, Failure> {
    let mut check = Check::of(request);
    let all = INPUT_FIELDS.map(str::to_owned);
    let given = request.amendment.clone().unwrap_or_default();
    let edits = edits(&mut check, &given, &all, today);
    check.finish(|| {
        let blank = Content::default();
        Some(edits.into_iter().fold(blank, Content::edited))
    })
}

fn update(
    request: &UpdateAmendmentRequest,
    given: &wire::Amendment,
    today: Date,
) -> Result<Vec<Edit>, Failure> {
    let touched = touched(request.update_mask.as_ref(), &INPUT_FIELDS);
    let mut check = Check::of_update(request, "amendment", &touched);
    refuse_others(&mut check, &touched, &INPUT_FIELDS);
    let edits = edits(&mut check, given, &touched, today);
    check.finish(|| Some(edits))
}

/// Refuses an amendment that would leave terms that contradict each other.
fn consistent(convention: &Convention, amendment: &Amendment) -> Result<(), Failure> {
    let violations: Vec<_> = amendment
        .content
        .over(&convention.terms)
        .contradictions()
        .into_iter()
        .map(|(name, invalid)| Violation::at(format!("amendment.{name}"), invalid))
        .collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Failure::invalid(violations))
    }
}
