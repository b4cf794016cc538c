//! Files under a convention: brought, listed, fetched.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::ValueEnum;
use nonrecours_contracts::conventions::{
    Attachment, AttachmentKind, AttachmentOpening, AttachmentState, DownloadAttachmentRequest,
    ListAttachmentsRequest, UploadAttachmentRequest, download_attachment_response as answer,
    upload_attachment_request::Message,
};
use nonrecours_kernel::{ConventionName, Digest, IdSource, SystemClock, id};
use tokio::io::AsyncWriteExt as _;

use crate::{
    ask::{client, in_french},
    client::answered,
    print,
    state::State,
};

/// Bytes of a chunk: the most that the contract takes.
const CHUNK: usize = 64 * 1024;
/// Largest file that is read, in bytes: the most that the contract takes.
const MAX_SIZE: u64 = 20 * 1024 * 1024;
/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;
/// Segments of the name of a convention.
const CONVENTION_SEGMENTS: usize = 4;

/// What a file is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Shows that something was done.
    Evidence,
    /// A signed original.
    Scan,
    /// A decision of an assembly.
    Act,
    /// The receipt of a registered letter.
    Receipt,
    /// Anything else.
    Other,
}

impl From<Kind> for AttachmentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Evidence => Self::Evidence,
            Kind::Scan => Self::ScanOfOriginal,
            Kind::Act => Self::Act,
            Kind::Receipt => Self::LetterReceipt,
            Kind::Other => Self::Other,
        }
    }
}

/// Brings a file: `to` a convention, or something under it. Prints the name of the attachment.
pub async fn attach(state: &State, file: &Path, to: &str, kind: Kind) -> anyhow::Result<()> {
    println!("{}", upload(state, file, to, kind).await?.name);
    Ok(())
}

/// Brings a file.
pub async fn upload(
    state: &State,
    file: &Path,
    to: &str,
    kind: Kind,
) -> anyhow::Result<Attachment> {
    let shown = file.display();
    let size = std::fs::metadata(file)
        .with_context(|| shown.to_string())?
        .len();
    anyhow::ensure!(size <= MAX_SIZE, "{shown} : plus de 20 Mio");
    let bytes = std::fs::read(file).with_context(|| shown.to_string())?;
    let opening = AttachmentOpening {
        parent: convention_of(to)?.to_string(),
        subject: to.to_owned(),
        kind: AttachmentKind::from(kind).into(),
        file_name: file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        media_type: media_type(file)
            .with_context(|| {
                format!("{shown} : ni PDF, ni image, ni document ODT, ODS, DOCX, XLSX")
            })?
            .to_owned(),
        size_bytes: i64::try_from(bytes.len())?,
        sha256: Digest::of(&bytes).to_string(),
        request_id: IdSource::new(Arc::new(SystemClock))
            .next::<id::Attachment>()
            .to_string(),
    };
    let chunks = bytes.chunks(CHUNK).map(|it| Message::Chunk(it.to_vec()));
    let messages: Vec<UploadAttachmentRequest> = std::iter::once(Message::Opening(opening))
        .chain(chunks)
        .map(|message| UploadAttachmentRequest {
            message: Some(message),
        })
        .collect();
    let attachments = client(state)?.attachments();
    answered(|| {
        let (mut attachments, messages) = (attachments.clone(), messages.clone());
        async move {
            attachments
                .upload_attachment(tokio_stream::iter(messages))
                .await
        }
    })
    .await
    .map_err(in_french)
}

/// Prints the attachments of a convention, or of something under it.
pub async fn list(state: &State, of: &str) -> anyhow::Result<()> {
    let attachments = client(state)?.attachments();
    let convention = convention_of(of)?.to_string();
    let subject = if of == convention { "" } else { of };
    let mut table = print::table(&["pièce", "fichier", "taille", "au sujet de", "état"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListAttachmentsRequest {
            parent: convention.clone(),
            subject: subject.to_owned(),
            page_token,
            ..ListAttachmentsRequest::default()
        };
        let page = answered(|| {
            let (mut attachments, request) = (attachments.clone(), request.clone());
            async move { attachments.list_attachments(request).await }
        })
        .await
        .map_err(in_french)?;
        for attachment in &page.attachments {
            table.add_row([
                attachment.name.clone(),
                attachment.file_name.clone(),
                format!("{} Kio", attachment.size_bytes.div_euclid(1024) + 1),
                about(attachment, &convention),
                match attachment.state() {
                    AttachmentState::Active => "déposée".to_owned(),
                    AttachmentState::Withdrawn => {
                        format!("retirée : {}", attachment.withdraw_reason)
                    }
                    AttachmentState::Unspecified => String::new(),
                },
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    print::align_right(&mut table, 2);
    println!("{table}");
    Ok(())
}

/// Fetches an attachment into a file of that name, or of its own in this folder. Overwrites nothing: a file is there once
/// it is whole.
pub async fn fetch(state: &State, name: &str, out: Option<&Path>) -> anyhow::Result<PathBuf> {
    let mut attachments = client(state)?.attachments();
    let request = DownloadAttachmentRequest {
        name: name.to_owned(),
    };
    let answers = attachments.download_attachment(request).await;
    let mut answers = answers.map_err(in_french)?.into_inner();
    let first = answers.message().await.map_err(in_french)?;
    let Some(answer::Message::Attachment(attachment)) = first.and_then(|it| it.message) else {
        anyhow::bail!("the attachment does not come first");
    };
    let path = out.map_or_else(|| PathBuf::from(&attachment.file_name), Path::to_owned);
    let shown = path.display().to_string();
    anyhow::ensure!(!path.exists(), "{shown} existe déjà");
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let part = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .with_context(|| shown.clone())?;
    let mut file = tokio::fs::File::from_std(part.reopen()?);
    while let Some(answer) = answers.message().await.map_err(in_french)? {
        if let Some(answer::Message::Chunk(chunk)) = answer.message {
            file.write_all(&chunk).await?;
        }
    }
    file.sync_all().await?;
    part.persist_noclobber(&path)
        .with_context(|| shown.clone())?;
    println!("{shown} : {} octets", attachment.size_bytes);
    Ok(path)
}

/// What an attachment is about, without the name of its convention.
fn about(attachment: &Attachment, convention: &str) -> String {
    attachment
        .subject
        .strip_prefix(convention)
        .map(|below| below.trim_start_matches('/'))
        .filter(|below| !below.is_empty())
        .unwrap_or("la convention")
        .to_owned()
}

/// The convention of a name that is its own, or of something under it.
pub(crate) fn convention_of(name: &str) -> anyhow::Result<ConventionName> {
    let segments: Vec<&str> = name.split('/').take(CONVENTION_SEGMENTS).collect();
    Ok(segments.join("/").parse()?)
}

/// The media type that the ending of a file's name says; the service looks at the bytes.
fn media_type(file: &Path) -> Option<&'static str> {
    let ending = file.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "tif" | "tiff" => "image/tiff",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => return None,
    })
}
