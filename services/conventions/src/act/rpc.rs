//! Authorising acts over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateActRequest, GetActRequest, ListActsRequest, ListActsResponse,
    RecordActPublicationRequest, RecordActTransmissionRequest,
    act_service_server::{ActService, ActServiceServer},
};
use nonrecours_kernel::{ActId, ActName, ConventionName, IdSource, Invalid, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, optional_date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Act, in_order},
    store,
};
use crate::{
    convention::{
        self,
        party::Party,
        wire::{party, to_party},
    },
    error::Error,
    text::in_future,
};

/// The act service.
pub struct Acts {
    db: Db,
    ids: IdSource,
}

struct Record {
    party: Party,
    act_id: ActId,
    transmission: Option<Date>,
    publication: Option<Date>,
}

impl Acts {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ActServiceServer<Self> {
        ActServiceServer::new(Self { db, ids })
    }

    async fn create(&self, request: Request<CreateActRequest>) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let command = command(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        let now = tx.now();
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let programme = convention.terms.framework_convention.parent();
        let sirens = convention::store::sirens(&mut tx, &programme, &parent.parent()).await?;
        let decision = (command.act_id.siren(), command.act_id.date());
        let filled = convention.authorise(command.party, decision, &sirens, now)?;
        let act = Act {
            name: ActName {
                operator: parent.operator,
                convention: parent.convention,
                act: self.ids.next(),
            },
            party: command.party,
            act_id: command.act_id,
            transmission: command.transmission,
            publication: command.publication,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &act).await?;
        if let Some(convention) = filled {
            convention::store::update_terms(&mut tx, &convention).await?;
            convention::rpc::record(&mut tx, "convention.updated", &convention).await?;
        }
        finish(tx, &request, "act.recorded", &act).await
    }

    async fn get(&self, request: Request<GetActRequest>) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(&self, request: Request<ListActsRequest>) -> Result<ListActsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListActs", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |act| act.name.act.to_string());
        Ok(ListActsResponse {
            acts: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn transmit(
        &self,
        request: Request<RecordActTransmissionRequest>,
    ) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take(
            "transmission_date",
            date(request.transmission_date.as_ref()),
        );
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.transmit(day, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &act).await?;
        finish(tx, &request, "act.transmitted", &act).await
    }

    async fn publish(
        &self,
        request: Request<RecordActPublicationRequest>,
    ) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take("publication_date", date(request.publication_date.as_ref()));
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.publish(day, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &act).await?;
        finish(tx, &request, "act.published", &act).await
    }
}

async fn finish<Q: nonrecours_contracts::Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    act: &Act,
) -> Result<wire::Act, Error> {
    let name = act.name.to_string();
    let change = Change {
        kind,
        operator: Some(act.name.operator),
        name: &name,
        revision: act.revision,
    };
    Ok(tx.finish(request, change, message(act)).await?)
}

#[tonic::async_trait]
impl ActService for Acts {
    async fn create_act(
        &self,
        request: Request<CreateActRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_act(
        &self,
        request: Request<GetActRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_acts(
        &self,
        request: Request<ListActsRequest>,
    ) -> Result<Response<ListActsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn record_act_transmission(
        &self,
        request: Request<RecordActTransmissionRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.transmit(request).await?))
    }

    async fn record_act_publication(
        &self,
        request: Request<RecordActPublicationRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.publish(request).await?))
    }
}

fn command(request: &CreateActRequest, today: Date) -> Result<Record, Failure> {
    let mut check = Check::of(request);
    let command = request.act.as_ref().and_then(|act| {
        let party = check.take("act.party", party(act.party()));
        let act_id: Option<ActId> = check.parse("act.act_id", &act.act_id);
        let decision = act_id.as_ref().map(ActId::date);
        if decision.is_some_and(|day| day > today) {
            check.refuse("act.act_id", in_future());
        }
        let mut day = |path: &str, given| {
            let day = check.take(path, optional_date(given))?;
            if let (Some(decision), Some(day)) = (decision, day)
                && let Err(refusal) = in_order(decision, day, today)
            {
                let text = refusal.text();
                check.refuse(
                    path,
                    Invalid {
                        reason: refusal.reason(),
                        text,
                    },
                );
            }
            Some(day)
        };
        let transmission = day("act.transmission_date", act.transmission_date.as_ref());
        let publication = day("act.publication_date", act.publication_date.as_ref());
        Some(Record {
            party: party?,
            act_id: act_id?,
            transmission: transmission?,
            publication: publication?,
        })
    });
    check.finish(|| command)
}

fn message(act: &Act) -> wire::Act {
    wire::Act {
        name: act.name.to_string(),
        party: to_party(act.party).into(),
        act_id: act.act_id.to_string(),
        decision_date: Some(to_date(act.act_id.date())),
        transmission_date: act.transmission.map(to_date),
        publication_date: act.publication.map(to_date),
        enforceable_date: act.enforceable().map(to_date),
        create_time: Some(to_timestamp(act.create_time)),
        update_time: Some(to_timestamp(act.update_time)),
        etag: etag::of(act.revision),
    }
}
