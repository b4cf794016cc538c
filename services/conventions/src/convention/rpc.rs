//! Conventions over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CompleteActionsRequest, CreateConventionRequest, GetConventionRequest,
        ListConventionsRequest, ListConventionsResponse, RenewConventionRequest,
        SignConventionRequest, UpdateConventionRequest,
        convention_service_server::{ConventionService, ConventionServiceServer},
    },
};
use nonrecours_kernel::{
    Caller, ConventionName, FrameworkConventionName, IdSource, OperatorName, Role, Violation,
    paris_date,
};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert::date, etag, field, open};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Convention, State},
    party::Party,
    store,
    terms::{Changes, Terms},
    terms_wire::{INPUT_FIELDS, changes},
    wire::{party, shown},
};
use crate::{
    act, commitment,
    error::Error,
    framework_convention,
    mask::{refuse_others, touched},
    operator,
    programme::{self, domain::Weight},
    refusal::Refusal,
    version::{self, store::Signed},
};

/// The parent that stands for every operator (AIP-159).
const EVERY_OPERATOR: &str = "operators/-";

/// The convention service.
pub struct Conventions {
    db: Db,
    ids: IdSource,
}

impl Conventions {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ConventionServiceServer<Self> {
        ConventionServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateConventionRequest>,
    ) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let terms = draft(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        operator::store::get(&mut tx, &parent).await?;
        framework_convention::store::get(&mut tx, &terms.framework_convention).await?;
        let name = ConventionName {
            operator: parent.operator,
            convention: self.ids.next(),
        };
        let convention = Convention::draft(name, terms, tx.now());
        store::insert(&mut tx, &convention).await?;
        finish(tx, &request, "convention.drafted", &convention).await
    }

    async fn get(&self, request: Request<GetConventionRequest>) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        let convention = store::get(&mut tx, &name).await?;
        one(&mut tx, &convention).await
    }

    async fn list(
        &self,
        request: Request<ListConventionsRequest>,
    ) -> Result<ListConventionsResponse, Error> {
        let (caller, request) = open(request)?;
        let scope = if request.parent == EVERY_OPERATOR {
            caller.scope()
        } else {
            let parent: OperatorName = field("parent", &request.parent)?;
            caller.reach(parent.operator)?
        };
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListConventions", &request.parent],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let after = page.after::<Uuid>()?;
        let rows = store::list(&mut tx, scope.operator(), after, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.convention.to_string());
        Ok(ListConventionsResponse {
            conventions: shown(&mut tx, &rows).await?,
            next_page_token,
        })
    }

    // Here and in every step below, answers already given are looked for once the root is locked: the same request
    // twice at once waits there, and finds the answer of the first.
    async fn update(
        &self,
        request: Request<UpdateConventionRequest>,
    ) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let given = request.convention.clone().unwrap_or_default();
        let name: ConventionName = field("convention.name", &given.name)?;
        let scope = caller.reach(name.operator)?;
        let changes = update(&request, &given, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&given.etag, convention.revision)?;
        let framework = changes
            .framework_convention
            .unwrap_or(convention.terms.framework_convention);
        framework_convention::store::get(&mut tx, &framework).await?;
        let sirens = store::sirens(&mut tx, &framework.parent(), &name.parent()).await?;
        let acts = act::store::of_convention(&mut tx, &name).await?;
        let convention = convention.update(changes, &acts, &sirens, tx.now())?;
        consistent(&convention.terms)?;
        store::update_terms(&mut tx, &convention).await?;
        finish(tx, &request, "convention.updated", &convention).await
    }

    async fn sign(
        &self,
        request: Request<SignConventionRequest>,
    ) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let party = check.take("party", party(request.party()));
        let party = check.finish(|| party)?;
        may_sign(&caller, party)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, convention.revision)?;
        let programme = convention.terms.framework_convention.parent();
        let year = convention.terms.budget_year;
        // Locked until the end: what is left of the envelope when the blockers are looked at is left when it is engaged.
        programme::store::lock_envelope(&mut tx, &programme, year).await?;
        let circumstances = store::circumstances_of(&mut tx, &name).await?;
        let before = convention.held();
        let convention = convention.sign(party, &caller.subject, &circumstances, tx.now())?;
        store::advance(&mut tx, before, &convention).await?;
        if let State::InForce { execution, .. } = &convention.state {
            let signed = Signed {
                amendment: None,
                signatories: &convention.terms.signatories,
                signatures: &execution.signatures,
                acts: &circumstances.acts,
            };
            version::store::insert(&mut tx, &convention, &signed).await?;
            let worded: Vec<_> = convention.terms.commitments.iter().collect();
            commitment::store::follow(&mut tx, &convention, &worded, &self.ids).await?;
            return finish(tx, &request, "convention.in_force", &convention).await;
        }
        finish(tx, &request, "convention.signed", &convention).await
    }

    async fn renew(
        &self,
        request: Request<RenewConventionRequest>,
    ) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let framework = check.parse("framework_convention", &request.framework_convention);
        let framework: FrameworkConventionName = check.finish(|| framework)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, convention.revision)?;
        framework_convention::store::get(&mut tx, &framework).await?;
        let renewal = convention.renewal(self.ids.next(), framework, tx.now())?;
        store::insert(&mut tx, &renewal).await?;
        finish(tx, &request, "convention.drafted", &renewal).await
    }

    async fn complete(
        &self,
        request: Request<CompleteActionsRequest>,
    ) -> Result<wire::Convention, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take("completion_date", date(request.completion_date.as_ref()));
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, convention.revision)?;
        let before = convention.held();
        let completed = convention.complete(day, tx.now())?;
        // `payments` may have reported the last payment first: the order in which the two come changes nothing.
        if let Some(settled) = completed.settled(tx.now()) {
            record(&mut tx, "convention.completed", &completed).await?;
            store::advance(&mut tx, before, &settled).await?;
            return finish(tx, &request, "convention.settled", &settled).await;
        }
        store::advance(&mut tx, before, &completed).await?;
        finish(tx, &request, "convention.completed", &completed).await
    }
}

#[tonic::async_trait]
impl ConventionService for Conventions {
    async fn create_convention(
        &self,
        request: Request<CreateConventionRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_convention(
        &self,
        request: Request<GetConventionRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_conventions(
        &self,
        request: Request<ListConventionsRequest>,
    ) -> Result<Response<ListConventionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn update_convention(
        &self,
        request: Request<UpdateConventionRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn sign_convention(
        &self,
        request: Request<SignConventionRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.sign(request).await?))
    }

    async fn renew_convention(
        &self,
        request: Request<RenewConventionRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.renew(request).await?))
    }

    async fn complete_actions(
        &self,
        request: Request<CompleteActionsRequest>,
    ) -> Result<Response<wire::Convention>, Status> {
        Ok(Response::new(self.complete(request).await?))
    }
}

/// Records a change of a convention that is a consequence of another step of the same transaction.
pub async fn record(tx: &mut Tx, kind: &'static str, convention: &Convention) -> Result<(), Error> {
    let message = one(tx, convention).await?;
    let change = change(kind, convention, &message.name);
    Ok(tx.record(change, &message).await?)
}

/// Writes a convention that a step of another resource has changed, and tells of it; settles it when that was all that
/// it was waiting for. `before` is what it held of its envelope before the step.
pub async fn follow_up(
    tx: &mut Tx,
    kind: &'static str,
    before: Weight,
    convention: &Convention,
) -> Result<(), Error> {
    record(tx, kind, convention).await?;
    let Some(settled) = convention.settled(tx.now()) else {
        return store::advance(tx, before, convention).await;
    };
    store::advance(tx, before, &settled).await?;
    record(tx, "convention.settled", &settled).await
}

async fn finish<Q: Mutation>(
    mut tx: Tx,
    request: &Q,
    kind: &'static str,
    convention: &Convention,
) -> Result<wire::Convention, Error> {
    let message = one(&mut tx, convention).await?;
    let name = message.name.clone();
    Ok(tx
        .finish(request, change(kind, convention, &name), message)
        .await?)
}

fn change<'a>(kind: &'static str, convention: &Convention, name: &'a str) -> Change<'a> {
    Change {
        kind,
        operator: Some(convention.name.operator),
        name,
        revision: convention.revision,
    }
}

async fn one(tx: &mut Tx, convention: &Convention) -> Result<wire::Convention, Error> {
    let mut messages = shown(tx, std::slice::from_ref(convention)).await?;
    Ok(messages
        .pop()
        .ok_or_else(|| Failure::bug("a convention without an answer"))?)
}

/// The authorising officer signs for the authority, the operator's manager for the operator.
pub fn may_sign(caller: &Caller, party: Party) -> Result<(), Refusal> {
    let role = match party {
        Party::Authority => Role::AuthorisingOfficer,
        Party::Operator => Role::OperatorManager,
    };
    if caller.has(role) {
        Ok(())
    } else {
        Err(Refusal::PartyNotAllowed(party))
    }
}

fn draft(request: &CreateConventionRequest, today: Date) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let touched = INPUT_FIELDS.map(str::to_owned);
    let terms = request
        .convention
        .as_ref()
        .and_then(|given| changes(&mut check, given, &touched, today).complete());
    for (name, invalid) in terms.iter().flat_map(Terms::contradictions) {
        check.refuse(&format!("convention.{name}"), invalid);
    }
    check.finish(|| terms)
}

fn update(
    request: &UpdateConventionRequest,
    given: &wire::Convention,
    today: Date,
) -> Result<Changes, Failure> {
    let touched = touched(request.update_mask.as_ref(), &INPUT_FIELDS);
    let mut check = Check::of_update(request, "convention", &touched);
    refuse_others(&mut check, &touched, &INPUT_FIELDS);
    let changes = changes(&mut check, given, &touched, today);
    check.finish(|| Some(changes))
}

fn consistent(terms: &Terms) -> Result<(), Failure> {
    let violations: Vec<_> = terms
        .contradictions()
        .into_iter()
        .map(|(name, invalid)| Violation::at(format!("convention.{name}"), invalid))
        .collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Failure::invalid(violations))
    }
}
