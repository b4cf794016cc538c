//! Open data over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateGrantPublicationRequest, ExportGrantsRequest, GetGrantPublicationRequest,
    ListGrantPublicationsRequest, ListGrantPublicationsResponse,
    open_data_service_server::{OpenDataService, OpenDataServiceServer},
};
use nonrecours_kernel::{BudgetYear, GrantPublicationName, IdSource, ProgrammeName, paris_date};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{GrantPublication, Terms, csv},
    store,
};
use crate::{
    error::Error,
    programme,
    refusal::Refusal,
    text::{past, text},
};

/// The service of open data.
pub struct OpenData {
    db: Db,
    ids: IdSource,
}

impl OpenData {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> OpenDataServiceServer<Self> {
        OpenDataServiceServer::new(Self { db, ids })
    }

    async fn export(
        &self,
        request: Request<ExportGrantsRequest>,
    ) -> Result<wire::GrantsExport, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("programme", &request.programme)?;
        let mut check = Check::of(&request);
        let year = check.take("budget_year", BudgetYear::new(request.budget_year));
        let year = check.finish(|| year)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let programme = programme::store::get(&mut tx, &name).await?;
        let grants = store::grants(&mut tx, &name, year).await?;
        let siret = programme.terms.authority_siret;
        Ok(wire::GrantsExport {
            file_name: format!("subventions_{siret}_{year}.csv"),
            content_type: "text/csv; charset=utf-8".to_owned(),
            content: csv(&grants).map_err(|error| Failure::bug(&error.to_string()))?,
            row_count: rows(grants.len())?,
        })
    }

    async fn create(
        &self,
        request: Request<CreateGrantPublicationRequest>,
    ) -> Result<wire::GrantPublication, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        let terms = command(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        // Locked, so that the same request twice at once waits here and finds the answer of the first.
        programme::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let grants = store::grants(&mut tx, &parent, terms.budget_year).await?;
        let signed = grants.iter().filter(|grant| grant.signature <= terms.date);
        let rows = rows(signed.count())?;
        if rows == 0 {
            return Err(Refusal::NothingToPublish { day: terms.date }.into());
        }
        let publication = GrantPublication {
            name: GrantPublicationName {
                programme: parent.programme,
                grant_publication: self.ids.next(),
            },
            terms,
            rows,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        store::insert(&mut tx, &publication).await?;
        let name = publication.name.to_string();
        let change = Change {
            kind: "grant_publication.recorded",
            operator: None,
            name: &name,
            revision: publication.revision,
        };
        Ok(tx.finish(&request, change, message(&publication)).await?)
    }

    async fn get(
        &self,
        request: Request<GetGrantPublicationRequest>,
    ) -> Result<wire::GrantPublication, Error> {
        let (caller, request) = open(request)?;
        let name: GrantPublicationName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListGrantPublicationsRequest>,
    ) -> Result<ListGrantPublicationsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListGrantPublications", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.grant_publication.to_string());
        Ok(ListGrantPublicationsResponse {
            grant_publications: rows.iter().map(message).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl OpenDataService for OpenData {
    async fn export_grants(
        &self,
        request: Request<ExportGrantsRequest>,
    ) -> Result<Response<wire::GrantsExport>, Status> {
        Ok(Response::new(self.export(request).await?))
    }

    async fn create_grant_publication(
        &self,
        request: Request<CreateGrantPublicationRequest>,
    ) -> Result<Response<wire::GrantPublication>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_grant_publication(
        &self,
        request: Request<GetGrantPublicationRequest>,
    ) -> Result<Response<wire::GrantPublication>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_grant_publications(
        &self,
        request: Request<ListGrantPublicationsRequest>,
    ) -> Result<Response<ListGrantPublicationsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

fn command(request: &CreateGrantPublicationRequest, today: Date) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let terms = request.grant_publication.as_ref().and_then(|given| {
        let path = |name| format!("grant_publication.{name}");
        let year = check.take(&path("budget_year"), BudgetYear::new(given.budget_year));
        let day = date(given.publication_date.as_ref()).and_then(|day| past(day, today));
        let day = check.take(&path("publication_date"), day);
        let location = check.take(&path("location"), text(&given.location));
        Some(Terms {
            budget_year: year?,
            date: day?,
            location: location?,
        })
    });
    check.finish(|| terms)
}

fn rows(count: usize) -> Result<i32, Failure> {
    i32::try_from(count).map_err(|_| Failure::bug("more rows than an answer counts"))
}

fn message(publication: &GrantPublication) -> wire::GrantPublication {
    wire::GrantPublication {
        name: publication.name.to_string(),
        budget_year: i32::from(publication.terms.budget_year.get()),
        publication_date: Some(to_date(publication.terms.date)),
        location: publication.terms.location.clone(),
        row_count: publication.rows,
        create_time: Some(to_timestamp(publication.create_time)),
        update_time: Some(to_timestamp(publication.update_time)),
        etag: etag::of(publication.revision),
    }
}
