//! Documents: written once from the same data, kept, and read back as they were written.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use nonrecours_contracts::conventions::{
    Convention, Document, DocumentKind, DownloadDocumentRequest, GenerateDocumentRequest,
    GetDocumentRequest, ListDocumentsRequest, Party, UpdateConventionRequest,
    download_document_response::Message,
};
use nonrecours_kernel::Digest;
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::{
    ending::notice,
    requests::{pairs, precondition, reason, refused, violations},
    world::World,
};

/// Largest chunk of a download.
const CHUNK: usize = 64 * 1024;

/// The typesetting program, where the build left it: beside the folder of this test.
pub fn typeset() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = folder.join("nonrecours-typeset");
    assert!(
        program.exists(),
        "{} is missing: `cargo build -p nonrecours-typeset` makes it (script/test does)",
        program.display()
    );
    program
}

/// A program in the place of the typesetting one: these lines of shell.
fn script(folder: &tempfile::TempDir, lines: &str) -> PathBuf {
    let path = folder.path().join("program");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A named pipe: who reads it waits for who writes it.
fn fifo(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

pub fn generate(parent: &str, kind: DocumentKind, subject: &str) -> GenerateDocumentRequest {
    GenerateDocumentRequest {
        parent: parent.to_owned(),
        kind: kind.into(),
        subject: subject.to_owned(),
        request_id: request_id(),
    }
}

/// As the programme officer.
pub async fn written(world: &World, request: GenerateDocumentRequest) -> Document {
    let mut officer = world.documents(world.tokens.officer());
    let written = officer.generate_document(request).await;
    written.unwrap().into_inner()
}

/// What a download gives: the document, and its bytes.
pub async fn downloaded(
    world: &World,
    token: String,
    name: &str,
) -> Result<(Document, Vec<u8>), Status> {
    let request = DownloadDocumentRequest {
        name: name.to_owned(),
    };
    let mut stream = world
        .documents(token)
        .download_document(request)
        .await?
        .into_inner();
    let first = stream.message().await?.and_then(|first| first.message);
    let Some(Message::Document(document)) = first else {
        panic!("the document comes first: {first:?}");
    };
    let mut bytes = Vec::new();
    while let Some(next) = stream.message().await? {
        let Some(Message::Chunk(chunk)) = next.message else {
            panic!("then its bytes");
        };
        assert!((1..=CHUNK).contains(&chunk.len()), "{}", chunk.len());
        bytes.extend(chunk);
    }
    Ok((document, bytes))
}

/// The words of a document, without blanks and hyphens.
pub fn words(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_whitespace() && !['-', '\u{200b}', '\u{ad}', '\u{2010}'].contains(it))
        .collect()
}

/// The words of a PDF, without blanks and hyphens.
pub fn read(pdf: &[u8]) -> String {
    let document = lopdf::Document::load_mem(pdf).unwrap();
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    words(&document.extract_text(&pages).unwrap())
}

#[tokio::test]
async fn a_convention_is_written_once_from_the_same_data_and_again_when_it_is_signed() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.ready(&setting).await.name;
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let draft = written(&world, request.clone()).await;
    assert_eq!(draft.kind(), DocumentKind::Convention);
    assert_eq!((draft.subject.as_str(), draft.version), (&*parent, 1));
    assert_eq!(written(&world, request).await, draft);
    // Another request, by somebody else, another day: the data are the same.
    world.clock.advance(time::Duration::days(1));
    let mut manager = world.documents(world.tokens.manager(setting.operator));
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let same = manager.generate_document(request.clone()).await.unwrap();
    assert_eq!(same.into_inner(), draft);
    let again = manager.generate_document(request.clone()).await.unwrap();
    assert_eq!(again.into_inner(), draft);
    let other = GenerateDocumentRequest {
        kind: DocumentKind::StatementOfPayments.into(),
        ..request
    };
    assert_eq!(
        reason(manager.generate_document(other).await),
        "REQUEST_ID_REUSED"
    );

    let (known, pdf) = downloaded(&world, world.tokens.auditor(), &draft.name)
        .await
        .unwrap();
    assert_eq!(known, draft);
    assert!(pdf.starts_with(b"%PDF"));
    assert_eq!(draft.content_sha256, Digest::of(&pdf).to_string());
    assert_eq!(draft.size_bytes, i64::try_from(pdf.len()).unwrap());
    let text = read(&pdf);
    for sentence in [
        "Document de travail",
        &format!(
            "Version 1 – empreinte SHA-256 des données : {}",
            draft.data_sha256
        ),
        "Action financée par la Communauté Urbaine d’Arras",
        "La Commune de Dainville, SIRET n° 216 202 630 00010",
        "que la décision en date du 29 septembre 2025 habilite",
        "sur le territoire de 2 communes",
        "Demandeurs d’emploi",
        "11 500,00 € (onze mille cinq cents euros)",
        "un acompte de 80 %, soit 9 200,00 €",
        "Fait en trois exemplaires originaux",
    ] {
        assert!(text.contains(&words(sentence)), "{sentence} in {text}");
    }

    for party in [Party::Operator, Party::Authority] {
        world
            .sign(crate::requests::sign(&parent, party))
            .await
            .unwrap();
    }
    let signed = written(&world, generate(&parent, DocumentKind::Convention, &parent)).await;
    assert_eq!(signed.version, 2);
    assert_ne!(signed.data_sha256, draft.data_sha256);
    let (_, pdf) = downloaded(&world, world.tokens.agent(setting.operator), &signed.name)
        .await
        .unwrap();
    let text = read(&pdf);
    assert!(text.contains(&words("Signé le 8 octobre 2025")), "{text}");
    assert!(!text.contains(&words("Document de travail")));

    let mut auditor = world.documents(world.tokens.auditor());
    let request = ListDocumentsRequest {
        parent: parent.clone(),
        page_size: 1,
        ..ListDocumentsRequest::default()
    };
    let first = auditor.list_documents(request.clone()).await.unwrap();
    let first = first.into_inner();
    assert_eq!(first.documents, std::slice::from_ref(&draft));
    let next = ListDocumentsRequest {
        page_token: first.next_page_token,
        ..request
    };
    let second = auditor.list_documents(next).await.unwrap().into_inner();
    assert_eq!(second.documents, std::slice::from_ref(&signed));
    assert_eq!(second.next_page_token, "");
    let request = GetDocumentRequest {
        name: signed.name.clone(),
    };
    let got = auditor.get_document(request).await.unwrap().into_inner();
    assert_eq!(got, signed);
    let told = world
        .changes_until("document.generated", &signed.name)
        .await;
    let told: Vec<_> = told
        .iter()
        .filter(|change| change.kind == "document.generated")
        .map(|change| change.name.as_str())
        .collect();
    assert_eq!(told, [&draft.name, &signed.name]);
}

#[tokio::test]
async fn a_subject_is_what_the_kind_is_about_and_under_the_convention() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let elsewhere = world.draft(&setting).await.name;
    let mut officer = world.documents(world.tokens.officer());
    let mut generate = async |kind, subject: &str| {
        officer
            .generate_document(generate(&parent, kind, subject))
            .await
    };
    let outcome = generate(DocumentKind::Decision, &parent).await;
    assert_eq!(
        violations(outcome),
        pairs(&[("subject", "RESOURCE_NAME_INVALID")])
    );
    let outcome = generate(DocumentKind::Convention, &elsewhere).await;
    assert_eq!(
        violations(outcome),
        pairs(&[("subject", "SUBJECT_ELSEWHERE")])
    );
    let outcome = generate(DocumentKind::Unspecified, "").await;
    assert_eq!(
        violations(outcome)
            .iter()
            .map(|it| it.0.as_str())
            .collect::<Vec<_>>(),
        ["kind", "subject"]
    );
    let nobody = format!("{parent}/decisions/0198b2e6-c000-7abc-8def-0123456789ff");
    let outcome = generate(DocumentKind::Decision, &nobody).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let outcome = generate(DocumentKind::StatementOfPayments, &parent).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_SIGNED");
}

#[tokio::test]
async fn an_operator_reaches_its_own_documents_only() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let name = written(&world, request.clone()).await.name;
    let stranger = "0198b2e6-c000-7abc-8def-0123456789ff".parse().unwrap();
    let mut other = world.documents(world.tokens.manager(stranger));
    assert_eq!(
        reason(other.generate_document(request).await),
        "OUT_OF_REACH"
    );
    let request = GetDocumentRequest { name: name.clone() };
    assert_eq!(reason(other.get_document(request).await), "OUT_OF_REACH");
    let request = ListDocumentsRequest {
        parent: parent.clone(),
        ..ListDocumentsRequest::default()
    };
    assert_eq!(reason(other.list_documents(request).await), "OUT_OF_REACH");
    let outcome = downloaded(&world, world.tokens.manager(stranger), &name).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let absent = format!("{parent}/documents/0198b2e6-c000-7abc-8def-0123456789ff");
    let outcome = downloaded(&world, world.tokens.officer(), &absent).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
}

#[tokio::test]
async fn a_document_that_was_altered_or_lost_is_not_given_as_if_it_were_whole() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let document = written(&world, request).await;
    let digest = &document.content_sha256;
    let path = world.files.path().join(&digest[..2]).join(digest);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    for lose in [false, true] {
        if lose {
            fs::remove_file(&path).unwrap();
        }
        let outcome = downloaded(&world, world.tokens.officer(), &document.name).await;
        let (code, details) = refused(outcome);
        assert_eq!(code, Code::DataLoss);
        assert_eq!(details.reason, "DOCUMENT_DAMAGED");
    }
}

#[tokio::test]
async fn without_the_program_everything_else_works() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::typesetting(Some(folder.path().join("nowhere"))).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let mut officer = world.documents(world.tokens.officer());
    let outcome = officer.generate_document(request.clone()).await;
    assert_eq!(precondition(outcome), "DOCUMENT_ENGINE_MISSING");
    let failing = script(&folder, "exit 1");
    let world = World::typesetting(Some(failing)).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let mut officer = world.documents(world.tokens.officer());
    let request = generate(&parent, DocumentKind::Convention, &parent);
    let (code, details) = refused(officer.generate_document(request).await);
    assert_eq!(code, Code::Internal);
    assert_eq!(details.reason, "DOCUMENT_ENGINE_FAILED");
    let request = ListDocumentsRequest {
        parent,
        ..ListDocumentsRequest::default()
    };
    let listed = officer.list_documents(request).await.unwrap().into_inner();
    assert_eq!(listed.documents, []);
}

#[tokio::test]
async fn two_at_once_write_one_document_of_the_same_data() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let once = || written(&world, generate(&parent, DocumentKind::Convention, &parent));
    let (one, two, three) = tokio::join!(once(), once(), once());
    assert_eq!(one, two);
    assert_eq!(two, three);
    assert_eq!(one.version, 1);
}

#[tokio::test]
async fn a_version_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let (begun, go) = (fifo(&folder, "begun"), fifo(&folder, "go"));
    // The first says that it has begun, and typesets once it may; the others at once.
    let lines = format!(
        "if /bin/mkdir {first} 2> /dev/null; then echo > {begun}; /bin/cat {go}; fi; exec {program}",
        first = folder.path().join("first").display(),
        begun = begun.display(),
        go = go.display(),
        program = typeset().display()
    );
    let world = World::typesetting(Some(script(&folder, &lines))).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let generating = || {
        let mut officer = world.documents(world.tokens.officer());
        let request = generate(&parent, DocumentKind::Convention, &parent);
        tokio::spawn(async move { officer.generate_document(request).await })
    };
    let first = generating();
    let told = tokio::task::spawn_blocking(move || fs::read(begun));
    assert_eq!(told.await.unwrap().unwrap(), b"\n");
    let update = UpdateConventionRequest {
        convention: Some(Convention {
            name: parent.clone(),
            title: "Convention corrigée".to_owned(),
            ..Convention::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["title".to_owned()],
        }),
        request_id: request_id(),
    };
    let mut conventions = world.conventions(world.tokens.officer());
    conventions.update_convention(update).await.unwrap();
    // Of other data than the first, and before it: both would be version 1.
    let second = generating().await.unwrap().unwrap().into_inner();
    assert_eq!(second.version, 1);
    let going = tokio::task::spawn_blocking(move || fs::write(go, ""));
    going.await.unwrap().unwrap();
    assert_eq!(reason(first.await.unwrap()), "CONCURRENT_UPDATE");
    // Sent again, it is of the data of now.
    let again = generating().await.unwrap().unwrap().into_inner();
    assert_eq!(again, second);
}

#[tokio::test]
async fn what_people_write_stays_what_they_wrote() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    world
        .clock
        .set(time::macros::datetime!(2025-10-16 10:00 UTC));
    let evil = "#panic(\"lu\") *gras* _it_ $x$ @renvoi \\ \"}, \"version\": 9 // 住";
    let mut request = notice(&parent, Party::Authority);
    request.formal_notice.as_mut().unwrap().motives = evil.to_owned();
    let mut notices = world.formal_notices(world.tokens.officer());
    let sent = notices.create_formal_notice(request).await.unwrap();
    let sent = sent.into_inner().name;
    let document = written(&world, generate(&parent, DocumentKind::FormalNotice, &sent)).await;
    let (_, pdf) = downloaded(&world, world.tokens.officer(), &document.name)
        .await
        .unwrap();
    let text = read(&pdf);
    let shown = evil.replace('住', "\u{fffd}");
    assert!(text.contains(&words(&shown)), "{text}");
    assert!(text.contains(&words("Version 1 – empreinte")), "{text}");
}
