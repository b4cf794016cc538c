//! Legal holds on the wire.

use nonrecours_contracts::{
    Mutation,
    followup::{
        CreateLegalHoldRequest, GetLegalHoldRequest, LegalHold as Wire, LiftLegalHoldRequest,
        ListLegalHoldsRequest, ListLegalHoldsResponse,
        legal_hold_service_server::{LegalHoldService, LegalHoldServiceServer},
    },
};
use nonrecours_kernel::{BeneficiaryName, IdSource, LegalHoldName, OperatorName};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert::to_timestamp, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, LegalHold, Lift},
    store,
};
use crate::{beneficiary, error::Error};

/// The legal holds of operators.
pub struct LegalHolds {
    db: Db,
    ids: IdSource,
}

impl LegalHolds {
    /// The rpcs over the service's database.
    pub fn server(db: Db, ids: IdSource) -> LegalHoldServiceServer<Self> {
        LegalHoldServiceServer::new(Self { db, ids })
    }

    async fn put(&self, request: Request<CreateLegalHoldRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let beneficiary = check.parse::<BeneficiaryName>("beneficiary", &request.beneficiary);
        let reason = check.take("reason", domain::reason(&request.reason));
        let (beneficiary, reason) = check.finish(|| Some((beneficiary?, reason?)))?;
        // A person of another operator is none of this one's.
        caller.reach(beneficiary.operator)?;

        let mut tx = self.db.begin(&scope).await?;
        beneficiary::store::get(&mut tx, &beneficiary)
            .await?
            .ok_or_else(|| Failure::not_found(beneficiary))?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let now = tx.now();
        let hold = LegalHold {
            name: LegalHoldName {
                operator: parent.operator,
                legal_hold: self.ids.next(),
            },
            beneficiary,
            reason,
            put_by: tx.actor().to_owned(),
            lift: None,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        tx.because(&hold.reason);
        store::insert(&mut tx, &hold).await?;
        finish(tx, &request, "legal_hold.put", &hold).await
    }

    async fn lift(&self, request: Request<LiftLegalHoldRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: LegalHoldName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", domain::reason(&request.reason));
        let reason = check.finish(|| reason)?;
        let mut tx = self.db.begin(&scope).await?;
        let hold = store::lock(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        etag::check(&request.etag, hold.revision)?;
        tx.because(&reason);
        let hold = hold.lift(Lift {
            reason,
            by: tx.actor().to_owned(),
            time: tx.now(),
        })?;
        store::update(&mut tx, &hold).await?;
        finish(tx, &request, "legal_hold.lifted", &hold).await
    }

    async fn get(&self, request: Request<GetLegalHoldRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: LegalHoldName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let hold = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell(told(&hold), Wire::from(&hold)).await?)
    }

    async fn list(
        &self,
        request: Request<ListLegalHoldsRequest>,
    ) -> Result<ListLegalHoldsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListLegalHolds", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let holds = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (holds, next_page_token) = page.cut(holds, |hold| hold.name.legal_hold.to_string());
        let answer = ListLegalHoldsResponse {
            legal_holds: holds.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(holds.iter().flat_map(told), answer).await?)
    }
}

/// The records that a hold tells of.
fn told(hold: &LegalHold) -> [String; 2] {
    [hold.name.to_string(), hold.beneficiary.to_string()]
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    hold: &LegalHold,
) -> Result<Wire, Error> {
    let change = Change {
        kind,
        operator: Some(hold.name.operator),
        name: &hold.name.to_string(),
        revision: hold.revision,
    };
    Ok(tx.finish(request, change, Wire::from(hold)).await?)
}

impl From<&LegalHold> for Wire {
    fn from(hold: &LegalHold) -> Self {
        let lift = hold.lift.clone();
        Self {
            name: hold.name.to_string(),
            beneficiary: hold.beneficiary.to_string(),
            reason: hold.reason.clone(),
            put_by: hold.put_by.clone(),
            lift_time: lift.as_ref().map(|lift| to_timestamp(lift.time)),
            lift_reason: lift
                .as_ref()
                .map(|lift| lift.reason.clone())
                .unwrap_or_default(),
            lifted_by: lift.map(|lift| lift.by).unwrap_or_default(),
            revision: hold.revision,
            create_time: Some(to_timestamp(hold.create_time)),
            update_time: Some(to_timestamp(hold.update_time)),
            etag: etag::of(hold.revision),
        }
    }
}

#[tonic::async_trait]
impl LegalHoldService for LegalHolds {
    async fn create_legal_hold(
        &self,
        request: Request<CreateLegalHoldRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.put(request).await?))
    }

    async fn lift_legal_hold(
        &self,
        request: Request<LiftLegalHoldRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.lift(request).await?))
    }

    async fn get_legal_hold(
        &self,
        request: Request<GetLegalHoldRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_legal_holds(
        &self,
        request: Request<ListLegalHoldsRequest>,
    ) -> Result<Response<ListLegalHoldsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
