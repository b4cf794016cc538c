//! Identities on the wire.

use nonrecours_contracts::followup::{
    BeneficiaryIdentity as Wire, GetBeneficiaryIdentityRequest,
    beneficiary_identity_service_server::{
        BeneficiaryIdentityService, BeneficiaryIdentityServiceServer,
    },
};
use nonrecours_kernel::BeneficiaryIdentityName;
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, convert::to_timestamp, etag, field, open};
use tonic::{Request, Response, Status};

use super::store;
use crate::{error::Error, vault::Vault};

/// Reads identities, for the operator itself.
pub struct Identities {
    db: Db,
    vault: Vault,
}

impl Identities {
    /// The rpc over the service's database and keys.
    pub fn server(db: Db, vault: Vault) -> BeneficiaryIdentityServiceServer<Self> {
        BeneficiaryIdentityServiceServer::new(Self { db, vault })
    }

    async fn get(&self, request: Request<GetBeneficiaryIdentityRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BeneficiaryIdentityName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let sealed = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        let identity = sealed.open(&self.vault.ring())?;
        let answer = Wire {
            name: name.to_string(),
            identity: Some((&identity).into()),
            revision: sealed.revision,
            create_time: Some(to_timestamp(sealed.create_time)),
            update_time: Some(to_timestamp(sealed.update_time)),
            etag: etag::of(sealed.revision),
        };
        Ok(tx.tell([name.to_string()], answer).await?)
    }
}

#[tonic::async_trait]
impl BeneficiaryIdentityService for Identities {
    async fn get_beneficiary_identity(
        &self,
        request: Request<GetBeneficiaryIdentityRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }
}
