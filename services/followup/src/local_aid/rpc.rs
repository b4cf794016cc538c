//! Local aids on the wire.

use nonrecours_contracts::{
    Mutation,
    followup::{
        CreateLocalAidRequest, EndLocalAidRequest, GetLocalAidRequest, ListLocalAidsRequest,
        ListLocalAidsResponse, LocalAid as Wire,
        local_aid_service_server::{LocalAidService, LocalAidServiceServer},
    },
};
use nonrecours_kernel::{IdSource, LocalAidName, OperatorName, Violation};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, optional_date, to_date, to_timestamp},
    etag, field, open,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, LocalAid},
    store,
};
use crate::{entitlement::domain::AmountUnit, error::Error};

/// The local aids of operators.
pub struct LocalAids {
    db: Db,
    ids: IdSource,
}

impl LocalAids {
    /// The rpcs over the service's database.
    pub fn server(db: Db, ids: IdSource) -> LocalAidServiceServer<Self> {
        LocalAidServiceServer::new(Self { db, ids })
    }

    async fn create(&self, request: Request<CreateLocalAidRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let given = request.local_aid.clone().unwrap_or_default();
        let code = check.take("local_aid.code", domain::code(&given.code));
        let label = check.take("local_aid.label", domain::label(&given.label));
        let unit = check.take("local_aid.unit", AmountUnit::from_wire(given.unit));
        let from = check.take("local_aid.valid_from", date(given.valid_from.as_ref()));
        let to = check.take("local_aid.valid_to", optional_date(given.valid_to.as_ref()));
        let validity = from
            .zip(to)
            .and_then(|(from, to)| check.take("local_aid.valid_to", domain::validity(from, to)));
        let (code, label, unit, validity) =
            check.finish(|| Some((code?, label?, unit?, validity?)))?;

        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let now = tx.now();
        let aid = LocalAid {
            name: LocalAidName {
                operator: parent.operator,
                local_aid: self.ids.next(),
            },
            code,
            label,
            unit,
            validity,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &aid).await?;
        finish(tx, &request, "local_aid.created", &aid).await
    }

    async fn end(&self, request: Request<EndLocalAidRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: LocalAidName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let last = check.take("valid_to", date(request.valid_to.as_ref()));
        let last = check.finish(|| last)?;
        let mut tx = self.db.begin(&scope).await?;
        let aid = store::lock(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, aid.revision)?;
        let aid = aid
            .end(last, tx.now())
            .map_err(|invalid| Failure::invalid(vec![Violation::at("valid_to", invalid)]))?;
        store::update(&mut tx, &aid).await?;
        finish(tx, &request, "local_aid.ended", &aid).await
    }

    async fn get(&self, request: Request<GetLocalAidRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: LocalAidName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.read(&scope).await?;
        let aid = store::get(&mut tx, &name).await?;
        Ok(aid
            .as_ref()
            .map(Wire::from)
            .ok_or_else(|| Failure::not_found(name))?)
    }

    async fn list(
        &self,
        request: Request<ListLocalAidsRequest>,
    ) -> Result<ListLocalAidsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListLocalAids", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.read(&scope).await?;
        let aids = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (aids, next_page_token) = page.cut(aids, |aid| aid.name.local_aid.to_string());
        Ok(ListLocalAidsResponse {
            local_aids: aids.iter().map(Wire::from).collect(),
            next_page_token,
        })
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    aid: &LocalAid,
) -> Result<Wire, Error> {
    let change = Change {
        kind,
        operator: Some(aid.name.operator),
        name: &aid.name.to_string(),
        revision: aid.revision,
    };
    Ok(tx.finish(request, change, Wire::from(aid)).await?)
}

impl From<&LocalAid> for Wire {
    fn from(aid: &LocalAid) -> Self {
        Self {
            name: aid.name.to_string(),
            code: aid.code.clone(),
            label: aid.label.clone(),
            unit: aid.unit.map(AmountUnit::to_wire).unwrap_or_default(),
            valid_from: Some(to_date(aid.validity.from)),
            valid_to: aid.validity.to.map(to_date),
            revision: aid.revision,
            create_time: Some(to_timestamp(aid.create_time)),
            update_time: Some(to_timestamp(aid.update_time)),
            etag: etag::of(aid.revision),
        }
    }
}

#[tonic::async_trait]
impl LocalAidService for LocalAids {
    async fn create_local_aid(
        &self,
        request: Request<CreateLocalAidRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn end_local_aid(
        &self,
        request: Request<EndLocalAidRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.end(request).await?))
    }

    async fn get_local_aid(
        &self,
        request: Request<GetLocalAidRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_local_aids(
        &self,
        request: Request<ListLocalAidsRequest>,
    ) -> Result<Response<ListLocalAidsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
