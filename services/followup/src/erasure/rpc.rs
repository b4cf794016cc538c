//! Erasures on the wire.

use nonrecours_contracts::followup::{
    EraseBeneficiaryRequest, Erasure as Wire, GetErasureRequest, ListErasuresRequest,
    ListErasuresResponse, ReleaseErasedReferenceRequest,
    erasure_service_server::{ErasureService, ErasureServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, ErasureName, IdSource, OperatorName};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Erasure, ErasureReason},
    erase::{erase, lock},
    store, tombstone, wire,
};
use crate::{
    error::Error,
    record::Reference,
    subject_request::{domain::Refusal as Register, limit},
    vault::Vault,
};

/// The erasures of operators.
pub struct Erasures {
    db: Db,
    ids: IdSource,
    vault: Vault,
}

impl Erasures {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, ids: IdSource, vault: Vault) -> ErasureServiceServer<Self> {
        ErasureServiceServer::new(Self { db, ids, vault })
    }

    async fn erase(&self, request: Request<EraseBeneficiaryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BeneficiaryName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", ErasureReason::from_wire(request.reason));
        let reason = check.finish(|| reason.flatten())?;

        // An operator that received a referral of the person is told.
        let mut tx = self.db.begin(&scope.across()).await?;
        let person = lock(&mut tx, name.operator, &[name.beneficiary])
            .await?
            .pop();
        // Done before, the person is not there any more.
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let person = person.ok_or_else(|| Failure::not_found(name))?;
        etag::check(&request.etag, person.revision)?;
        let operator = name.operator;
        if !reason.is_the_persons() {
            let limited = limit::among(&mut tx, operator, &[name.beneficiary.uuid()]).await?;
            if !limited.is_empty() {
                return Err(Register::Limited.into());
            }
        }
        let ring = self.vault.ring();
        let mut erased = erase(&mut tx, &ring, &self.ids, operator, &[person], reason).await?;
        let erasure = erased.pop().ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.answer(&request, Wire::from(&erasure)).await?)
    }

    async fn release(
        &self,
        request: Request<ReleaseErasedReferenceRequest>,
    ) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let reference = check.parse::<Reference>("external_reference", &request.external_reference);
        let reference = check.finish(|| reference)?;

        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let ring = self.vault.ring();
        let unknown = || Failure::not_found(format!("{parent}/erasures"));
        let name = tombstone::release(&mut tx, &ring, parent.operator, &reference)
            .await?
            .ok_or_else(unknown)?;
        let erasure = store::hold(&mut tx, &name).await?.ok_or_else(unknown)?;
        let erasure = Erasure {
            revision: erasure.revision + 1,
            update_time: tx.now(),
            ..erasure
        };
        store::update(&mut tx, &erasure).await?;
        tx.record_all(&[wire::entry("erasure.reference_released", &erasure)])
            .await?;
        Ok(tx.answer(&request, Wire::from(&erasure)).await?)
    }

    async fn get(&self, request: Request<GetErasureRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: ErasureName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let erasure = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell(names(&erasure), Wire::from(&erasure)).await?)
    }

    async fn list(
        &self,
        request: Request<ListErasuresRequest>,
    ) -> Result<ListErasuresResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListErasures", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let erasures = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (erasures, next_page_token) =
            page.cut(erasures, |erasure| erasure.name.erasure.to_string());
        let answer = ListErasuresResponse {
            erasures: erasures.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(erasures.iter().flat_map(names), answer).await?)
    }
}

/// What is told with an erasure.
fn names(erasure: &Erasure) -> [String; 2] {
    [erasure.name.to_string(), erasure.beneficiary.to_string()]
}

#[tonic::async_trait]
impl ErasureService for Erasures {
    async fn erase_beneficiary(
        &self,
        request: Request<EraseBeneficiaryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.erase(request).await?))
    }

    async fn get_erasure(
        &self,
        request: Request<GetErasureRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_erasures(
        &self,
        request: Request<ListErasuresRequest>,
    ) -> Result<Response<ListErasuresResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn release_erased_reference(
        &self,
        request: Request<ReleaseErasedReferenceRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.release(request).await?))
    }
}
