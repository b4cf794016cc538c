//! Inspections (contrôles, art. 8), over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CloseInspectionRequest, CreateInspectionRequest, GetInspectionRequest,
        ListInspectionsRequest, ListInspectionsResponse,
        inspection_service_server::{InspectionService, InspectionServiceServer},
    },
};
use nonrecours_kernel::{ConventionName, IdSource, InspectionName, paris_date};
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
    domain::{Inspection, State},
    store,
};
use crate::{convention, error::Error, refusal::within, text::text};

/// The inspection service.
pub struct Inspections {
    db: Db,
    ids: IdSource,
}

struct Open {
    subject: String,
    opened: Date,
}

impl Inspections {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> InspectionServiceServer<Self> {
        InspectionServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateInspectionRequest>,
    ) -> Result<wire::Inspection, Error> {
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
        within(
            paris_date(convention.signed()?.since),
            paris_date(now),
            command.opened,
        )?;
        let inspection = Inspection {
            name: InspectionName {
                operator: parent.operator,
                convention: parent.convention,
                inspection: self.ids.next(),
            },
            subject: command.subject,
            opened: command.opened,
            state: State::Open,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &inspection).await?;
        finish(tx, &request, "inspection.opened", &inspection).await
    }

    async fn get(&self, request: Request<GetInspectionRequest>) -> Result<wire::Inspection, Error> {
        let (caller, request) = open(request)?;
        let name: InspectionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListInspectionsRequest>,
    ) -> Result<ListInspectionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListInspections", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.inspection.to_string());
        Ok(ListInspectionsResponse {
            inspections: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn close(
        &self,
        request: Request<CloseInspectionRequest>,
    ) -> Result<wire::Inspection, Error> {
        let (caller, request) = open(request)?;
        let name: InspectionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let findings = check.take("findings", text(&request.findings));
        let on = check.take("close_date", date(request.close_date.as_ref()));
        let (findings, on) = check.finish(|| findings.zip(on))?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        let inspection = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, inspection.revision)?;
        let inspection = inspection.close(findings, on, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &inspection).await?;
        finish(tx, &request, "inspection.closed", &inspection).await
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    inspection: &Inspection,
) -> Result<wire::Inspection, Error> {
    let name = inspection.name.to_string();
    let change = Change {
        kind,
        operator: Some(inspection.name.operator),
        name: &name,
        revision: inspection.revision,
    };
    Ok(tx.finish(request, change, message(inspection)).await?)
}

#[tonic::async_trait]
impl InspectionService for Inspections {
    async fn create_inspection(
        &self,
        request: Request<CreateInspectionRequest>,
    ) -> Result<Response<wire::Inspection>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_inspection(
        &self,
        request: Request<GetInspectionRequest>,
    ) -> Result<Response<wire::Inspection>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_inspections(
        &self,
        request: Request<ListInspectionsRequest>,
    ) -> Result<Response<ListInspectionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn close_inspection(
        &self,
        request: Request<CloseInspectionRequest>,
    ) -> Result<Response<wire::Inspection>, Status> {
        Ok(Response::new(self.close(request).await?))
    }
}

fn command(request: &CreateInspectionRequest) -> Result<Open, Failure> {
    let mut check = Check::of(request);
    let command = request.inspection.as_ref().and_then(|given| {
        let subject = check.take("inspection.subject", text(&given.subject));
        let opened = check.take("inspection.open_date", date(given.open_date.as_ref()));
        Some(Open {
            subject: subject?,
            opened: opened?,
        })
    });
    check.finish(|| command)
}

fn message(inspection: &Inspection) -> wire::Inspection {
    let (state, findings, closed) = match &inspection.state {
        State::Open => (wire::InspectionState::Open, None, None),
        State::Closed { findings, on } => {
            (wire::InspectionState::Closed, Some(findings), Some(*on))
        }
    };
    wire::Inspection {
        name: inspection.name.to_string(),
        subject: inspection.subject.clone(),
        open_date: Some(to_date(inspection.opened)),
        state: state.into(),
        findings: findings.cloned().unwrap_or_default(),
        close_date: closed.map(to_date),
        create_time: Some(to_timestamp(inspection.create_time)),
        update_time: Some(to_timestamp(inspection.update_time)),
        etag: etag::of(inspection.revision),
    }
}
