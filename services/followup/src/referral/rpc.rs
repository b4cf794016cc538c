//! Referrals, for the operator that makes them.

use nonrecours_contracts::{
    Mutation,
    followup::{
        AcceptReferralRequest, CreateReferralRequest, GetReferralRequest, ListReferralsRequest,
        ListReferralsResponse, Referral as Wire, RefuseReferralRequest, RevokeReferralRequest,
        referral_service_server::{ReferralService, ReferralServiceServer},
    },
};
use nonrecours_kernel::{
    BeneficiaryName, Caller, IdSource, OperatorName, ReferralName, paris_date,
};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, Page, convert::date, etag, field, open};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, Referral, ReferralState, Refusal},
    store, wire,
};
use crate::{
    beneficiary,
    error::Error,
    record::in_future,
    subject_request::{domain::Refusal as Register, limit},
};

/// The referrals an operator makes.
pub struct Referrals {
    db: Db,
    ids: IdSource,
}

impl Referrals {
    /// The rpcs over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ReferralServiceServer<Self> {
        ReferralServiceServer::new(Self { db, ids })
    }

    async fn propose(&self, request: Request<CreateReferralRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let today = paris_date(self.db.clock().now());
        let mut check = Check::of(&request);
        let beneficiary = check.parse::<BeneficiaryName>("beneficiary", &request.beneficiary);
        let target = domain::target(&request.recipient, &request.partner, parent.operator, today)
            .map_err(|(path, invalid)| check.refuse(path, invalid))
            .ok();
        let right = check.take("right", domain::right(&request.right, today));
        let consent = date(request.consent_date.as_ref());
        let consent = consent.and_then(|day| {
            if day > today {
                Err(in_future())
            } else {
                Ok(day)
            }
        });
        let consent_date = check.take("consent_date", consent);
        let (beneficiary, target, right, consent_date) =
            check.finish(|| Some((beneficiary?, target?, right?, consent_date?)))?;
        // A person of another operator is none of this one's.
        caller.reach(beneficiary.operator)?;

        let mut tx = self.db.begin(&scope.across()).await?;
        limit::share(&mut tx, parent.operator).await?;
        beneficiary::store::get(&mut tx, &beneficiary)
            .await?
            .ok_or_else(|| Failure::not_found(beneficiary))?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let person = [beneficiary.beneficiary.uuid()];
        let limited = limit::among(&mut tx, parent.operator, &person).await?;
        if !limited.is_empty() {
            return Err(Register::Limited.into());
        }
        let now = tx.now();
        let referral = Referral {
            name: ReferralName {
                operator: parent.operator,
                referral: self.ids.next(),
            },
            beneficiary,
            target,
            right,
            consent_date,
            state: ReferralState::Proposed,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &referral).await?;
        Ok(wire::finish(tx, &request, &referral, Wire::from(&referral)).await?)
    }

    async fn get(&self, request: Request<GetReferralRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: ReferralName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let referral = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell([name.to_string()], Wire::from(&referral)).await?)
    }

    async fn list(
        &self,
        request: Request<ListReferralsRequest>,
    ) -> Result<ListReferralsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListReferrals", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let referrals = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (referrals, next_page_token) =
            page.cut(referrals, |referral| referral.name.referral.to_string());
        let answer = ListReferralsResponse {
            referrals: referrals.iter().map(Wire::from).collect(),
            next_page_token,
        };
        let told = referrals.iter().map(|referral| referral.name.to_string());
        Ok(tx.tell(told, answer).await?)
    }

    async fn step<Q: Mutation>(
        &self,
        caller: &Caller,
        request: &Q,
        name: &str,
        etag: &str,
        step: impl FnOnce(Referral, OffsetDateTime) -> Result<Referral, Refusal> + Send,
    ) -> Result<Wire, Error> {
        let name: ReferralName = field("name", name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope.across()).await?;
        let referral = store::lock(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(tx.tell([name.to_string()], earlier).await?);
        }
        limit::share(&mut tx, name.operator).await?;
        etag::check(etag, referral.revision)?;
        let referral = step(referral, tx.now())?;
        store::update(&mut tx, &referral).await?;
        Ok(wire::finish(tx, request, &referral, Wire::from(&referral)).await?)
    }
}

#[tonic::async_trait]
impl ReferralService for Referrals {
    async fn create_referral(
        &self,
        request: Request<CreateReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.propose(request).await?))
    }

    async fn get_referral(
        &self,
        request: Request<GetReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_referrals(
        &self,
        request: Request<ListReferralsRequest>,
    ) -> Result<Response<ListReferralsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn accept_referral(
        &self,
        request: Request<AcceptReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        let (caller, request) = open(request)?;
        let step = |referral: Referral, now| referral.answer_of_partner(true, now);
        let done = self.step(&caller, &request, &request.name, &request.etag, step);
        Ok(Response::new(done.await?))
    }

    async fn refuse_referral(
        &self,
        request: Request<RefuseReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        let (caller, request) = open(request)?;
        let step = |referral: Referral, now| referral.answer_of_partner(false, now);
        let done = self.step(&caller, &request, &request.name, &request.etag, step);
        Ok(Response::new(done.await?))
    }

    async fn revoke_referral(
        &self,
        request: Request<RevokeReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        let (caller, request) = open(request)?;
        let done = self.step(
            &caller,
            &request,
            &request.name,
            &request.etag,
            Referral::revoke,
        );
        Ok(Response::new(done.await?))
    }
}
