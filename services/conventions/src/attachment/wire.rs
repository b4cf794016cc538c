//! Attachments to and from the contract.

use nonrecours_contracts::conventions::{
    self as wire, AttachmentKind, AttachmentOpening, AttachmentState, UploadAttachmentRequest,
    upload_attachment_request::Message,
};
use nonrecours_kernel::{ConventionName, Digest, Invalid};
use nonrecours_rpc::{Check, Failure, convert::to_timestamp, etag};

use super::{
    domain::{Announced, Attachment, Kind, State},
    file_name::FileName,
    media::MediaType,
    subject::Subject,
};
use crate::{convention::wire::to_party, text::required};

/// What an opening announces, with every fault of it.
pub fn announced(
    opening: &AttachmentOpening,
    parent: &ConventionName,
) -> Result<Announced, Failure> {
    let mut check = Check::of(&UploadAttachmentRequest {
        message: Some(Message::Opening(opening.clone())),
    });
    let subject = check.take("opening.subject", Subject::read(&opening.subject, parent));
    let kind = check.take("opening.kind", kind(opening.kind()));
    let file_name = check.take("opening.file_name", FileName::clean(&opening.file_name));
    let media_type = check.parse::<MediaType>("opening.media_type", &opening.media_type);
    let digest = (!opening.sha256.is_empty())
        .then(|| check.parse::<Digest>("opening.sha256", &opening.sha256));
    // The contract's rule keeps it between 1 and the largest size.
    let size = usize::try_from(opening.size_bytes).ok();
    check.finish(|| {
        Some(Announced {
            subject: subject?,
            kind: kind?,
            file_name: file_name?,
            media_type: media_type?,
            size: size?,
            digest: digest.flatten(),
        })
    })
}

/// Another digest than announced came: `CONTENT_DIGEST_MISMATCH`.
pub fn another_digest() -> Invalid {
    Invalid::new(
        "CONTENT_DIGEST_MISMATCH",
        "the bytes have another SHA-256 digest than announced",
        "Le fichier reçu n'a pas l'empreinte SHA-256 annoncée : il a été altéré en chemin, déposez-le à nouveau.",
    )
}

/// An attachment as the contract shows it.
pub fn message(attachment: &Attachment) -> wire::Attachment {
    let (state, withdrawn) = match &attachment.state {
        State::Active => (AttachmentState::Active, None),
        State::Withdrawn { time, by, reason } => {
            (AttachmentState::Withdrawn, Some((time, by, reason)))
        }
    };
    wire::Attachment {
        name: attachment.name.to_string(),
        subject: attachment.subject.to_string(),
        kind: to_kind(attachment.kind).into(),
        file_name: attachment.file_name.clone(),
        media_type: attachment.media_type.as_str().to_owned(),
        size_bytes: attachment.size,
        sha256: attachment.digest.to_string(),
        party: to_party(attachment.party).into(),
        uploaded_by: attachment.uploaded_by.clone(),
        state: state.into(),
        withdraw_time: withdrawn.map(|(time, ..)| to_timestamp(*time)),
        withdrawn_by: withdrawn.map_or_else(String::new, |(_, by, _)| by.clone()),
        withdraw_reason: withdrawn.map_or_else(String::new, |(.., reason)| reason.clone()),
        create_time: Some(to_timestamp(attachment.create_time)),
        update_time: Some(to_timestamp(attachment.update_time)),
        etag: etag::of(attachment.revision),
    }
}

fn kind(kind: AttachmentKind) -> Result<Kind, Invalid> {
    match kind {
        AttachmentKind::Unspecified => Err(required()),
        AttachmentKind::Evidence => Ok(Kind::Evidence),
        AttachmentKind::ScanOfOriginal => Ok(Kind::ScanOfOriginal),
        AttachmentKind::Act => Ok(Kind::Act),
        AttachmentKind::LetterReceipt => Ok(Kind::LetterReceipt),
        AttachmentKind::Other => Ok(Kind::Other),
    }
}

const fn to_kind(kind: Kind) -> AttachmentKind {
    match kind {
        Kind::Evidence => AttachmentKind::Evidence,
        Kind::ScanOfOriginal => AttachmentKind::ScanOfOriginal,
        Kind::Act => AttachmentKind::Act,
        Kind::LetterReceipt => AttachmentKind::LetterReceipt,
        Kind::Other => AttachmentKind::Other,
    }
}
