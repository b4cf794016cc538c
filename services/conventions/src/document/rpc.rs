//! Documents over gRPC.

use std::path::PathBuf;

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use nonrecours_contracts::conventions::{
    self as wire, DocumentKind, DownloadDocumentRequest, DownloadDocumentResponse,
    GenerateDocumentRequest, GetDocumentRequest, ListDocumentsRequest, ListDocumentsResponse,
    document_service_server::{DocumentService, DocumentServiceServer},
    download_document_response,
};
use nonrecours_files::{self as files, Files};
use nonrecours_kernel::{ConventionName, Digest, DocumentName, IdSource, Invalid, Scope};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{Check, Failure, Page, convert::to_timestamp, etag, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    data,
    domain::{Document, Kind, Subject},
    engine::Engine,
    store,
};
use crate::{convention, error::Error, refusal::Refusal, text::required};

/// A document is written once.
const FIRST_REVISION: i64 = 1;

/// The document service.
pub struct Documents {
    db: Db,
    ids: IdSource,
    files: Files,
    engine: Engine,
}

/// What a document would be drawn from.
struct Draft {
    data: String,
    digest: Digest,
    version: i32,
    /// Drawn from the same data already.
    known: bool,
}

/// A document's bytes, as they are kept.
struct Kept {
    content: Digest,
    size: i64,
}

impl Documents {
    /// Over the service's database and its store of files, with this typesetting program or the one that is found.
    pub fn server(
        db: Db,
        ids: IdSource,
        files: Files,
        program: Option<PathBuf>,
    ) -> DocumentServiceServer<Self> {
        DocumentServiceServer::new(Self {
            db,
            ids,
            files,
            engine: Engine::new(program),
        })
    }

    async fn generate(
        &self,
        request: Request<GenerateDocumentRequest>,
    ) -> Result<wire::Document, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let subject = check
            .take("kind", kind(request.kind()))
            .and_then(|kind| check.take("subject", Subject::read(kind, &request.subject, &parent)));
        let subject = check.finish(|| subject)?;
        let draft = {
            let mut tx = self.db.read(&scope).await?;
            if let Some(earlier) = tx.replay(&request).await? {
                return Ok(earlier);
            }
            let data = data::draw(&mut tx, &subject).await?;
            let digest = Digest::of(data.as_bytes());
            Draft {
                version: store::last_version(&mut tx, &subject).await? + 1,
                known: store::same(&mut tx, &subject, &digest).await?.is_some(),
                data,
                digest,
            }
        };
        // No transaction is open while the program runs and the bytes are put.
        let kept = match draft.known {
            true => None,
            false => Some(self.write(&subject, &draft).await?),
        };
        self.keep(&scope, &request, subject, &draft, kept).await
    }

    async fn write(&self, subject: &Subject, draft: &Draft) -> Result<Kept, Error> {
        // The data stand as they are: the program's digest is ours.
        let job = format!(
            r#"{{"kind":"{}","version":{},"data":{}}}"#,
            subject.kind().as_str(),
            draft.version,
            draft.data
        );
        let pdf = self.engine.typeset(&job).await?;
        let size = i64::try_from(pdf.len()).unwrap_or(i64::MAX);
        let content = self.files.put(pdf).await.map_err(lost)?;
        Ok(Kept { content, size })
    }

    /// First the bytes, then the record: what is recorded is there.
    async fn keep(
        &self,
        scope: &Scope,
        request: &GenerateDocumentRequest,
        subject: Subject,
        draft: &Draft,
        kept: Option<Kept>,
    ) -> Result<wire::Document, Error> {
        let parent = subject.convention();
        let mut tx = self.db.begin(scope).await?;
        convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        if let Some(same) = store::same(&mut tx, &subject, &draft.digest).await? {
            return Ok(tx.answer(request, message(&same)).await?);
        }
        let kept = kept.ok_or_else(|| Failure::bug("a document was there and is not"))?;
        if store::last_version(&mut tx, &subject).await? + 1 != draft.version {
            return Err(Failure::concurrent_update().into());
        }
        let document = Document {
            name: DocumentName {
                operator: parent.operator,
                convention: parent.convention,
                document: self.ids.next(),
            },
            subject,
            version: draft.version,
            data: draft.digest,
            content: kept.content,
            size: kept.size,
            created_by: tx.actor().to_owned(),
            create_time: tx.now(),
        };
        store::insert(&mut tx, &document).await?;
        let name = document.name.to_string();
        let change = Change {
            kind: "document.generated",
            operator: Some(parent.operator),
            name: &name,
            revision: FIRST_REVISION,
        };
        Ok(tx.finish(request, change, message(&document)).await?)
    }

    async fn get(&self, request: Request<GetDocumentRequest>) -> Result<wire::Document, Error> {
        let (caller, request) = open(request)?;
        let name: DocumentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<ListDocumentsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListDocuments", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.document.to_string());
        Ok(ListDocumentsResponse {
            documents: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn download(
        &self,
        request: Request<DownloadDocumentRequest>,
    ) -> Result<BoxStream<'static, Result<DownloadDocumentResponse, Status>>, Error> {
        use download_document_response::Message;
        let (caller, request) = open(request)?;
        let name: DocumentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let document = {
            let mut tx = self.db.read(&scope).await?;
            store::get(&mut tx, &name).await?
        };
        let reader = self.files.read(&document.content).await.map_err(lost)?;
        let answer = |message| DownloadDocumentResponse {
            message: Some(message),
        };
        let first = answer(Message::Document(message(&document)));
        let chunks = stream::try_unfold(reader, move |mut reader| async move {
            let chunk = reader.next().await.map_err(lost)?;
            Ok(chunk.map(|chunk| (answer(Message::Chunk(chunk.into())), reader)))
        });
        Ok(stream::iter([Ok(first)]).chain(chunks).boxed())
    }
}

/// What the store of files says, of a document.
fn lost(error: files::Error) -> Error {
    match &error {
        files::Error::Absent(_) | files::Error::Damaged(_) => {
            tracing::error!(cause = %error, "a document was lost or altered");
            Refusal::DocumentDamaged.into()
        }
        files::Error::Unavailable(_) => Failure::unavailable(&error).into(),
        files::Error::TooLarge => Failure::internal(&error).into(),
    }
}

fn kind(kind: DocumentKind) -> Result<Kind, Invalid> {
    match kind {
        DocumentKind::Unspecified => Err(required()),
        DocumentKind::Convention => Ok(Kind::Convention),
        DocumentKind::StatementOfPayments => Ok(Kind::StatementOfPayments),
        DocumentKind::FormalNotice => Ok(Kind::FormalNotice),
        DocumentKind::Decision => Ok(Kind::Decision),
        DocumentKind::ActivityReport => Ok(Kind::ActivityReport),
        DocumentKind::Amendment => Ok(Kind::Amendment),
    }
}

fn message(document: &Document) -> wire::Document {
    let kind = match document.subject.kind() {
        Kind::Convention => DocumentKind::Convention,
        Kind::StatementOfPayments => DocumentKind::StatementOfPayments,
        Kind::FormalNotice => DocumentKind::FormalNotice,
        Kind::Decision => DocumentKind::Decision,
        Kind::ActivityReport => DocumentKind::ActivityReport,
        Kind::Amendment => DocumentKind::Amendment,
    };
    wire::Document {
        name: document.name.to_string(),
        kind: kind.into(),
        subject: document.subject.name(),
        version: document.version,
        data_sha256: document.data.to_string(),
        content_sha256: document.content.to_string(),
        size_bytes: document.size,
        created_by: document.created_by.clone(),
        create_time: Some(to_timestamp(document.create_time)),
        update_time: Some(to_timestamp(document.create_time)),
        etag: etag::of(FIRST_REVISION),
    }
}

#[tonic::async_trait]
impl DocumentService for Documents {
    type DownloadDocumentStream = BoxStream<'static, Result<DownloadDocumentResponse, Status>>;

    async fn generate_document(
        &self,
        request: Request<GenerateDocumentRequest>,
    ) -> Result<Response<wire::Document>, Status> {
        Ok(Response::new(self.generate(request).await?))
    }

    async fn get_document(
        &self,
        request: Request<GetDocumentRequest>,
    ) -> Result<Response<wire::Document>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_documents(
        &self,
        request: Request<ListDocumentsRequest>,
    ) -> Result<Response<ListDocumentsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn download_document(
        &self,
        request: Request<DownloadDocumentRequest>,
    ) -> Result<Response<Self::DownloadDocumentStream>, Status> {
        Ok(Response::new(self.download(request).await?))
    }
}
