//! Retention on the wire.

use nonrecours_contracts::followup::{
    ApplyRetentionRequest, ApplyRetentionResponse, GetRetentionNoticeRequest,
    GetRetentionPolicyRequest, PreviewRetentionRequest, PreviewRetentionResponse,
    RetentionCandidate, RetentionNotice as WireNotice, RetentionPolicy as WirePolicy,
    SetRetentionPolicyRequest,
    retention_service_server::{RetentionService, RetentionServiceServer},
};
use nonrecours_kernel::{
    IdSource, OperatorName, RetentionNoticeName, RetentionPolicyName, paris_date,
};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{apply::apply, domain::MAX_AT_ONCE, store, wire};
use crate::{error::Error, vault::Vault};

/// Retention of operators' records.
pub struct Retentions {
    db: Db,
    ids: IdSource,
    vault: Vault,
}

impl Retentions {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, ids: IdSource, vault: Vault) -> RetentionServiceServer<Self> {
        RetentionServiceServer::new(Self { db, ids, vault })
    }

    async fn policy(
        &self,
        request: Request<GetRetentionPolicyRequest>,
    ) -> Result<WirePolicy, Error> {
        let (caller, request) = open(request)?;
        let name: RetentionPolicyName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.read(&scope).await?;
        Ok(WirePolicy::from(&store::policy(&mut tx, &name).await?))
    }

    async fn set(&self, request: Request<SetRetentionPolicyRequest>) -> Result<WirePolicy, Error> {
        let (caller, request) = open(request)?;
        let name: RetentionPolicyName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let policy = store::policy(&mut tx, &name).await?;
        etag::check(&request.etag, policy.revision)?;
        let policy = policy.set(request.months, request.automatic, tx.now());
        store::set_policy(&mut tx, &policy).await?;
        let change = Change {
            kind: "retention_policy.set",
            operator: Some(name.operator),
            name: &name.to_string(),
            revision: policy.revision,
        };
        Ok(tx
            .finish(&request, change, WirePolicy::from(&policy))
            .await?)
    }

    async fn preview(
        &self,
        request: Request<PreviewRetentionRequest>,
    ) -> Result<PreviewRetentionResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["PreviewRetention", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let today = paris_date(tx.now());
        let (due, held) = store::totals(&mut tx, parent.operator, today).await?;
        let candidates = store::due(&mut tx, parent.operator, today, after, page.limit()).await?;
        let (candidates, next_page_token) =
            page.cut(candidates, |candidate| candidate.beneficiary.to_string());
        let candidates: Vec<RetentionCandidate> = candidates
            .iter()
            .map(|candidate| wire::candidate(parent.operator, candidate))
            .collect();
        let told: Vec<String> = candidates
            .iter()
            .map(|candidate| candidate.beneficiary.clone())
            .collect();
        let answer = PreviewRetentionResponse {
            candidates,
            next_page_token,
            due,
            held,
        };
        Ok(tx.tell(told, answer).await?)
    }

    async fn apply(
        &self,
        request: Request<ApplyRetentionRequest>,
    ) -> Result<ApplyRetentionResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let limit = match request.max_persons {
            0 => MAX_AT_ONCE,
            limit => limit,
        };
        // Operators that received a referral of one of them are told.
        let mut tx = self.db.begin(&scope.across()).await?;
        if let Some(earlier) = tx.replay::<_, ApplyRetentionResponse>(&request).await? {
            return Ok(tx.tell([], earlier).await?);
        }
        let (ring, operator) = (self.vault.ring(), parent.operator);
        let erased = apply(&mut tx, &ring, &self.ids, operator, None, limit.into()).await?;
        let today = paris_date(tx.now());
        let (due, held) = store::totals(&mut tx, operator, today).await?;
        let done = ApplyRetentionResponse {
            // At most the limit.
            erased: i32::try_from(erased).unwrap_or(limit),
            held,
            more: due > 0,
        };
        // Also when nobody was due: that is told.
        tx.told([]);
        Ok(tx.answer(&request, done).await?)
    }

    async fn notice(
        &self,
        request: Request<GetRetentionNoticeRequest>,
    ) -> Result<WireNotice, Error> {
        let (caller, request) = open(request)?;
        let name: RetentionNoticeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let notice = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        let told = [name.to_string(), notice.beneficiary.to_string()];
        Ok(tx.tell(told, WireNotice::from(&notice)).await?)
    }
}

#[tonic::async_trait]
impl RetentionService for Retentions {
    async fn get_retention_policy(
        &self,
        request: Request<GetRetentionPolicyRequest>,
    ) -> Result<Response<WirePolicy>, Status> {
        Ok(Response::new(self.policy(request).await?))
    }

    async fn set_retention_policy(
        &self,
        request: Request<SetRetentionPolicyRequest>,
    ) -> Result<Response<WirePolicy>, Status> {
        Ok(Response::new(self.set(request).await?))
    }

    async fn preview_retention(
        &self,
        request: Request<PreviewRetentionRequest>,
    ) -> Result<Response<PreviewRetentionResponse>, Status> {
        Ok(Response::new(self.preview(request).await?))
    }

    async fn apply_retention(
        &self,
        request: Request<ApplyRetentionRequest>,
    ) -> Result<Response<ApplyRetentionResponse>, Status> {
        Ok(Response::new(self.apply(request).await?))
    }

    async fn get_retention_notice(
        &self,
        request: Request<GetRetentionNoticeRequest>,
    ) -> Result<Response<WireNotice>, Status> {
        Ok(Response::new(self.notice(request).await?))
    }
}
