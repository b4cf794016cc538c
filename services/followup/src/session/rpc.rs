//! Sessions on the wire.

use nonrecours_contracts::followup::{
    GetSessionRequest, ListSessionsRequest, ListSessionsResponse, Session as Wire, SessionContent,
    session_service_server::{SessionService, SessionServiceServer},
};
use nonrecours_kernel::{OperatorName, SessionName};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, Channel, Session},
    store,
};
use crate::{
    error::Error,
    record::{Faults, Record, in_future},
};

/// Reads a pushed content; notes every fault. `today` is the day in Paris.
pub fn read(content: &SessionContent, today: Date, faults: &mut Faults) -> Option<Session> {
    let venue = faults.take("session.venue", domain::venue(&content.venue));
    let held_date = faults.take("session.held_date", date(content.held_date.as_ref()));
    if held_date.is_some_and(|held| held > today) {
        faults.refuse("session.held_date", in_future());
    }
    let day = held_date.unwrap_or(today);
    let commune = domain::commune(&content.commune_code, day, faults);
    let channel = faults.need("session.channel", Channel::from_wire(content.channel));
    let persons_met = faults.take(
        "session.persons_met",
        domain::persons_met(content.persons_met),
    );
    Some(Session {
        venue: venue?,
        commune: commune?,
        held_date: held_date?,
        channel: channel?,
        persons_met: persons_met?,
    })
}

impl From<&Record<Session>> for Wire {
    fn from(record: &Record<Session>) -> Self {
        let content = &record.content;
        Self {
            name: record.name(),
            external_reference: record.reference.to_string(),
            convention: record.convention.to_string(),
            venue: content.venue.clone(),
            commune_code: content.commune.to_string(),
            held_date: Some(to_date(content.held_date)),
            channel: content.channel.to_wire(),
            persons_met: content.persons_met,
            version: record.version,
            revision: record.revision,
            create_time: Some(to_timestamp(record.create_time)),
            update_time: Some(to_timestamp(record.update_time)),
            etag: etag::of(record.revision),
        }
    }
}

/// Reads sessions, for the operator itself.
pub struct Sessions {
    db: Db,
}

impl Sessions {
    /// The rpcs over the service's database.
    pub fn server(db: Db) -> SessionServiceServer<Self> {
        SessionServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetSessionRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: SessionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.read(&scope).await?;
        let record = store::get(&mut tx, &name).await?;
        Ok(record
            .as_ref()
            .map(Wire::from)
            .ok_or_else(|| Failure::not_found(name))?)
    }

    async fn list(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<ListSessionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListSessions", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.read(&scope).await?;
        let records = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (records, next_page_token) = page.cut(records, |record| record.id.to_string());
        Ok(ListSessionsResponse {
            sessions: records.iter().map(Wire::from).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
