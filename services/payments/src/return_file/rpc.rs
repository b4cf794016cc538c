//! Files from the accountant or the bank over gRPC.

use nonrecours_contracts::payments::{
    self as wire, GetReturnFileRequest, ListReturnFilesRequest, ListReturnFilesResponse,
    PushReturnFileRequest,
    push_return_file_request::Message,
    return_file_service_server::{ReturnFileService, ReturnFileServiceServer},
};
use nonrecours_kernel::{IdSource, Invalid, ProgrammeName, ReturnFileName, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, Page, field, open};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    Known, store,
    taking::Taking,
    upload::{receive, refused},
};
use crate::{correction, error::Error, posting_codes, slip};

/// Orders of a programme that a file is held against, the newest; some hundred are made a year.
const MAX_KNOWN_ORDERS: i64 = 100_000;

/// The rpcs about files from the accountant.
pub struct ReturnFiles {
    db: Db,
    ids: IdSource,
}

impl ReturnFiles {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ReturnFileServiceServer<Self> {
        ReturnFileServiceServer::new(Self { db, ids })
    }

    async fn push(
        &self,
        request: Request<Streaming<PushReturnFileRequest>>,
    ) -> Result<wire::ReturnFile, Status> {
        let (caller, mut messages) = open(request)?;
        let first = messages.message().await?.unwrap_or_default();
        let Some(Message::Opening(opening)) = &first.message else {
            return Err(refused("opening", opening_missing()));
        };
        let programme: ProgrammeName = field("opening.parent", &opening.parent)?;
        Check::of(&first).finish(|| Some(()))?;
        let scope = caller.scope();
        let known = self.known(&scope, &programme).await?;
        let upload = receive(known, messages).await?;
        let taking = Taking {
            db: &self.db,
            ids: &self.ids,
            scope: &scope,
            programme: &programme,
        };
        let file = taking.take(upload).await?;
        Ok(wire::ReturnFile::from(&file))
    }

    /// The orders that a file may be about; no transaction stays open while it comes.
    async fn known(&self, scope: &Scope, programme: &ProgrammeName) -> Result<Known, Error> {
        let mut tx = self.db.read(scope).await?;
        let accounts = posting_codes::store::accounts(&mut tx, programme.programme).await?;
        let programme = programme.programme;
        let mut orders = slip::orders::known(&mut tx, programme, MAX_KNOWN_ORDERS).await?;
        orders.extend(correction::store::known(&mut tx, programme, MAX_KNOWN_ORDERS).await?);
        Ok(Known::of(orders, accounts))
    }

    async fn get(&self, request: Request<GetReturnFileRequest>) -> Result<wire::ReturnFile, Error> {
        let (caller, request) = open(request)?;
        let name: ReturnFileName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let file = store::get(&mut tx, &name).await?;
        Ok(wire::ReturnFile::from(
            &file.ok_or_else(|| Failure::not_found(name))?,
        ))
    }

    async fn list(
        &self,
        request: Request<ListReturnFilesRequest>,
    ) -> Result<ListReturnFilesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListReturnFiles", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let files = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (files, next_page_token) = page.cut(files, |file| file.name.return_file.to_string());
        Ok(ListReturnFilesResponse {
            return_files: files.iter().map(wire::ReturnFile::from).collect(),
            next_page_token,
        })
    }
}

fn opening_missing() -> Invalid {
    Invalid::new(
        "OPENING_MISSING",
        "the first message opens the stream",
        "Le premier message ouvre l'envoi : il nomme le programme.",
    )
}

#[tonic::async_trait]
impl ReturnFileService for ReturnFiles {
    async fn push_return_file(
        &self,
        request: Request<Streaming<PushReturnFileRequest>>,
    ) -> Result<Response<wire::ReturnFile>, Status> {
        Ok(Response::new(self.push(request).await?))
    }

    async fn get_return_file(
        &self,
        request: Request<GetReturnFileRequest>,
    ) -> Result<Response<wire::ReturnFile>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_return_files(
        &self,
        request: Request<ListReturnFilesRequest>,
    ) -> Result<Response<ListReturnFilesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
