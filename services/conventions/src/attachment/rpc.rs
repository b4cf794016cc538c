//! Attachments over gRPC.

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use nonrecours_contracts::conventions::{
    self as wire, AttachmentOpening, DownloadAttachmentRequest, DownloadAttachmentResponse,
    GetAttachmentRequest, ListAttachmentsRequest, ListAttachmentsResponse, UploadAttachmentRequest,
    WithdrawAttachmentRequest,
    attachment_service_server::{AttachmentService, AttachmentServiceServer},
    download_attachment_response,
};
use nonrecours_files::Files;
use nonrecours_kernel::{AttachmentName, Caller, ConventionName, Digest, IdSource, Scope};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    domain::{Announced, Attachment, MAX_ATTACHMENTS, State},
    media::{MediaType, mismatch, unrecognised},
    store,
    subject::Subject,
    upload::{MAX_MESSAGE, Memory, Upload},
    wire::{announced, another_digest, message},
};
use crate::{
    convention::{self, party::Party},
    error::Error,
    refusal::Refusal,
    text::text,
};

/// The attachment service.
pub struct Attachments {
    db: Db,
    ids: IdSource,
    files: Files,
    memory: Memory,
    shutdown: CancellationToken,
}

impl Attachments {
    /// Over the service's database and its store of files. When `shutdown` begins, uploads that have not all come end.
    pub fn server(
        db: Db,
        ids: IdSource,
        files: Files,
        shutdown: CancellationToken,
    ) -> AttachmentServiceServer<Self> {
        AttachmentServiceServer::new(Self {
            db,
            ids,
            files,
            memory: Memory::default(),
            shutdown,
        })
        .max_decoding_message_size(MAX_MESSAGE)
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadAttachmentRequest>>,
    ) -> Result<wire::Attachment, Status> {
        let (caller, inbound) = open(request)?;
        let mut upload = Upload::new(inbound, self.memory.clone(), self.shutdown.clone());
        let opening = upload.opening().await?;
        let parent: ConventionName = field("opening.parent", &opening.parent)?;
        let scope = caller.reach(parent.operator).map_err(Error::from)?;
        let announced = announced(&opening, &parent)?;
        self.check_subject(&scope, &announced.subject).await?;
        let content = upload.content(announced.size).await?;
        check_content(&announced, &content.bytes)?;
        // First the bytes, then the record: what is recorded is there. No transaction is open meanwhile.
        let digest = self.files.put(content.bytes).await.map_err(Error::from)?;
        // The request is its opening and the bytes: with another content the same id is refused.
        let opening = AttachmentOpening {
            sha256: digest.to_string(),
            ..opening
        };
        Ok(self
            .keep(&caller, &scope, announced, &opening, digest)
            .await?)
    }

    /// Refuses at once what would be refused once all has come.
    async fn check_subject(&self, scope: &Scope, subject: &Subject) -> Result<(), Error> {
        let mut tx = self.db.read(scope).await?;
        convention::store::get(&mut tx, &subject.convention()).await?;
        store::check_subject(&mut tx, subject).await
    }

    async fn keep(
        &self,
        caller: &Caller,
        scope: &Scope,
        announced: Announced,
        opening: &AttachmentOpening,
        digest: Digest,
    ) -> Result<wire::Attachment, Error> {
        let parent = announced.subject.convention();
        let mut tx = self.db.begin(scope).await?;
        convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(opening).await? {
            return Ok(earlier);
        }
        store::check_subject(&mut tx, &announced.subject).await?;
        if let Some(same) = store::same(&mut tx, &announced.subject, &digest).await? {
            return Ok(tx.answer(opening, message(&same)).await?);
        }
        if store::count(&mut tx, &parent).await? >= MAX_ATTACHMENTS {
            return Err(Refusal::TooManyAttachments.into());
        }
        let now = tx.now();
        let attachment = Attachment {
            name: AttachmentName {
                operator: parent.operator,
                convention: parent.convention,
                attachment: self.ids.next(),
            },
            subject: announced.subject,
            kind: announced.kind,
            file_name: announced.file_name.of_type(announced.media_type),
            media_type: announced.media_type,
            size: i64::try_from(announced.size).unwrap_or(i64::MAX),
            digest,
            party: side(caller),
            uploaded_by: caller.subject.clone(),
            state: State::Active,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &attachment).await?;
        let name = attachment.name.to_string();
        let change = change("attachment.added", &attachment, &name);
        Ok(tx.finish(opening, change, message(&attachment)).await?)
    }

    async fn get(&self, request: Request<GetAttachmentRequest>) -> Result<wire::Attachment, Error> {
        let (caller, request) = open(request)?;
        let name: AttachmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListAttachmentsRequest>,
    ) -> Result<ListAttachmentsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let subject = (!request.subject.is_empty())
            .then(|| check.take("subject", Subject::read(&request.subject, &parent)))
            .flatten();
        check.finish(|| Some(()))?;
        let page = Page::read(
            &["ListAttachments", &request.parent, &request.subject],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let after = page.after::<Uuid>()?;
        let rows = store::list(&mut tx, &parent, subject.as_ref(), after, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.attachment.to_string());
        Ok(ListAttachmentsResponse {
            attachments: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn download(
        &self,
        request: Request<DownloadAttachmentRequest>,
    ) -> Result<BoxStream<'static, Result<DownloadAttachmentResponse, Status>>, Error> {
        use download_attachment_response::Message;
        let (caller, request) = open(request)?;
        let name: AttachmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        // The transaction ends here: the store is asked without one.
        let attachment = {
            let mut tx = self.db.read(&scope).await?;
            store::get(&mut tx, &name).await?
        };
        let reader = self.files.read(&attachment.digest).await?;
        let answer = |message| DownloadAttachmentResponse {
            message: Some(message),
        };
        let first = answer(Message::Attachment(message(&attachment)));
        let chunks = stream::try_unfold(reader, move |mut reader| async move {
            let chunk = reader.next().await.map_err(Error::from)?;
            Ok(chunk.map(|chunk| (answer(Message::Chunk(chunk.into())), reader)))
        });
        Ok(stream::iter([Ok(first)]).chain(chunks).boxed())
    }

    async fn withdraw(
        &self,
        request: Request<WithdrawAttachmentRequest>,
    ) -> Result<wire::Attachment, Error> {
        let (caller, request) = open(request)?;
        let name: AttachmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", text(&request.reason));
        let reason = check.finish(|| reason)?;
        let mut tx = self.db.begin(&scope).await?;
        let attachment = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, attachment.revision)?;
        attachment.withdrawn_for(side(&caller))?;
        tx.because(&reason);
        let attachment = attachment.withdraw(reason, &caller.subject, tx.now())?;
        if store::is_cited(&mut tx, &name).await? {
            return Err(Refusal::AttachmentCited.into());
        }
        store::update(&mut tx, &attachment).await?;
        let name = attachment.name.to_string();
        let change = change("attachment.withdrawn", &attachment, &name);
        Ok(tx.finish(&request, change, message(&attachment)).await?)
    }
}

/// The party a caller works for.
const fn side(caller: &Caller) -> Party {
    match caller.operator {
        Some(_) => Party::Operator,
        None => Party::Authority,
    }
}

fn change<'a>(kind: &'static str, attachment: &Attachment, name: &'a str) -> Change<'a> {
    Change {
        kind,
        operator: Some(attachment.name.operator),
        name,
        revision: attachment.revision,
    }
}

/// Compares what came with what was announced.
fn check_content(announced: &Announced, bytes: &[u8]) -> Result<(), Failure> {
    let mut check = Check::default();
    match MediaType::of(bytes) {
        None => check.refuse("chunk", unrecognised()),
        Some(found) if found != announced.media_type => {
            check.refuse("opening.media_type", mismatch(found));
        }
        Some(_) => {}
    }
    if announced
        .digest
        .is_some_and(|digest| digest != Digest::of(bytes))
    {
        check.refuse("opening.sha256", another_digest());
    }
    check.finish(|| Some(()))
}

#[tonic::async_trait]
impl AttachmentService for Attachments {
    type DownloadAttachmentStream = BoxStream<'static, Result<DownloadAttachmentResponse, Status>>;

    async fn upload_attachment(
        &self,
        request: Request<Streaming<UploadAttachmentRequest>>,
    ) -> Result<Response<wire::Attachment>, Status> {
        Ok(Response::new(self.upload(request).await?))
    }

    async fn get_attachment(
        &self,
        request: Request<GetAttachmentRequest>,
    ) -> Result<Response<wire::Attachment>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_attachments(
        &self,
        request: Request<ListAttachmentsRequest>,
    ) -> Result<Response<ListAttachmentsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn download_attachment(
        &self,
        request: Request<DownloadAttachmentRequest>,
    ) -> Result<Response<Self::DownloadAttachmentStream>, Status> {
        Ok(Response::new(self.download(request).await?))
    }

    async fn withdraw_attachment(
        &self,
        request: Request<WithdrawAttachmentRequest>,
    ) -> Result<Response<wire::Attachment>, Status> {
        Ok(Response::new(self.withdraw(request).await?))
    }
}
