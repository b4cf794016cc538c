//! Hearings (auditions, art. 8), over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CreateHearingRequest, GetHearingRequest, ListHearingsRequest,
        ListHearingsResponse, RecordHearingRequest,
        hearing_service_server::{HearingService, HearingServiceServer},
    },
};
use nonrecours_kernel::{ConventionName, HearingName, IdSource, InspectionName, paris_date};
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
    domain::{Hearing, Outcome, State},
    store,
};
use crate::{
    convention,
    error::Error,
    inspection,
    text::{required, text},
};

/// The hearing service.
pub struct Hearings {
    db: Db,
    ids: IdSource,
}

struct Convene {
    subject: String,
    convened: Date,
    inspection: Option<InspectionName>,
}

impl Hearings {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> HearingServiceServer<Self> {
        HearingServiceServer::new(Self { db, ids })
    }

    async fn create(&self, request: Request<CreateHearingRequest>) -> Result<wire::Hearing, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let command = command(&request)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let now = tx.now();
        convention.signed()?;
        if let Some(name) = &command.inspection {
            if name.parent() != parent {
                return Err(Failure::not_found(name).into());
            }
            inspection::store::get(&mut tx, name).await?;
        }
        let hearing = Hearing {
            name: HearingName {
                operator: parent.operator,
                convention: parent.convention,
                hearing: self.ids.next(),
            },
            subject: command.subject,
            convened: command.convened,
            inspection: command.inspection.map(|name| name.inspection),
            state: State::Convened,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &hearing).await?;
        finish(tx, &request, "hearing.convened", &hearing).await
    }

    async fn get(&self, request: Request<GetHearingRequest>) -> Result<wire::Hearing, Error> {
        let (caller, request) = open(request)?;
        let name: HearingName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListHearingsRequest>,
    ) -> Result<ListHearingsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListHearings", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.hearing.to_string());
        Ok(ListHearingsResponse {
            hearings: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn record(&self, request: Request<RecordHearingRequest>) -> Result<wire::Hearing, Error> {
        let (caller, request) = open(request)?;
        let name: HearingName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let outcome = match request.outcome() {
            wire::HearingOutcome::Unspecified => Err(required()),
            wire::HearingOutcome::Held => Ok(Outcome::Held),
            wire::HearingOutcome::Refused => Ok(Outcome::Refused),
        };
        let outcome = check.take("outcome", outcome);
        let on = check.take("outcome_date", date(request.outcome_date.as_ref()));
        let minutes = check.take("minutes", text(&request.minutes));
        let (outcome, on, minutes) = check.finish(|| Some((outcome?, on?, minutes?)))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let hearing = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, hearing.revision)?;
        let days = (paris_date(convention.signed()?.since), paris_date(tx.now()));
        let hearing = hearing.record(outcome, on, minutes, days, tx.now())?;
        store::update(&mut tx, &hearing).await?;
        let kind = match outcome {
            Outcome::Held => "hearing.held",
            Outcome::Refused => "hearing.refused",
        };
        finish(tx, &request, kind, &hearing).await
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    hearing: &Hearing,
) -> Result<wire::Hearing, Error> {
    let name = hearing.name.to_string();
    let change = Change {
        kind,
        operator: Some(hearing.name.operator),
        name: &name,
        revision: hearing.revision,
    };
    Ok(tx.finish(request, change, message(hearing)).await?)
}

#[tonic::async_trait]
impl HearingService for Hearings {
    async fn create_hearing(
        &self,
        request: Request<CreateHearingRequest>,
    ) -> Result<Response<wire::Hearing>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_hearing(
        &self,
        request: Request<GetHearingRequest>,
    ) -> Result<Response<wire::Hearing>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_hearings(
        &self,
        request: Request<ListHearingsRequest>,
    ) -> Result<Response<ListHearingsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn record_hearing(
        &self,
        request: Request<RecordHearingRequest>,
    ) -> Result<Response<wire::Hearing>, Status> {
        Ok(Response::new(self.record(request).await?))
    }
}

fn command(request: &CreateHearingRequest) -> Result<Convene, Failure> {
    let mut check = Check::of(request);
    let command = request.hearing.as_ref().and_then(|given| {
        let subject = check.take("hearing.subject", text(&given.subject));
        let convened = check.take("hearing.convened_date", date(given.convened_date.as_ref()));
        let inspection = match given.inspection.as_str() {
            "" => Some(None),
            name => check.parse("hearing.inspection", name).map(Some),
        };
        Some(Convene {
            subject: subject?,
            convened: convened?,
            inspection: inspection?,
        })
    });
    check.finish(|| command)
}

fn message(hearing: &Hearing) -> wire::Hearing {
    let (state, on, minutes) = match &hearing.state {
        State::Convened => (wire::HearingState::Convened, None, None),
        State::Recorded {
            outcome,
            on,
            minutes,
        } => {
            let state = match outcome {
                Outcome::Held => wire::HearingState::Held,
                Outcome::Refused => wire::HearingState::Refused,
            };
            (state, Some(*on), Some(minutes))
        }
    };
    let inspection = hearing.inspection.map(|inspection| InspectionName {
        operator: hearing.name.operator,
        convention: hearing.name.convention,
        inspection,
    });
    wire::Hearing {
        name: hearing.name.to_string(),
        subject: hearing.subject.clone(),
        convened_date: Some(to_date(hearing.convened)),
        inspection: inspection.map_or_else(String::new, |name| name.to_string()),
        state: state.into(),
        outcome_date: on.map(to_date),
        minutes: minutes.cloned().unwrap_or_default(),
        create_time: Some(to_timestamp(hearing.create_time)),
        update_time: Some(to_timestamp(hearing.update_time)),
        etag: etag::of(hearing.revision),
    }
}
