//! Referrals, for the operator that receives them.

use nonrecours_contracts::{
    Mutation,
    followup::{
        AcceptReceivedReferralRequest, GetReceivedReferralRequest, ListReceivedReferralsRequest,
        ListReceivedReferralsResponse, ReceivedReferral as Wire, RefuseReceivedReferralRequest,
        received_referral_service_server::{
            ReceivedReferralService, ReceivedReferralServiceServer,
        },
    },
};
use nonrecours_kernel::{BeneficiaryIdentityName, Caller, OperatorName, ReceivedReferralName};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{domain::ReferralState, store, wire};
use crate::{error::Error, subject_request::limit, vault::Vault};

/// The referrals an operator receives.
pub struct ReceivedReferrals {
    db: Db,
    vault: Vault,
}

impl ReceivedReferrals {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, vault: Vault) -> ReceivedReferralServiceServer<Self> {
        ReceivedReferralServiceServer::new(Self { db, vault })
    }

    async fn get(&self, request: Request<GetReceivedReferralRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: ReceivedReferralName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        // The identity is the sender's row, and so is an entry of the journal: shown by what the referral says at this
        // very moment.
        let mut tx = self.db.disclose(&scope.across()).await?;
        let referral = store::get_received(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        let mut answer = wire::received(&name, &referral);
        let mut told = vec![name.to_string(), referral.name.to_string()];
        if referral.state == ReferralState::Accepted
            && let Some(sealed) = store::shared_identity(&mut tx, &name).await?
        {
            let identity = sealed.open(&self.vault.ring())?;
            answer.identity = Some((&identity).into());
            let person = referral.beneficiary;
            let identity = BeneficiaryIdentityName {
                operator: person.operator,
                beneficiary: person.beneficiary,
            };
            told.push(identity.to_string());
        }
        Ok(tx.tell(told, answer).await?)
    }

    async fn list(
        &self,
        request: Request<ListReceivedReferralsRequest>,
    ) -> Result<ListReceivedReferralsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListReceivedReferrals", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let referrals = store::list_received(&mut tx, parent.operator, after, page.limit()).await?;
        let (referrals, next_page_token) =
            page.cut(referrals, |referral| referral.name.referral.to_string());
        let received: Vec<Wire> = referrals
            .iter()
            .map(|referral| {
                let name = ReceivedReferralName {
                    operator: parent.operator,
                    referral: referral.name.referral,
                };
                wire::received(&name, referral)
            })
            .collect();
        let told: Vec<String> = received.iter().map(|one| one.name.clone()).collect();
        let answer = ListReceivedReferralsResponse {
            received_referrals: received,
            next_page_token,
        };
        Ok(tx.tell(told, answer).await?)
    }

    async fn answer<Q: Mutation>(
        &self,
        caller: &Caller,
        request: &Q,
        name: &str,
        etag: &str,
        accepted: bool,
    ) -> Result<Wire, Error> {
        let name: ReceivedReferralName = field("name", name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope.across()).await?;
        let referral = store::lock_received(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(tx.tell([name.to_string()], earlier).await?);
        }
        limit::share(&mut tx, referral.beneficiary.operator).await?;
        etag::check(etag, referral.revision)?;
        let referral = referral.answer(accepted, tx.now())?;
        store::update(&mut tx, &referral).await?;
        Ok(wire::finish(tx, request, &referral, wire::received(&name, &referral)).await?)
    }
}

#[tonic::async_trait]
impl ReceivedReferralService for ReceivedReferrals {
    async fn get_received_referral(
        &self,
        request: Request<GetReceivedReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_received_referrals(
        &self,
        request: Request<ListReceivedReferralsRequest>,
    ) -> Result<Response<ListReceivedReferralsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn accept_received_referral(
        &self,
        request: Request<AcceptReceivedReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        let (caller, request) = open(request)?;
        let done = self.answer(&caller, &request, &request.name, &request.etag, true);
        Ok(Response::new(done.await?))
    }

    async fn refuse_received_referral(
        &self,
        request: Request<RefuseReceivedReferralRequest>,
    ) -> Result<Response<Wire>, Status> {
        let (caller, request) = open(request)?;
        let done = self.answer(&caller, &request, &request.name, &request.etag, false);
        Ok(Response::new(done.await?))
    }
}
