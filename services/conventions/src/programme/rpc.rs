//! Programmes over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, ChangeTerritoryRequest, CreateProgrammeRequest, GetProgrammeRequest,
        ListProgrammesRequest, ListProgrammesResponse, UpdateProgrammeRequest, VoteEnvelopeRequest,
        programme_service_server::{ProgrammeService, ProgrammeServiceServer},
    },
};
use nonrecours_kernel::{IdSource, ProgrammeName, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Page, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Programme, Vote},
    store,
    wire::{self as form, message},
};
use crate::error::Error;

/// The programme service.
pub struct Programmes {
    db: Db,
    ids: IdSource,
}

impl Programmes {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ProgrammeServiceServer<Self> {
        ProgrammeServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateProgrammeRequest>,
    ) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let scope = caller.scope();
        let opening = form::opening(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let programme = Programme {
            name: ProgrammeName {
                programme: self.ids.next(),
            },
            terms: opening.terms,
            territory: opening.territory,
            envelopes: opening.envelopes,
            votes: opening
                .first_votes
                .into_iter()
                .map(|vote| vote.recorded(tx.actor(), tx.now()))
                .collect(),
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        if let Err(refusal) = store::insert(&mut tx, &programme).await {
            // The same request twice at once: the second meets the first one's key, and has its answer.
            drop(tx);
            let mut tx = self.db.read(&scope).await?;
            return match tx.replay(&request).await? {
                Some(earlier) => Ok(earlier),
                None => Err(refusal),
            };
        }
        finish(tx, &request, "programme.created", &programme).await
    }

    async fn update(
        &self,
        request: Request<UpdateProgrammeRequest>,
    ) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let given = request.programme.clone().unwrap_or_default();
        let name: ProgrammeName = field("programme.name", &given.name)?;
        let changes = form::changes(&request, &given)?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        let programme = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&given.etag, programme.revision)?;
        let programme = programme.update(changes, tx.now());
        store::update(&mut tx, &programme).await?;
        finish(tx, &request, "programme.updated", &programme).await
    }

    async fn vote(&self, request: Request<VoteEnvelopeRequest>) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("name", &request.name)?;
        let vote = form::vote(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        let programme = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, programme.revision)?;
        let vote: Vote = vote.recorded(tx.actor(), tx.now());
        tx.because(&vote.act_reference);
        let (programme, envelope) = programme.vote(vote, tx.now())?;
        store::vote(&mut tx, &programme, &envelope).await?;
        finish(tx, &request, "programme.voted", &programme).await
    }

    async fn change_territory(
        &self,
        request: Request<ChangeTerritoryRequest>,
    ) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("name", &request.name)?;
        let moves = form::territory_change(&request)?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        let programme = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, programme.revision)?;
        let programme =
            programme.change_territory(moves.from, &moves.entering, &moves.leaving, tx.now())?;
        store::change_territory(&mut tx, &programme).await?;
        finish(tx, &request, "programme.territory_changed", &programme).await
    }

    async fn get(&self, request: Request<GetProgrammeRequest>) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let programme = store::get(&mut tx, &name).await?;
        Ok(message(&programme, paris_date(tx.now())))
    }

    async fn list(
        &self,
        request: Request<ListProgrammesRequest>,
    ) -> Result<ListProgrammesResponse, Error> {
        let (caller, request) = open(request)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(&["ListProgrammes"], request.page_size, &request.page_token)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let today = paris_date(tx.now());
        let rows = store::list(&mut tx, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) =
            page.cut(rows, |programme| programme.name.programme.to_string());
        Ok(ListProgrammesResponse {
            programmes: rows.iter().map(|it| message(it, today)).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl ProgrammeService for Programmes {
    async fn create_programme(
        &self,
        request: Request<CreateProgrammeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_programme(
        &self,
        request: Request<GetProgrammeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_programmes(
        &self,
        request: Request<ListProgrammesRequest>,
    ) -> Result<Response<ListProgrammesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn update_programme(
        &self,
        request: Request<UpdateProgrammeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn vote_envelope(
        &self,
        request: Request<VoteEnvelopeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.vote(request).await?))
    }

    async fn change_territory(
        &self,
        request: Request<ChangeTerritoryRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.change_territory(request).await?))
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    programme: &Programme,
) -> Result<wire::Programme, Error> {
    let message = message(programme, paris_date(tx.now()));
    let name = message.name.clone();
    let change = Change {
        kind,
        operator: None,
        name: &name,
        revision: programme.revision,
    };
    Ok(tx.finish(request, change, message).await?)
}
