//! Activity reports over gRPC.

use std::time::Duration;

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, AcceptActivityReportRequest, CreateActivityReportRequest,
        GetActivityReportRequest, ListActivityReportsRequest, ListActivityReportsResponse,
        ReturnActivityReportRequest, SubmitActivityReportRequest, UpdateActivityReportRequest,
        activity_report_service_server::{ActivityReportService, ActivityReportServiceServer},
    },
    followup::{GetIndicatorsRequest, indicator_service_client::IndicatorServiceClient},
};
use nonrecours_kernel::{ActivityReportName, ConventionName, IdSource, Money};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, client::PeerChannel, etag, field, open};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{ActivityReport, Drawn, Figures, State},
    store,
    wire::{content, figures, message},
};
use crate::{
    convention::{
        self,
        domain::{Convention, State as ConventionState},
    },
    error::Error,
    refusal::Refusal,
    text::text,
};

/// How long `followup` may take to count.
const FIGURES_DEADLINE: Duration = Duration::from_secs(5);

/// The activity report service.
pub struct ActivityReports {
    db: Db,
    ids: IdSource,
    followup: PeerChannel,
}

impl ActivityReports {
    /// Over the service's database; the figures come from `followup`.
    pub fn server(
        db: Db,
        ids: IdSource,
        followup: PeerChannel,
    ) -> ActivityReportServiceServer<Self> {
        ActivityReportServiceServer::new(Self { db, ids, followup })
    }

    async fn create(
        &self,
        request: Request<CreateActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let content = content(&mut check, request.activity_report.as_ref());
        let content = check.finish(|| content)?;
        // Looked at before `followup` is asked, and again under the lock: no transaction waits for another service.
        let mut tx = self.db.read(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        paid(&convention::store::get(&mut tx, &parent).await?)?;
        if !store::list(&mut tx, &parent, None, 1).await?.is_empty() {
            return Err(store::already_exists());
        }
        drop(tx);
        let figures = self.figures(&parent).await?;

        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let report = ActivityReport {
            name: ActivityReportName {
                operator: parent.operator,
                convention: parent.convention,
                activity_report: self.ids.next(),
            },
            content,
            drawn: Drawn {
                figures,
                paid: paid(&convention)?,
            },
            state: State::Draft,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        store::insert(&mut tx, &report).await?;
        finish(tx, &request, "activity_report.drafted", &report).await
    }

    async fn get(
        &self,
        request: Request<GetActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let name: ActivityReportName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListActivityReportsRequest>,
    ) -> Result<ListActivityReportsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListActivityReports", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) =
            page.cut(rows, |report| report.name.activity_report.to_string());
        Ok(ListActivityReportsResponse {
            activity_reports: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn update(
        &self,
        request: Request<UpdateActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let given = request.activity_report.clone().unwrap_or_default();
        let name: ActivityReportName = field("activity_report.name", &given.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let content = content(&mut check, Some(&given));
        let content = check.finish(|| content)?;
        let mut tx = self.db.read(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let report = store::get(&mut tx, &name).await?;
        etag::check(&given.etag, report.revision)?;
        report.editable()?;
        drop(tx);
        let figures = self.figures(&name.parent()).await?;

        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let report = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&given.etag, report.revision)?;
        let drawn = Drawn {
            figures,
            paid: paid(&convention)?,
        };
        let report = report.redraw(content, drawn, tx.now())?;
        store::update(&mut tx, &report).await?;
        finish(tx, &request, "activity_report.updated", &report).await
    }

    async fn submit(
        &self,
        request: Request<SubmitActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let name: ActivityReportName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        let report = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, report.revision)?;
        let report = report.submit(tx.now())?;
        store::update(&mut tx, &report).await?;
        finish(tx, &request, "activity_report.submitted", &report).await
    }

    async fn return_for(
        &self,
        request: Request<ReturnActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let name: ActivityReportName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let correction = check.take("correction", text(&request.correction));
        let correction = check.finish(|| correction)?;
        let mut tx = self.db.begin(&scope).await?;
        let report = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, report.revision)?;
        tx.because(&correction);
        let report = report.return_for(correction, tx.now())?;
        store::update(&mut tx, &report).await?;
        finish(tx, &request, "activity_report.returned", &report).await
    }

    async fn accept(
        &self,
        request: Request<AcceptActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let name: ActivityReportName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let report = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, report.revision)?;
        let report = report.accept(tx.now())?;
        store::update(&mut tx, &report).await?;
        let spent = report.content.spent;
        let before = convention.held();
        let convention = convention.accept_report(name.activity_report, spent, tx.now())?;
        convention::store::advance(&mut tx, before, &convention).await?;
        convention::rpc::record(&mut tx, "convention.report_accepted", &convention).await?;
        finish(tx, &request, "activity_report.accepted", &report).await
    }

    /// Asks `followup` what was done under a convention.
    async fn figures(&self, convention: &ConventionName) -> Result<Figures, Failure> {
        let mut request = Request::new(GetIndicatorsRequest {
            convention: convention.to_string(),
        });
        request.set_timeout(FIGURES_DEADLINE);
        let mut client = IndicatorServiceClient::new(self.followup.clone());
        match client.get_indicators(request).await {
            Ok(answer) => figures(answer.get_ref()),
            Err(status) => Err(match status.code() {
                // NOT_FOUND: the convention's change is still on its way to it.
                Code::NotFound
                | Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
                | Code::Aborted => Failure::unavailable(&status),
                _ => Failure::internal(&status),
            }),
        }
    }
}

/// The sum paid under a convention in force, or terminated. Refuses any other: reports are drawn while the actions last,
/// or to account for what was done until they were broken off.
fn paid(convention: &Convention) -> Result<Money, Refusal> {
    match &convention.state {
        ConventionState::InForce { execution, .. }
        | ConventionState::Terminated { execution, .. } => Ok(execution.plan.paid),
        _ => Err(Refusal::ConventionNotInForce),
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    report: &ActivityReport,
) -> Result<wire::ActivityReport, Error> {
    let name = report.name.to_string();
    let change = Change {
        kind,
        operator: Some(report.name.operator),
        name: &name,
        revision: report.revision,
    };
    Ok(tx.finish(request, change, message(report)).await?)
}

#[tonic::async_trait]
impl ActivityReportService for ActivityReports {
    async fn create_activity_report(
        &self,
        request: Request<CreateActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_activity_report(
        &self,
        request: Request<GetActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_activity_reports(
        &self,
        request: Request<ListActivityReportsRequest>,
    ) -> Result<Response<ListActivityReportsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn update_activity_report(
        &self,
        request: Request<UpdateActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn submit_activity_report(
        &self,
        request: Request<SubmitActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.submit(request).await?))
    }

    async fn return_activity_report(
        &self,
        request: Request<ReturnActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.return_for(request).await?))
    }

    async fn accept_activity_report(
        &self,
        request: Request<AcceptActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.accept(request).await?))
    }
}
