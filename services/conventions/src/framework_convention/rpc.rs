//! Framework conventions over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateFrameworkConventionRequest, GetFrameworkConventionRequest,
    ListFrameworkConventionsRequest, ListFrameworkConventionsResponse,
    framework_convention_service_server::{
        FrameworkConventionService, FrameworkConventionServiceServer,
    },
};
use nonrecours_kernel::{FrameworkConventionName, IdSource, ProgrammeName, paris_date};
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
    domain::{FrameworkConvention, Terms},
    store,
};
use crate::{
    error::Error,
    programme,
    text::{in_future, text},
};

/// The framework convention service.
pub struct FrameworkConventions {
    db: Db,
    ids: IdSource,
}

impl FrameworkConventions {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> FrameworkConventionServiceServer<Self> {
        FrameworkConventionServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateFrameworkConventionRequest>,
    ) -> Result<wire::FrameworkConvention, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        let scope = caller.scope();
        let terms = command(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let programme = programme::store::get(&mut tx, &parent).await?;
        let framework = FrameworkConvention {
            name: FrameworkConventionName {
                programme: programme.name.programme,
                framework_convention: self.ids.next(),
            },
            terms,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        store::insert(&mut tx, &framework).await?;
        let name = framework.name.to_string();
        let change = Change {
            kind: "framework_convention.created",
            operator: None,
            name: &name,
            revision: framework.revision,
        };
        Ok(tx.finish(&request, change, message(&framework)).await?)
    }

    async fn get(
        &self,
        request: Request<GetFrameworkConventionRequest>,
    ) -> Result<wire::FrameworkConvention, Error> {
        let (caller, request) = open(request)?;
        let name: FrameworkConventionName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListFrameworkConventionsRequest>,
    ) -> Result<ListFrameworkConventionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListFrameworkConventions", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |framework| {
            framework.name.framework_convention.to_string()
        });
        Ok(ListFrameworkConventionsResponse {
            framework_conventions: rows.iter().map(message).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl FrameworkConventionService for FrameworkConventions {
    async fn create_framework_convention(
        &self,
        request: Request<CreateFrameworkConventionRequest>,
    ) -> Result<Response<wire::FrameworkConvention>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_framework_convention(
        &self,
        request: Request<GetFrameworkConventionRequest>,
    ) -> Result<Response<wire::FrameworkConvention>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_framework_conventions(
        &self,
        request: Request<ListFrameworkConventionsRequest>,
    ) -> Result<Response<ListFrameworkConventionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

fn command(request: &CreateFrameworkConventionRequest, today: Date) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let command = request.framework_convention.as_ref().and_then(|framework| {
        let title = check.take("framework_convention.title", text(&framework.title));
        let vote_date = check.take(
            "framework_convention.vote_date",
            date(framework.vote_date.as_ref()).and_then(|day| {
                if day <= today {
                    Ok(day)
                } else {
                    Err(in_future())
                }
            }),
        );
        Some(Terms {
            title: title?,
            vote_date: vote_date?,
        })
    });
    check.finish(|| command)
}

fn message(framework: &FrameworkConvention) -> wire::FrameworkConvention {
    wire::FrameworkConvention {
        name: framework.name.to_string(),
        title: framework.terms.title.clone(),
        vote_date: Some(to_date(framework.terms.vote_date)),
        create_time: Some(to_timestamp(framework.create_time)),
        update_time: Some(to_timestamp(framework.update_time)),
        etag: etag::of(framework.revision),
    }
}
