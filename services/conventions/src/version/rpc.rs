//! Versions over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, GetConventionVersionRequest, ListConventionVersionsRequest,
    ListConventionVersionsResponse,
    convention_version_service_server::{ConventionVersionService, ConventionVersionServiceServer},
};
use nonrecours_kernel::{ConventionName, ConventionVersionName};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Page, field, open};
use tonic::{Request, Response, Status};

use super::{store, wire::message};
use crate::error::Error;

/// The version service.
pub struct ConventionVersions {
    db: Db,
}

impl ConventionVersions {
    /// Over the service's database.
    pub fn server(db: Db) -> ConventionVersionServiceServer<Self> {
        ConventionVersionServiceServer::new(Self { db })
    }

    async fn get(
        &self,
        request: Request<GetConventionVersionRequest>,
    ) -> Result<wire::ConventionVersion, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionVersionName = field("name", &request.name)?;
        let scope = caller.reach(name.convention.operator)?;
        let mut tx = self.db.read(&scope).await?;
        let (before, version) = store::get(&mut tx, &name).await?;
        Ok(message(before.as_ref(), &version))
    }

    async fn list(
        &self,
        request: Request<ListConventionVersionsRequest>,
    ) -> Result<ListConventionVersionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListConventionVersions", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        // The last one of the page before is read again: the first of this page is compared with it.
        let after = page.after::<i32>()?;
        let limit = page.limit() + i64::from(after.is_some());
        let mut versions = store::from(&mut tx, &parent, after.unwrap_or(1), limit)
            .await?
            .into_iter();
        let mut before = after.and_then(|_| versions.next());
        let (versions, next_page_token) =
            page.cut(versions.collect(), |it| it.name.version.to_string());
        let mut convention_versions = Vec::with_capacity(versions.len());
        for version in versions {
            convention_versions.push(message(before.as_ref(), &version));
            before = Some(version);
        }
        Ok(ListConventionVersionsResponse {
            convention_versions,
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl ConventionVersionService for ConventionVersions {
    async fn get_convention_version(
        &self,
        request: Request<GetConventionVersionRequest>,
    ) -> Result<Response<wire::ConventionVersion>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_convention_versions(
        &self,
        request: Request<ListConventionVersionsRequest>,
    ) -> Result<Response<ListConventionVersionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
