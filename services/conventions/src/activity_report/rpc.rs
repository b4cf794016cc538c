//! Activity reports over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, AcceptActivityReportRequest, CreateActivityReportRequest,
        GetActivityReportRequest, ListActivityReportVersionsRequest,
        ListActivityReportVersionsResponse, ListActivityReportsRequest,
        ListActivityReportsResponse, RefreshActivityReportRequest, ReturnActivityReportRequest,
        SubmitActivityReportRequest, UpdateActivityReportRequest,
        activity_report_service_server::{ActivityReportService, ActivityReportServiceServer},
    },
};
use nonrecours_kernel::{ActivityReportName, ConventionName, IdSource, Money, Scope};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Page, client::PeerChannel, etag, field, open};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    annex,
    domain::{ActivityReport, Drawn, State},
    figures::figures,
    store,
    version::{self, Verdict},
    wire::{content, message},
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
        let figures = figures(&self.followup, &parent).await?;

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
        let report = store::get(&mut tx, &name).await?;
        shown(&mut tx, &report).await
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
        let mut activity_reports = Vec::with_capacity(rows.len());
        // A convention has one report that is not superseded.
        for report in &rows {
            activity_reports.push(shown(&mut tx, report).await?);
        }
        Ok(ListActivityReportsResponse {
            activity_reports,
            next_page_token,
        })
    }

    async fn versions(
        &self,
        request: Request<ListActivityReportVersionsRequest>,
    ) -> Result<ListActivityReportVersionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ActivityReportName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListActivityReportVersions", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        store::get(&mut tx, &parent).await?;
        let rows = version::list(&mut tx, &parent, page.after::<i32>()?, page.limit()).await?;
        let (activity_report_versions, next_page_token) =
            page.cut(rows, |version| version.number.to_string());
        Ok(ListActivityReportVersionsResponse {
            activity_report_versions,
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
        let step = |report: ActivityReport, drawn, now| report.redraw(content, drawn, now);
        let step = (step, "activity_report.updated");
        self.draw(&scope, &request, &given.etag, &name, step).await
    }

    async fn refresh(
        &self,
        request: Request<RefreshActivityReportRequest>,
    ) -> Result<wire::ActivityReport, Error> {
        let (caller, request) = open(request)?;
        let name: ActivityReportName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let step = (ActivityReport::refresh, "activity_report.refreshed");
        self.draw(&scope, &request, &request.etag, &name, step)
            .await
    }

    /// What every step does that draws the figures anew. The report is looked at before `followup` is asked, and again
    /// under the lock: no transaction waits for another service.
    async fn draw<Q: Mutation>(
        &self,
        scope: &Scope,
        request: &Q,
        given_etag: &str,
        name: &ActivityReportName,
        (step, kind): (
            impl FnOnce(ActivityReport, Drawn, OffsetDateTime) -> Result<ActivityReport, Refusal>,
            &'static str,
        ),
    ) -> Result<wire::ActivityReport, Error> {
        let mut tx = self.db.read(scope).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        let report = store::get(&mut tx, name).await?;
        etag::check(given_etag, report.revision)?;
        report.editable()?;
        drop(tx);
        let figures = figures(&self.followup, &name.parent()).await?;

        let mut tx = self.db.begin(scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let report = store::lock(&mut tx, name).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        etag::check(given_etag, report.revision)?;
        let drawn = Drawn {
            figures,
            paid: paid(&convention)?,
        };
        let report = step(report, drawn, tx.now())?;
        store::update(&mut tx, &report).await?;
        finish(tx, request, kind, &report).await
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
        // The budget is written under the convention's lock: what is kept here is what stands.
        convention::store::lock(&mut tx, &name.parent()).await?;
        let report = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, report.revision)?;
        let annex = annex::of(&mut tx, &report).await?;
        let report = report.submit(annex.lacks_accounts(), tx.now())?;
        store::update(&mut tx, &report).await?;
        let message = message(&report, annex.handed_in());
        version::insert(&mut tx, &name, &message).await?;
        let change = change("activity_report.submitted", &report, &message.name);
        Ok(tx.finish(&request, change, message.clone()).await?)
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
        let report = report.return_for(correction.clone(), tx.now())?;
        store::update(&mut tx, &report).await?;
        let verdict = Verdict::Returned {
            correction: &correction,
        };
        version::answer(&mut tx, &name, verdict).await?;
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
        version::answer(&mut tx, &name, Verdict::Accepted).await?;
        let spent = report.content.spent;
        let before = convention.held();
        let convention = convention.accept_report(name.activity_report, spent, tx.now())?;
        convention::store::advance(&mut tx, before, &convention).await?;
        convention::rpc::record(&mut tx, "convention.report_accepted", &convention).await?;
        finish(tx, &request, "activity_report.accepted", &report).await
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

async fn shown(tx: &mut Tx, report: &ActivityReport) -> Result<wire::ActivityReport, Error> {
    let annex = annex::of(tx, report).await?;
    Ok(message(report, annex))
}

async fn finish<Q: Mutation>(
    mut tx: Tx,
    request: &Q,
    kind: &'static str,
    report: &ActivityReport,
) -> Result<wire::ActivityReport, Error> {
    let message = shown(&mut tx, report).await?;
    let name = message.name.clone();
    Ok(tx
        .finish(request, change(kind, report, &name), message)
        .await?)
}

fn change<'a>(kind: &'static str, report: &ActivityReport, name: &'a str) -> Change<'a> {
    Change {
        kind,
        operator: Some(report.name.operator),
        name,
        revision: report.revision,
    }
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

    async fn refresh_activity_report(
        &self,
        request: Request<RefreshActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.refresh(request).await?))
    }

    async fn submit_activity_report(
        &self,
        request: Request<SubmitActivityReportRequest>,
    ) -> Result<Response<wire::ActivityReport>, Status> {
        Ok(Response::new(self.submit(request).await?))
    }

    async fn list_activity_report_versions(
        &self,
        request: Request<ListActivityReportVersionsRequest>,
    ) -> Result<Response<ListActivityReportVersionsResponse>, Status> {
        Ok(Response::new(self.versions(request).await?))
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
