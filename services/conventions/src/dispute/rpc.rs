//! Disputes (litiges, art. 9), over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CloseDisputeRequest, CreateDisputeRequest, GetDisputeRequest,
        ListDisputesRequest, ListDisputesResponse, RecordAmicableStepRequest, ReferDisputeRequest,
        dispute_service_server::{DisputeService, DisputeServiceServer},
    },
};
use nonrecours_kernel::{ConventionName, DisputeName, IdSource, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Dated, Dispute, Steps},
    store,
};
use crate::{
    convention::{
        self,
        party::{Party, acts_for},
        wire::{party, to_party},
    },
    error::Error,
    refusal::within,
    text::text,
};

/// The dispute service.
pub struct Disputes {
    db: Db,
    ids: IdSource,
}

struct Open {
    party: Party,
    subject: String,
    opened: Date,
}

impl Disputes {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> DisputeServiceServer<Self> {
        DisputeServiceServer::new(Self { db, ids })
    }

    async fn create(&self, request: Request<CreateDisputeRequest>) -> Result<wire::Dispute, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let command = command(&request)?;
        acts_for(&caller, command.party)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let now = tx.now();
        within(
            paris_date(convention.signed()?.since),
            paris_date(now),
            command.opened,
        )?;
        let dispute = Dispute {
            name: DisputeName {
                operator: parent.operator,
                convention: parent.convention,
                dispute: self.ids.next(),
            },
            party: command.party,
            subject: command.subject,
            opened: command.opened,
            steps: Steps::None,
            ending: None,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &dispute).await?;
        let before = convention.held();
        let convention = convention.disputed(now)?;
        convention::rpc::follow_up(&mut tx, "convention.disputed", before, &convention).await?;
        finish(tx, &request, "dispute.opened", &dispute).await
    }

    async fn get(&self, request: Request<GetDisputeRequest>) -> Result<wire::Dispute, Error> {
        let (caller, request) = open(request)?;
        let name: DisputeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListDisputesRequest>,
    ) -> Result<ListDisputesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListDisputes", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.dispute.to_string());
        Ok(ListDisputesResponse {
            disputes: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn attempt(
        &self,
        request: Request<RecordAmicableStepRequest>,
    ) -> Result<wire::Dispute, Error> {
        let (caller, request) = open(request)?;
        let name: DisputeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let on = check.take("amicable_date", date(request.amicable_date.as_ref()));
        let what = check.take("amicable_step", text(&request.amicable_step));
        let step = check.finish(|| {
            Some(Dated {
                on: on?,
                what: what?,
            })
        })?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        let dispute = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, dispute.revision)?;
        let dispute = dispute.attempt(step, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &dispute).await?;
        finish(tx, &request, "dispute.amicable_step_recorded", &dispute).await
    }

    async fn refer(&self, request: Request<ReferDisputeRequest>) -> Result<wire::Dispute, Error> {
        let (caller, request) = open(request)?;
        let name: DisputeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let on = check.take("referral_date", date(request.referral_date.as_ref()));
        let what = check.take("court", text(&request.court));
        let step = check.finish(|| {
            Some(Dated {
                on: on?,
                what: what?,
            })
        })?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        let dispute = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, dispute.revision)?;
        let dispute = dispute.refer(step, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &dispute).await?;
        finish(tx, &request, "dispute.referred", &dispute).await
    }

    async fn close(&self, request: Request<CloseDisputeRequest>) -> Result<wire::Dispute, Error> {
        let (caller, request) = open(request)?;
        let name: DisputeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let on = check.take("close_date", date(request.close_date.as_ref()));
        let what = check.take("outcome", text(&request.outcome));
        let step = check.finish(|| {
            Some(Dated {
                on: on?,
                what: what?,
            })
        })?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let dispute = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, dispute.revision)?;
        let dispute = dispute.close(step, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &dispute).await?;
        let before = convention.held();
        let convention = convention.undisputed(tx.now());
        convention::rpc::follow_up(&mut tx, "convention.undisputed", before, &convention).await?;
        finish(tx, &request, "dispute.closed", &dispute).await
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    dispute: &Dispute,
) -> Result<wire::Dispute, Error> {
    let name = dispute.name.to_string();
    let change = Change {
        kind,
        operator: Some(dispute.name.operator),
        name: &name,
        revision: dispute.revision,
    };
    Ok(tx.finish(request, change, message(dispute)).await?)
}

#[tonic::async_trait]
impl DisputeService for Disputes {
    async fn create_dispute(
        &self,
        request: Request<CreateDisputeRequest>,
    ) -> Result<Response<wire::Dispute>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_dispute(
        &self,
        request: Request<GetDisputeRequest>,
    ) -> Result<Response<wire::Dispute>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_disputes(
        &self,
        request: Request<ListDisputesRequest>,
    ) -> Result<Response<ListDisputesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn record_amicable_step(
        &self,
        request: Request<RecordAmicableStepRequest>,
    ) -> Result<Response<wire::Dispute>, Status> {
        Ok(Response::new(self.attempt(request).await?))
    }

    async fn refer_dispute(
        &self,
        request: Request<ReferDisputeRequest>,
    ) -> Result<Response<wire::Dispute>, Status> {
        Ok(Response::new(self.refer(request).await?))
    }

    async fn close_dispute(
        &self,
        request: Request<CloseDisputeRequest>,
    ) -> Result<Response<wire::Dispute>, Status> {
        Ok(Response::new(self.close(request).await?))
    }
}

fn command(request: &CreateDisputeRequest) -> Result<Open, Failure> {
    let mut check = Check::of(request);
    let command = request.dispute.as_ref().and_then(|given| {
        let party = check.take("dispute.party", party(given.party()));
        let subject = check.take("dispute.subject", text(&given.subject));
        let opened = check.take("dispute.open_date", date(given.open_date.as_ref()));
        Some(Open {
            party: party?,
            subject: subject?,
            opened: opened?,
        })
    });
    check.finish(|| command)
}

fn message(dispute: &Dispute) -> wire::Dispute {
    let state = match (&dispute.ending, &dispute.steps) {
        (Some(_), _) => wire::DisputeState::Closed,
        (None, Steps::None) => wire::DisputeState::Open,
        (None, Steps::Amicable(_)) => wire::DisputeState::Amicable,
        (None, Steps::InCourt { .. }) => wire::DisputeState::InCourt,
    };
    let day = |step: Option<&Dated>| step.map(|step| to_date(step.on));
    let what = |step: Option<&Dated>| step.map_or_else(String::new, |step| step.what.clone());
    wire::Dispute {
        name: dispute.name.to_string(),
        party: to_party(dispute.party).into(),
        subject: dispute.subject.clone(),
        open_date: Some(to_date(dispute.opened)),
        state: state.into(),
        amicable_date: day(dispute.amicable()),
        amicable_step: what(dispute.amicable()),
        referral_date: day(dispute.referral()),
        court: what(dispute.referral()),
        outcome: what(dispute.ending.as_ref()),
        close_date: day(dispute.ending.as_ref()),
        create_time: Some(to_timestamp(dispute.create_time)),
        update_time: Some(to_timestamp(dispute.update_time)),
        etag: etag::of(dispute.revision),
    }
}
