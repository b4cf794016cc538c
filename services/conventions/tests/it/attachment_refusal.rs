//! Attachments: what is refused, broken off or damaged leaves nothing behind.

use futures_util::{StreamExt as _, stream};
use nonrecours_contracts::conventions::{
    AttachmentKind, AttachmentOpening, DownloadAttachmentRequest, GetAttachmentRequest,
    ListAttachmentsRequest, OperatorCategory, UploadAttachmentRequest,
    upload_attachment_request::Message,
};
use nonrecours_kernel::Digest;
use nonrecours_testkit::request_id;
use sqlx::Row as _;
use tonic::Code;

use crate::{
    attachment::{
        download, file, kept, list, messages, opening, pdf, said, send, upload, withdraw,
    },
    requests::{NIR, operator, pairs, precondition, reason, refused, violations},
    schema::broken,
    world::World,
};

#[tokio::test]
async fn everything_wrong_in_an_opening_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let wrong = AttachmentOpening {
        subject: format!("{}x", convention),
        kind: AttachmentKind::Unspecified.into(),
        file_name: format!("{NIR}.pdf"),
        media_type: "application/x-msdownload".to_owned(),
        size_bytes: 20 * 1024 * 1024 + 1,
        sha256: "abc".to_owned(),
        request_id: "x".to_owned(),
        ..opening(&convention, b"")
    };
    assert_eq!(
        violations(upload(&world, wrong, b"").await),
        pairs(&[
            ("opening.kind", "REQUIRED"),
            ("opening.size_bytes", "TOO_LARGE"),
            ("opening.request_id", "UUID_INVALID"),
            ("opening.subject", "RESOURCE_NAME_INVALID"),
            ("opening.file_name", "NIR_FORBIDDEN"),
            ("opening.media_type", "MEDIA_TYPE_NOT_TAKEN"),
            ("opening.sha256", "DIGEST_FORMAT"),
        ])
    );
    let elsewhere = AttachmentOpening {
        subject: convention.replace(&convention[convention.len() - 4..], "0000"),
        file_name: "\u{202E}...".to_owned(),
        ..opening(&convention, b"")
    };
    assert_eq!(
        violations(upload(&world, elsewhere, b"").await),
        pairs(&[
            ("opening.size_bytes", "TOO_SMALL"),
            ("opening.subject", "SUBJECT_ELSEWHERE"),
            ("opening.file_name", "REQUIRED"),
        ])
    );
}

#[tokio::test]
async fn what_came_is_compared_with_what_was_announced_and_nothing_wrong_is_kept() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(100_000);
    let sent = async |messages: Vec<UploadAttachmentRequest>| {
        violations(send(&world, world.tokens.manager(setting.operator), messages).await)
    };
    let announcing = |sent: &[u8], change: &dyn Fn(&mut AttachmentOpening)| {
        let mut opening = opening(&convention, sent);
        change(&mut opening);
        messages(opening, sent)
    };
    let png = |opening: &mut AttachmentOpening| opening.media_type = "image/png".to_owned();
    let other = |opening: &mut AttachmentOpening| opening.sha256 = Digest::of(b"x").to_string();
    for (messages, expected) in [
        (
            announcing(&bytes, &png),
            vec![("opening.media_type", "MEDIA_TYPE_MISMATCH")],
        ),
        // A program under the name of a document.
        (
            announcing(b"MZ\x90\0\x03", &|_| {}),
            vec![("chunk", "CONTENT_UNRECOGNISED")],
        ),
        (
            announcing(&bytes, &|it| {
                png(it);
                other(it);
            }),
            vec![
                ("opening.media_type", "MEDIA_TYPE_MISMATCH"),
                ("opening.sha256", "CONTENT_DIGEST_MISMATCH"),
            ],
        ),
        (
            announcing(&bytes, &other),
            vec![("opening.sha256", "CONTENT_DIGEST_MISMATCH")],
        ),
        // Cut, or longer than announced.
        (
            announcing(&bytes, &|it| it.size_bytes += 1),
            vec![("opening.size_bytes", "CONTENT_SIZE_MISMATCH")],
        ),
        (
            announcing(&bytes, &|it| it.size_bytes -= 1),
            vec![("opening.size_bytes", "CONTENT_SIZE_MISMATCH")],
        ),
        (
            vec![
                said(Message::Opening(opening(&convention, &bytes))),
                said(Message::Chunk(bytes[..65_537].to_vec())),
            ],
            vec![("chunk", "CHUNK_TOO_LARGE")],
        ),
        (vec![], vec![("opening", "OPENING_MISSING")]),
        (
            vec![said(Message::Chunk(bytes[..10].to_vec()))],
            vec![("opening", "OPENING_MISSING")],
        ),
        (
            vec![
                said(Message::Opening(opening(&convention, &bytes))),
                said(Message::Opening(opening(&convention, &bytes))),
            ],
            vec![("opening", "OPENING_REPEATED")],
        ),
        (
            vec![
                said(Message::Opening(opening(&convention, &bytes))),
                UploadAttachmentRequest::default(),
            ],
            vec![("opening", "REQUIRED")],
        ),
    ] {
        assert_eq!(sent(messages).await, pairs(&expected));
    }
    let unknown = |opening: AttachmentOpening| upload(&world, opening, &bytes);
    let nowhere = format!("{}/conventions/{}", setting.parent(), request_id());
    for absent in [
        opening(&nowhere, &bytes),
        AttachmentOpening {
            subject: format!("{convention}/hearings/{}", request_id()),
            ..opening(&convention, &bytes)
        },
        AttachmentOpening {
            subject: format!("{convention}/budget"),
            ..opening(&convention, &bytes)
        },
    ] {
        assert_eq!(reason(unknown(absent).await), "NOT_FOUND");
    }
    assert_eq!(list(&world, &convention, "").await, []);
    assert_eq!(kept(world.files.path()), 0);
}

#[tokio::test]
async fn an_upload_broken_off_leaves_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(150_000);
    let mut client = world.attachments(world.tokens.manager(setting.operator));
    // All but the end, then silence until the client goes away.
    let mut part = messages(opening(&convention, &bytes), &bytes);
    part.pop();
    let (taken, seen) = tokio::sync::oneshot::channel();
    let silent = stream::once(async move {
        taken.send(()).unwrap();
        std::future::pending().await
    });
    let call = tokio::spawn(async move {
        client
            .upload_attachment(stream::iter(part).chain(silent))
            .await
    });
    seen.await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // The service takes others, and the same one whole.
    let whole = upload(&world, opening(&convention, &bytes), &bytes).await;
    let whole = whole.unwrap();
    assert_eq!(list(&world, &convention, "").await, [whole]);
    assert_eq!(kept(world.files.path()), 1);
}

#[tokio::test]
async fn a_lost_or_altered_file_is_told_and_never_given() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(200_000);
    let taken = upload(&world, opening(&convention, &bytes), &bytes).await;
    let taken = taken.unwrap();
    let path = file(&world, &taken.sha256);
    let mut altered = bytes.clone();
    altered[199_999] ^= 1;
    let damaged = async || {
        let (code, details) = refused(download(&world, &taken.name).await);
        assert_eq!(code, Code::DataLoss);
        assert_eq!(details.domain, "conventions.nonrecours");
        details.reason
    };
    std::fs::write(&path, &altered).unwrap();
    assert_eq!(damaged().await, "ATTACHMENT_DAMAGED");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(damaged().await, "ATTACHMENT_DAMAGED");
    // Brought again, it is the same attachment, whole.
    let again = upload(&world, opening(&convention, &bytes), &bytes).await;
    assert_eq!(again.unwrap(), taken);
    assert!(download(&world, &taken.name).await.unwrap().1 == bytes);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_takes_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(100);
    // Where the folder of the file would be stands a file.
    let path = file(&world, &Digest::of(&bytes).to_string());
    std::fs::write(path.parent().unwrap(), "in the way").unwrap();
    let outcome = upload(&world, opening(&convention, &bytes), &bytes).await;
    assert_eq!(refused(outcome).0, Code::Unavailable);
    assert_eq!(list(&world, &convention, "").await, []);
    std::fs::remove_file(path.parent().unwrap()).unwrap();
    let outcome = upload(&world, opening(&convention, &bytes), &bytes).await;
    assert_eq!(list(&world, &convention, "").await, [outcome.unwrap()]);
}

#[tokio::test]
async fn a_stranger_reaches_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let bytes = pdf(100);
    let taken = upload(&world, opening(&convention, &bytes), &bytes).await;
    let name = taken.unwrap().name;
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world.setting_of(1, arras).await.operator;
    for token in [world.tokens.manager(stranger), world.tokens.agent(stranger)] {
        let mut client = world.attachments(token.clone());
        let get = GetAttachmentRequest { name: name.clone() };
        assert_eq!(reason(client.get_attachment(get).await), "OUT_OF_REACH");
        let given = DownloadAttachmentRequest { name: name.clone() };
        let given = client.download_attachment(given).await.map(|_| ());
        assert_eq!(reason(given), "OUT_OF_REACH");
        let listed = ListAttachmentsRequest {
            parent: convention.clone(),
            ..ListAttachmentsRequest::default()
        };
        assert_eq!(
            reason(client.list_attachments(listed).await),
            "OUT_OF_REACH"
        );
        // Whatever else is wrong with it.
        let wrong = AttachmentOpening {
            kind: AttachmentKind::Unspecified.into(),
            ..opening(&convention, &bytes)
        };
        let brought = send(&world, token, messages(wrong, &bytes)).await;
        assert_eq!(reason(brought), "OUT_OF_REACH");
    }
    let mut manager = world.attachments(world.tokens.manager(stranger));
    assert_eq!(
        reason(manager.withdraw_attachment(withdraw(&name)).await),
        "OUT_OF_REACH"
    );
    for token in [world.tokens.auditor(), world.tokens.accountant()] {
        let messages = messages(opening(&convention, &bytes), &bytes);
        assert_eq!(reason(send(&world, token, messages).await), "ROLE_MISSING");
    }
    // The database itself shows the row to its operator only.
    let app = world.db.app().await;
    for (operator, rows) in [
        (setting.operator.to_string(), 1),
        (stranger.to_string(), 0),
        ("*".to_owned(), 1),
        (String::new(), 0),
    ] {
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(operator)
            .execute(&mut *tx)
            .await
            .unwrap();
        let count = sqlx::query("SELECT count(*) FROM attachment");
        let count: i64 = count.fetch_one(&mut *tx).await.unwrap().get(0);
        assert_eq!(count, rows);
    }
}

#[tokio::test]
async fn a_convention_has_a_bounded_number_of_attachments() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(100);
    let taken = upload(&world, opening(&convention, &bytes), &bytes).await;
    let taken = taken.unwrap();
    let copied = sqlx::query(
        "INSERT INTO attachment
         SELECT operator_id, convention_id, gen_random_uuid(), subject, kind, file_name, media_type, size_bytes,
                sha256(n::text::bytea), party, uploaded_by, state, withdraw_time, withdrawn_by, withdraw_reason, revision,
                create_time, update_time
         FROM attachment, generate_series(2, 500) AS n",
    )
    .execute(&world.db.owner().await)
    .await
    .unwrap();
    assert_eq!(copied.rows_affected(), 499);
    let more = pdf(101);
    assert_eq!(
        precondition(upload(&world, opening(&convention, &more), &more).await),
        "TOO_MANY_ATTACHMENTS"
    );
    // What is there already is still the answer.
    let again = upload(&world, opening(&convention, &bytes), &bytes).await;
    assert_eq!(again.unwrap(), taken);
}

#[tokio::test]
async fn attachments_hold_in_the_database_too() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let bytes = pdf(100);
    upload(&world, opening(&convention, &bytes), &bytes)
        .await
        .unwrap();
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        ("UPDATE attachment SET state = 'WITHDRAWN'", "attachment_state"),
        ("UPDATE attachment SET withdrawn_by = 'x'", "attachment_state"),
        ("UPDATE attachment SET state = 'DELETED'", "attachment_state"),
        (
            "UPDATE attachment SET subject = 'operators/x'",
            "attachment_subject",
        ),
        (
            "UPDATE attachment SET subject = subject || '0'",
            "attachment_subject",
        ),
        (
            "UPDATE attachment SET size_bytes = 20971521",
            "attachment_size_bytes_check",
        ),
        (
            "UPDATE attachment SET sha256 = '\\x00'",
            "attachment_sha256_check",
        ),
        (
            "INSERT INTO attachment SELECT operator_id, convention_id, gen_random_uuid(), subject, kind, file_name,
                    media_type, size_bytes, sha256, party, uploaded_by, state, NULL, NULL, NULL, revision, create_time,
                    update_time FROM attachment",
            "attachment_content_key",
        ),
    ] {
        assert_eq!(broken(&owner, sql).await, constraint, "{sql}");
    }
    let app = world.db.app().await;
    for sql in [
        "DELETE FROM attachment",
        "UPDATE attachment SET sha256 = sha256",
        "UPDATE attachment SET file_name = 'x'",
        "UPDATE attachment SET subject = subject",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}
