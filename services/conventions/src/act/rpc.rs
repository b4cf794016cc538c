//! Authorising acts over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateActRequest, GetActRequest, ListActsRequest, ListActsResponse,
    RecordActAcknowledgementRequest, RecordActPostingRequest, RecordActPublicationRequest,
    RecordActTransmissionFailureRequest, RecordActTransmissionRequest,
    act_service_server::{ActService, ActServiceServer},
};
use nonrecours_kernel::{
    ActId, ActName, AmendmentName, ConventionName, IdSource, Invalid, paris_date,
};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, optional_date},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Act, Failure as Failed, Publication, Received, Transmission, in_order},
    store,
    wire::{message, publicity},
};
use crate::{
    amendment::{self, domain::Amendment},
    convention::{self, domain::Convention, party::Party, wire::party},
    error::Error,
    text::{in_future, required, text},
};

/// The act service.
pub struct Acts {
    db: Db,
    ids: IdSource,
}

/// What changes when the blank date of a signatory is filled; nothing when it was there.
enum Filled {
    Convention(Option<Convention>),
    Amendment(Option<Amendment>),
}

struct Record {
    party: Party,
    amendment: Option<AmendmentName>,
    act_id: ActId,
    transmission: Option<Date>,
    publication: Option<Publication>,
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
        let filled = match &command.amendment {
            None => {
                let filled = convention
                    .clone()
                    .authorise(command.party, decision, &sirens, now)?;
                Filled::Convention(filled)
            }
            Some(name) if name.parent() != parent => {
                return Err(Failure::not_found(name).into());
            }
            Some(name) => {
                let amendment = amendment::store::lock(&mut tx, name).await?;
                let filled = amendment.authorise(command.party, decision, &sirens, now)?;
                Filled::Amendment(filled)
            }
        };
        let act = Act {
            name: ActName {
                operator: parent.operator,
                convention: parent.convention,
                act: self.ids.next(),
            },
            party: command.party,
            amendment: command.amendment.map(|name| name.amendment),
            act_id: command.act_id,
            transmission: command
                .transmission
                .map_or(Transmission::ToTransmit, |day| {
                    Transmission::Transmitted(Received { posting: None, day })
                }),
            publication: command.publication,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &act).await?;
        match filled {
            Filled::Convention(Some(convention)) => {
                convention::store::update_terms(&mut tx, &convention).await?;
                convention::rpc::record(&mut tx, "convention.updated", &convention).await?;
            }
            Filled::Amendment(Some(filled)) => {
                amendment::store::update(&mut tx, &filled).await?;
                amendment::rpc::record(&mut tx, "amendment.updated", &convention, &filled).await?;
            }
            Filled::Convention(None) | Filled::Amendment(None) => {}
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

    async fn post(&self, request: Request<RecordActPostingRequest>) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take("posting_date", date(request.posting_date.as_ref()));
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.post(day, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &act).await?;
        finish(tx, &request, "act.posted", &act).await
    }

    async fn acknowledge(
        &self,
        request: Request<RecordActAcknowledgementRequest>,
    ) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take(
            "acknowledgement_date",
            date(request.acknowledgement_date.as_ref()),
        );
        let reference = check.take("reference", text(&request.reference));
        let (day, reference) = check.finish(|| day.zip(reference))?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.acknowledge(day, reference, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &act).await?;
        finish(tx, &request, "act.acknowledged", &act).await
    }

    async fn fail(
        &self,
        request: Request<RecordActTransmissionFailureRequest>,
    ) -> Result<wire::Act, Error> {
        let (caller, request) = open(request)?;
        let name: ActName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        // Any other outcome is refused by the contract's own rule.
        let failure = match request.outcome() {
            wire::TransmissionState::Refused => Some(Failed::Refused),
            wire::TransmissionState::Error => Some(Failed::Error),
            _ => None,
        };
        let day = check.take("failure_date", date(request.failure_date.as_ref()));
        let reason = check.take("reason", text(&request.reason));
        let ((failure, day), reason) = check.finish(|| failure.zip(day).zip(reason))?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.fail(failure, day, reason, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &act).await?;
        finish(tx, &request, "act.transmission_failed", &act).await
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
        let reference = reference(&mut check, "reference", &request.reference);
        let publication = check.finish(|| {
            Some(Publication {
                publicity: publicity(request.publicity()),
                day: day?,
                reference: reference?,
            })
        })?;
        let mut tx = self.db.begin(&scope).await?;
        let act = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, act.revision)?;
        let act = act.publish(publication, paris_date(tx.now()), tx.now())?;
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

    async fn record_act_posting(
        &self,
        request: Request<RecordActPostingRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.post(request).await?))
    }

    async fn record_act_acknowledgement(
        &self,
        request: Request<RecordActAcknowledgementRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.acknowledge(request).await?))
    }

    async fn record_act_transmission_failure(
        &self,
        request: Request<RecordActTransmissionFailureRequest>,
    ) -> Result<Response<wire::Act>, Status> {
        Ok(Response::new(self.fail(request).await?))
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
        let reference = reference(
            &mut check,
            "act.publication_reference",
            &act.publication_reference,
        );
        // How and where it was published is nothing without the day.
        let alone = act.publication_date.is_none()
            && (act.publicity() != wire::Publicity::Unspecified
                || !act.publication_reference.is_empty());
        if alone {
            check.refuse("act.publication_date", required());
        }
        let publication = publication.zip(reference).map(|(day, reference)| {
            day.map(|day| Publication {
                publicity: publicity(act.publicity()),
                day,
                reference,
            })
        });
        let amendment = match act.amendment.as_str() {
            "" => Some(None),
            name => check.parse("act.amendment", name).map(Some),
        };
        Some(Record {
            party: party?,
            amendment: amendment?,
            act_id: act_id?,
            transmission: transmission?,
            publication: publication?,
        })
    });
    check.finish(|| command)
}

/// Reads a reference that may be absent. The outer nothing: it is faulty.
fn reference(check: &mut Check, path: &str, given: &str) -> Option<Option<String>> {
    if given.is_empty() {
        return Some(None);
    }
    check.take(path, text(given)).map(Some)
}
