//! Documents, written by the suite and fetched.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use clap::ValueEnum;
use nonrecours_contracts::conventions::{
    Document, DocumentKind, DownloadDocumentRequest, GenerateDocumentRequest,
    download_document_response as answer,
};
use nonrecours_kernel::{Digest, IdSource, SystemClock, id};

use crate::{
    ask::{client, in_french},
    attachments::convention_of,
    client::answered,
    state::State,
};

/// Kind of a document.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// The convention.
    Convention,
    /// The sums paid under a convention, as of today.
    Statement,
    /// The letter of a formal notice.
    Notice,
    /// The letter of a decision.
    Decision,
    /// An activity report.
    Report,
    /// An amendment.
    Amendment,
}

impl From<Kind> for DocumentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Convention => Self::Convention,
            Kind::Statement => Self::StatementOfPayments,
            Kind::Notice => Self::FormalNotice,
            Kind::Decision => Self::Decision,
            Kind::Report => Self::ActivityReport,
            Kind::Amendment => Self::Amendment,
        }
    }
}

/// Writes a document about a convention, or something under it, into a file. Prints its version and its digest.
pub async fn write(
    state: &State,
    subject: &str,
    kind: Kind,
    out: &Path,
) -> anyhow::Result<Document> {
    let documents = client(state)?.documents();
    let request = GenerateDocumentRequest {
        parent: convention_of(subject)?.to_string(),
        kind: DocumentKind::from(kind).into(),
        subject: subject.to_owned(),
        request_id: IdSource::new(Arc::new(SystemClock))
            .next::<id::Document>()
            .to_string(),
    };
    let document = answered(|| {
        let (mut documents, request) = (documents.clone(), request.clone());
        async move { documents.generate_document(request).await }
    })
    .await
    .map_err(in_french)?;
    let request = DownloadDocumentRequest {
        name: document.name.clone(),
    };
    let answers = documents.clone().download_document(request).await;
    let mut answers = answers.map_err(in_french)?.into_inner();
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await.map_err(in_french)? {
        if let Some(answer::Message::Chunk(chunk)) = answer.message {
            bytes.extend(chunk);
        }
    }
    let digest = Digest::of(&bytes).to_string();
    anyhow::ensure!(
        digest == document.content_sha256,
        "les octets reçus ne sont pas ceux du document"
    );
    let shown = out.display();
    std::fs::write(out, &bytes).with_context(|| shown.to_string())?;
    println!(
        "{}\n{shown} : version {}, {digest}",
        document.name, document.version
    );
    Ok(document)
}
