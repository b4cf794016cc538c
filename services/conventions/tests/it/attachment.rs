//! Attachments: taken in, read, listed, given back, withdrawn.

use std::path::Path;

use futures_util::{future::join_all, stream};
use nonrecours_contracts::conventions::{
    Attachment, AttachmentKind, AttachmentOpening, AttachmentState, DownloadAttachmentRequest,
    GetAttachmentRequest, ListActsRequest, ListAttachmentsRequest, Party, UploadAttachmentRequest,
    WithdrawAttachmentRequest, download_attachment_response, upload_attachment_request::Message,
};
use nonrecours_kernel::{ConventionName, Digest};
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::{
    requests::{NIR, pairs, precondition, reason, violations},
    world::World,
};

/// Bytes of one chunk of an upload.
const CHUNK: usize = 64 * 1024;

/// A PDF of so many bytes, as far as anybody looks.
pub fn pdf(length: usize) -> Vec<u8> {
    let body = (0..length).map(|at| (at % 251) as u8);
    b"%PDF-1.7\n"
        .iter()
        .copied()
        .chain(body)
        .take(length)
        .collect()
}

/// The opening of an upload of these bytes, about the convention as a whole.
pub fn opening(convention: &str, bytes: &[u8]) -> AttachmentOpening {
    AttachmentOpening {
        parent: convention.to_owned(),
        subject: String::new(),
        kind: AttachmentKind::Evidence.into(),
        file_name: "Feuilles d'émargement.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        size_bytes: bytes.len() as i64,
        sha256: String::new(),
        request_id: request_id(),
    }
}

/// A message of an upload.
pub fn said(message: Message) -> UploadAttachmentRequest {
    UploadAttachmentRequest {
        message: Some(message),
    }
}

/// An upload cut into chunks.
pub fn messages(opening: AttachmentOpening, bytes: &[u8]) -> Vec<UploadAttachmentRequest> {
    let chunks = bytes
        .chunks(CHUNK)
        .map(|it| said(Message::Chunk(it.to_vec())));
    std::iter::once(said(Message::Opening(opening)))
        .chain(chunks)
        .collect()
}

pub async fn send(
    world: &World,
    token: String,
    messages: Vec<UploadAttachmentRequest>,
) -> Result<Attachment, Status> {
    let mut client = world.attachments(token);
    Ok(client
        .upload_attachment(stream::iter(messages))
        .await?
        .into_inner())
}

/// Uploads as the manager of the operator that the convention is of.
pub async fn upload(
    world: &World,
    opening: AttachmentOpening,
    bytes: &[u8],
) -> Result<Attachment, Status> {
    let parent: ConventionName = opening.parent.parse().unwrap();
    let token = world.tokens.manager(parent.operator);
    send(world, token, messages(opening, bytes)).await
}

pub async fn list(world: &World, convention: &str, subject: &str) -> Vec<Attachment> {
    let request = ListAttachmentsRequest {
        parent: convention.to_owned(),
        subject: subject.to_owned(),
        ..ListAttachmentsRequest::default()
    };
    let mut client = world.attachments(world.tokens.auditor());
    let page = client.list_attachments(request).await.unwrap();
    page.into_inner().attachments
}

pub async fn download(world: &World, name: &str) -> Result<(Attachment, Vec<u8>), Status> {
    use download_attachment_response::Message;
    let mut client = world.attachments(world.tokens.auditor());
    let request = DownloadAttachmentRequest {
        name: name.to_owned(),
    };
    let mut answers = client.download_attachment(request).await?.into_inner();
    let Some(Message::Attachment(attachment)) = answers.message().await?.unwrap().message else {
        panic!("the attachment comes first");
    };
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await? {
        let Some(Message::Chunk(chunk)) = answer.message else {
            panic!("then chunks");
        };
        assert!((1..=CHUNK).contains(&chunk.len()));
        bytes.extend(chunk);
    }
    Ok((attachment, bytes))
}

pub fn withdraw(name: &str) -> WithdrawAttachmentRequest {
    WithdrawAttachmentRequest {
        name: name.to_owned(),
        reason: "Déposée sous la mauvaise convention.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

/// The name of an act of a convention.
pub async fn an_act(world: &World, convention: &str) -> String {
    let request = ListActsRequest {
        parent: convention.to_owned(),
        ..ListActsRequest::default()
    };
    let mut client = world.acts(world.tokens.officer());
    let acts = client.list_acts(request).await.unwrap().into_inner().acts;
    acts.first().unwrap().name.clone()
}

/// How many files the service keeps, the empty one of its start left out.
pub fn kept(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        files += if path.is_dir() {
            kept(&path)
        } else {
            usize::from(path.metadata().unwrap().len() > 0)
        };
    }
    files
}

/// Where the service keeps these bytes.
pub fn file(world: &World, sha256: &str) -> std::path::PathBuf {
    world.files.path().join(&sha256[..2]).join(sha256)
}

#[tokio::test]
async fn a_file_is_taken_in_read_listed_and_given_back() {
    let mut world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await.name;
    let bytes = pdf(200_000);
    let request = AttachmentOpening {
        kind: AttachmentKind::ScanOfOriginal.into(),
        file_name: "C:\\Scans\\Convention signée.PDF".to_owned(),
        ..opening(&draft, &bytes)
    };
    let taken = upload(&world, request.clone(), &bytes).await.unwrap();
    assert_eq!(taken.subject, draft);
    assert_eq!(taken.kind(), AttachmentKind::ScanOfOriginal);
    assert_eq!(taken.file_name, "Convention signée.PDF");
    assert_eq!(taken.media_type, "application/pdf");
    assert_eq!(taken.size_bytes, 200_000);
    assert_eq!(taken.sha256, Digest::of(&bytes).to_string());
    assert_eq!(taken.party(), Party::Operator);
    assert!(!taken.uploaded_by.is_empty());
    assert_eq!(taken.state(), AttachmentState::Active);

    // The same request again, the bytes included, is done once; the digest said or not is the same request.
    let again = AttachmentOpening {
        sha256: taken.sha256.to_uppercase(),
        ..request.clone()
    };
    for again in [request.clone(), again] {
        assert_eq!(upload(&world, again, &bytes).await.unwrap(), taken);
    }
    let other = pdf(200_001);
    let reused = AttachmentOpening {
        size_bytes: 200_001,
        ..request
    };
    assert_eq!(
        reason(upload(&world, reused, &other).await),
        "REQUEST_ID_REUSED"
    );

    world.restart().await;
    let get = GetAttachmentRequest {
        name: taken.name.clone(),
    };
    let mut client = world.attachments(world.tokens.agent(setting.operator));
    let got = client.get_attachment(get).await.unwrap().into_inner();
    assert_eq!(got, taken);
    let (attachment, given) = download(&world, &taken.name).await.unwrap();
    assert_eq!(attachment, taken);
    assert!(given == bytes);
    assert_eq!(list(&world, &draft, "").await, std::slice::from_ref(&taken));
    let changes = world.changes_until("attachment.added", &taken.name).await;
    let last: Attachment = changes
        .last()
        .unwrap()
        .snapshot
        .as_ref()
        .unwrap()
        .to_msg()
        .unwrap();
    assert_eq!(last, taken);
}

#[tokio::test]
async fn attachments_are_listed_by_what_they_are_about() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let act = an_act(&world, &convention).await;
    let report = world.submitted(&convention).await.name;
    let subjects = [convention.clone(), act, report];
    let mut names = Vec::new();
    for (subject, media_type, bytes) in [
        (&subjects[0], "application/pdf", pdf(10)),
        (&subjects[1], "image/png", b"\x89PNG\r\n\x1a\n".to_vec()),
        (&subjects[2], "image/tiff", b"II*\0".to_vec()),
        (&subjects[2], "image/jpeg", b"\xFF\xD8\xFF".to_vec()),
    ] {
        let opening = AttachmentOpening {
            subject: subject.clone(),
            media_type: media_type.to_owned(),
            ..opening(&convention, &bytes)
        };
        // The authority brings files as well as the operator.
        let taken = send(&world, world.tokens.officer(), messages(opening, &bytes));
        let taken = taken.await.unwrap();
        assert_eq!(taken.party(), Party::Authority);
        assert_eq!(taken.subject, *subject);
        names.push(taken.name);
    }
    let of = async |subject: &str| {
        let found = list(&world, &convention, subject).await.into_iter();
        found.map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(of("").await, names);
    assert_eq!(of(&subjects[0]).await, names[..1]);
    assert_eq!(of(&subjects[1]).await, names[1..2]);
    assert_eq!(of(&subjects[2]).await, names[2..]);

    let mut client = world.attachments(world.tokens.accountant());
    let mut request = ListAttachmentsRequest {
        parent: convention.clone(),
        page_size: 3,
        ..ListAttachmentsRequest::default()
    };
    let first = client.list_attachments(request.clone()).await.unwrap();
    let first = first.into_inner();
    assert_eq!(first.attachments.len(), 3);
    request.page_token = first.next_page_token;
    let second = client.list_attachments(request.clone()).await.unwrap();
    assert_eq!(second.into_inner().attachments[0].name, names[3]);
    request.subject = subjects[1].clone();
    assert_eq!(
        reason(client.list_attachments(request.clone()).await),
        "PAGE_TOKEN_INVALID"
    );
    request.subject = convention.replace(&convention[convention.len() - 4..], "0000");
    assert_eq!(
        violations(client.list_attachments(request).await),
        pairs(&[("subject", "SUBJECT_ELSEWHERE")])
    );
}

#[tokio::test]
async fn the_same_bytes_under_one_subject_are_one_attachment() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let bytes = pdf(100_000);
    // At once, each by a request of its own.
    let uploads = (0..4).map(|_| upload(&world, opening(&convention, &bytes), &bytes));
    let taken = join_all(uploads).await;
    let first = taken[0].as_ref().unwrap();
    for taken in &taken {
        assert_eq!(taken.as_ref().unwrap(), first);
    }
    // Under another name: still the same.
    let renamed = AttachmentOpening {
        file_name: "copie.pdf".to_owned(),
        ..opening(&convention, &bytes)
    };
    assert_eq!(
        upload(&world, renamed.clone(), &bytes).await.unwrap(),
        *first
    );
    assert_eq!(upload(&world, renamed, &bytes).await.unwrap(), *first);
    assert_eq!(list(&world, &convention, "").await.len(), 1);
    // About something else: another attachment of the same file.
    let act = an_act(&world, &convention).await;
    let about = AttachmentOpening {
        subject: act,
        ..opening(&convention, &bytes)
    };
    let other = upload(&world, about, &bytes).await.unwrap();
    assert_ne!(other.name, first.name);
    assert_eq!(kept(world.files.path()), 1);
}

#[tokio::test]
async fn an_attachment_is_withdrawn_and_stays_readable() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let bytes = pdf(1000);
    let taken = upload(&world, opening(&convention, &bytes), &bytes).await;
    let name = taken.unwrap().name;
    let mut manager = world.attachments(world.tokens.manager(setting.operator));

    let blank = WithdrawAttachmentRequest {
        reason: " ".to_owned(),
        request_id: "x".to_owned(),
        ..withdraw(&name)
    };
    assert_eq!(
        violations(manager.withdraw_attachment(blank).await),
        pairs(&[("request_id", "UUID_INVALID"), ("reason", "REQUIRED")])
    );
    let person = WithdrawAttachmentRequest {
        reason: format!("Nomme une personne : {NIR}"),
        ..withdraw(&name)
    };
    assert_eq!(
        violations(manager.withdraw_attachment(person).await),
        pairs(&[("reason", "NIR_FORBIDDEN")])
    );
    let stale = WithdrawAttachmentRequest {
        etag: "7".to_owned(),
        ..withdraw(&name)
    };
    assert_eq!(
        reason(manager.withdraw_attachment(stale).await),
        "ETAG_MISMATCH"
    );
    let mut agent = world.attachments(world.tokens.agent(setting.operator));
    assert_eq!(
        reason(agent.withdraw_attachment(withdraw(&name)).await),
        "ROLE_MISSING"
    );
    let unknown = format!("{convention}/attachments/{}", request_id());
    assert_eq!(
        reason(manager.withdraw_attachment(withdraw(&unknown)).await),
        "NOT_FOUND"
    );

    let request = withdraw(&name);
    let withdrawn = manager.withdraw_attachment(request.clone()).await.unwrap();
    let withdrawn = withdrawn.into_inner();
    assert_eq!(withdrawn.state(), AttachmentState::Withdrawn);
    assert_eq!(withdrawn.withdraw_reason, request.reason);
    assert!(withdrawn.withdraw_time.is_some() && !withdrawn.withdrawn_by.is_empty());
    let again = manager.withdraw_attachment(request.clone()).await.unwrap();
    assert_eq!(again.into_inner(), withdrawn);
    assert_eq!(
        precondition(manager.withdraw_attachment(withdraw(&name)).await),
        "ATTACHMENT_WITHDRAWN"
    );
    let changes = world.changes_until("attachment.withdrawn", &name).await;
    assert_eq!(changes.last().unwrap().label_fr, "pièce retirée");
    assert_eq!(changes.last().unwrap().why, request.reason);

    // The record and the bytes are there; the same file brought again is another attachment.
    let (attachment, given) = download(&world, &name).await.unwrap();
    assert_eq!(attachment, withdrawn);
    assert!(given == bytes);
    let back = upload(&world, opening(&convention, &bytes), &bytes).await;
    let back = back.unwrap();
    assert_ne!(back.name, name);
    assert_eq!(list(&world, &convention, "").await, [withdrawn, back]);
}

#[tokio::test]
async fn an_operator_withdraws_its_own_and_the_programme_any() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let (theirs, ours) = (pdf(100), pdf(101));
    let theirs = upload(&world, opening(&convention, &theirs), &theirs).await;
    let messages = messages(opening(&convention, &ours), &ours);
    let ours = send(&world, world.tokens.officer(), messages).await;
    let mut manager = world.attachments(world.tokens.manager(setting.operator));
    let ours = ours.unwrap().name;
    let refused = manager.withdraw_attachment(withdraw(&ours)).await;
    assert_eq!(reason(refused), "PARTY_NOT_YOURS");
    let mut officer = world.attachments(world.tokens.officer());
    for name in [ours, theirs.unwrap().name] {
        let withdrawn = officer.withdraw_attachment(withdraw(&name)).await;
        let state = withdrawn.unwrap().into_inner().state();
        assert_eq!(state, AttachmentState::Withdrawn);
    }
}
