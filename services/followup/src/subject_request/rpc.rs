//! The register of requests on the wire.

use nonrecours_contracts::{
    Mutation,
    followup::{
        CreateSubjectRequestRequest, ExportPersonalDataRequest, ExportPersonalDataResponse,
        ExtendSubjectRequestRequest, FulfilSubjectRequestRequest, GetSubjectRequestRequest,
        LiftSubjectRequestRequest, ListSubjectRequestsRequest, ListSubjectRequestsResponse,
        RefuseSubjectRequestRequest, SubjectRequest as Wire,
        subject_request_service_server::{SubjectRequestService, SubjectRequestServiceServer},
    },
};
use nonrecours_kernel::{
    BeneficiaryName, IdSource, OperatorName, Scope, SubjectRequestName, Violation, paris_date,
};
use nonrecours_pg::{Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert::date, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{
        self, IdentityCheck, Refusal, RefusalBasis, SubjectRequest, SubjectRight, unfit_basis,
    },
    export, limit,
    store::{self, Filter},
    wire,
};
use crate::{
    erasure::{self, domain::ErasureReason},
    error::Error,
    record::in_future,
    vault::Vault,
};

/// The requests that an operator receives.
pub struct SubjectRequests {
    db: Db,
    ids: IdSource,
    vault: Vault,
}

impl SubjectRequests {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, ids: IdSource, vault: Vault) -> SubjectRequestServiceServer<Self> {
        SubjectRequestServiceServer::new(Self { db, ids, vault })
    }

    async fn create(&self, request: Request<CreateSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let today = paris_date(self.db.clock().now());
        let mut check = Check::of(&request);
        let person = check.parse::<BeneficiaryName>("beneficiary", &request.beneficiary);
        let right = check.take("right", SubjectRight::from_wire(request.right));
        let how = check.take(
            "identity_check",
            IdentityCheck::from_wire(request.identity_check),
        );
        let received = date(request.received_date.as_ref()).and_then(|day| {
            if day > today {
                Err(in_future())
            } else {
                Ok(day)
            }
        });
        let received = check.take("received_date", received);
        let (person, right, how, received) =
            check.finish(|| Some((person?, right??, how??, received?)))?;
        caller.reach(person.operator)?;

        let mut tx = self.db.begin(&scope).await?;
        if !store::is_there(&mut tx, &person).await? {
            return Err(Failure::not_found(person).into());
        }
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let name = SubjectRequestName {
            operator: parent.operator,
            subject_request: self.ids.next(),
        };
        let now = tx.now();
        let entered = SubjectRequest::received(name, person, right, how, received, now);
        store::insert(&mut tx, &entered).await?;
        finish(tx, &request, "subject_request.received", &entered).await
    }

    async fn extend(&self, request: Request<ExtendSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", domain::reason(&request.reason));
        let reason = check.finish(|| reason)?;
        let (mut tx, held) = match self.held(&scope, &request, &name, &request.etag).await? {
            Held::Open(open) => *open,
            Held::Done(earlier) => return Ok(*earlier),
        };
        let now = tx.now();
        tx.because(&reason);
        let extended = held.extend(reason, paris_date(now), now)?;
        store::update(&mut tx, &extended).await?;
        finish(tx, &request, "subject_request.extended", &extended).await
    }

    async fn fulfil(&self, request: Request<FulfilSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        // An erasure is told to operators that received a referral of the person.
        let scope = scope.across();
        let (mut tx, held) = match self.held(&scope, &request, &name, &request.etag).await? {
            Held::Open(open) => *open,
            Held::Done(earlier) => return Ok(*earlier),
        };
        let now = tx.now();
        let held = held.open()?;
        self.carry_out(&mut tx, &held).await?;
        let fulfilled = held.fulfil(paris_date(now), now)?;
        store::update(&mut tx, &fulfilled).await?;
        finish(tx, &request, "subject_request.fulfilled", &fulfilled).await
    }

    /// What a request asks for, done or shown to be done.
    async fn carry_out(&self, tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
        let person = &request.beneficiary;
        match request.right {
            SubjectRight::Access if !store::is_exported(tx, request).await? => {
                Err(Refusal::ExportMissing.into())
            }
            SubjectRight::Rectification if !store::is_rectified(tx, request).await? => {
                Err(Refusal::RectificationMissing.into())
            }
            SubjectRight::Access | SubjectRight::Rectification => Ok(()),
            SubjectRight::Erasure => {
                // Nobody is left when they were erased already.
                let persons = erasure::lock(tx, person.operator, &[person.beneficiary]).await?;
                let (ring, reason) = (self.vault.ring(), ErasureReason::SubjectRequest);
                let operator = person.operator;
                erasure::erase(tx, &ring, &self.ids, operator, &persons, reason).await?;
                Ok(limit::end_all(tx, request).await?)
            }
            SubjectRight::Restriction => Ok(limit::begin(tx, request).await?),
            SubjectRight::Objection => {
                limit::begin(tx, request).await?;
                Ok(limit::forget_pseudonym(tx, request).await?)
            }
        }
    }

    async fn refuse(&self, request: Request<RefuseSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let basis = check.take("basis", RefusalBasis::from_wire(request.basis));
        let reason = check.take("reason", domain::reason(&request.reason));
        let (basis, reason) = check.finish(|| Some((basis??, reason?)))?;
        let (mut tx, held) = match self.held(&scope, &request, &name, &request.etag).await? {
            Held::Open(open) => *open,
            Held::Done(earlier) => return Ok(*earlier),
        };
        if !basis.fits(held.right) {
            let unfit = Violation::at("basis", unfit_basis());
            return Err(Failure::invalid(vec![unfit]).into());
        }
        let now = tx.now();
        tx.because(&reason);
        let refused = held.refuse(basis, reason, paris_date(now), now)?;
        store::update(&mut tx, &refused).await?;
        finish(tx, &request, "subject_request.refused", &refused).await
    }

    async fn lift(&self, request: Request<LiftSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let (mut tx, held) = match self.held(&scope, &request, &name, &request.etag).await? {
            Held::Open(open) => *open,
            Held::Done(earlier) => return Ok(*earlier),
        };
        let now = tx.now();
        let lifted = held.lift(paris_date(now), now)?;
        limit::end(&mut tx, &lifted).await?;
        store::update(&mut tx, &lifted).await?;
        finish(tx, &request, "subject_request.lifted", &lifted).await
    }

    /// The request, held, unless this has been done before.
    async fn held<Q: Mutation>(
        &self,
        scope: &Scope,
        request: &Q,
        name: &SubjectRequestName,
        etag: &str,
    ) -> Result<Held, Error> {
        let mut tx = self.db.begin(scope).await?;
        let held = store::lock(&mut tx, name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay::<_, Wire>(request).await? {
            let told = tx.tell([name.to_string()], earlier).await?;
            return Ok(Held::Done(Box::new(told)));
        }
        etag::check(etag, held.revision)?;
        Ok(Held::Open(Box::new((tx, held))))
    }

    async fn get(&self, request: Request<GetSubjectRequestRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let held = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell(names(&held), Wire::from(&held)).await?)
    }

    async fn list(
        &self,
        request: Request<ListSubjectRequestsRequest>,
    ) -> Result<ListSubjectRequestsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = [
            "ListSubjectRequests",
            &parent.to_string(),
            &format!("{} {}", request.open_only, request.overdue_only),
        ];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let today = paris_date(tx.now());
        let filter = Filter {
            persons: None,
            open: request.open_only,
            due_before: request.overdue_only.then_some(today),
        };
        let held = store::list(&mut tx, parent.operator, filter, after, page.limit()).await?;
        let (held, next_page_token) = page.cut(held, |one| one.name.subject_request.to_string());
        let answer = ListSubjectRequestsResponse {
            subject_requests: held.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(held.iter().flat_map(names), answer).await?)
    }

    async fn export(
        &self,
        request: Request<ExportPersonalDataRequest>,
    ) -> Result<ExportPersonalDataResponse, Error> {
        let (caller, request) = open(request)?;
        let name: SubjectRequestName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let claim = match request.legal_claim.as_str() {
            "" => Some(None),
            claim => check.take("legal_claim", domain::reason(claim)).map(Some),
        };
        let claim = check.finish(|| claim)?;
        let query = ["ExportPersonalData", &request.name, &request.legal_claim];
        let page = Page::sized(
            &query,
            request.page_size,
            &request.page_token,
            export::PAGE,
            export::PAGE,
        )?;
        let mut tx = self.db.disclose(&scope).await?;
        let held = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        let (held, why) = match claim {
            None => (held.exportable()?, format!("art. 15 : {name}")),
            Some(claim) => (held.in_effect()?, format!("art. 18.2 : {name} : {claim}")),
        };
        let (answer, told) = export::export(&mut tx, &self.vault.ring(), &held, &page).await?;
        tx.because(&why);
        Ok(tx.tell(told, answer).await?)
    }
}

/// A request about to be changed, or the answer given when it was.
enum Held {
    Open(Box<(Tx, SubjectRequest)>),
    Done(Box<Wire>),
}

/// What is told with a request.
fn names(request: &SubjectRequest) -> [String; 2] {
    [request.name.to_string(), request.beneficiary.to_string()]
}

async fn finish<Q: Mutation>(
    mut tx: Tx,
    request: &Q,
    kind: &'static str,
    held: &SubjectRequest,
) -> Result<Wire, Error> {
    tx.told(names(held));
    wire::record(&mut tx, kind, held).await?;
    Ok(tx.answer(request, Wire::from(held)).await?)
}

#[tonic::async_trait]
impl SubjectRequestService for SubjectRequests {
    async fn create_subject_request(
        &self,
        request: Request<CreateSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn extend_subject_request(
        &self,
        request: Request<ExtendSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.extend(request).await?))
    }

    async fn fulfil_subject_request(
        &self,
        request: Request<FulfilSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.fulfil(request).await?))
    }

    async fn refuse_subject_request(
        &self,
        request: Request<RefuseSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.refuse(request).await?))
    }

    async fn lift_subject_request(
        &self,
        request: Request<LiftSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.lift(request).await?))
    }

    async fn get_subject_request(
        &self,
        request: Request<GetSubjectRequestRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_subject_requests(
        &self,
        request: Request<ListSubjectRequestsRequest>,
    ) -> Result<Response<ListSubjectRequestsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn export_personal_data(
        &self,
        request: Request<ExportPersonalDataRequest>,
    ) -> Result<Response<ExportPersonalDataResponse>, Status> {
        Ok(Response::new(self.export(request).await?))
    }
}
