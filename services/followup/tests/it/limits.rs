//! Who has asked that their records be stored and nothing else is not reached by any rpc, whatever it is.

use std::collections::BTreeSet;

use nonrecours_contracts::followup::{
    ApplyRetentionRequest, CreateSubjectRequestRequest, EraseBeneficiaryRequest, ErasureReason,
    ExportPersonalDataRequest, FulfilSubjectRequestRequest, IdentityCheck,
    LiftSubjectRequestRequest, PreviewRetentionRequest, SubjectRequest, SubjectRight,
    beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
    retention_service_client::RetentionServiceClient,
    subject_request_service_client::SubjectRequestServiceClient,
};
use nonrecours_followup::subject_request::limit;
use nonrecours_rpc::{auth::journalled_table, details::Details};
use nonrecours_testkit::request_id;
use tonic::{Code, Status};

use crate::{
    limits_scene::{As, Becomes, SECRETS, Scene, merging, row},
    support::*,
};

pub fn asking(suite: &Suite, person: &str, right: SubjectRight) -> CreateSubjectRequestRequest {
    CreateSubjectRequestRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: person.to_owned(),
        right: right.into(),
        identity_check: IdentityCheck::DocumentShown.into(),
        received_date: date(2025, 10, 6),
        request_id: request_id(),
    }
}

/// A request that is entered.
pub async fn asked(suite: &Suite, person: &str, right: SubjectRight) -> SubjectRequest {
    let mut agent = SubjectRequestServiceClient::new(suite.agent());
    let entered = agent
        .create_subject_request(asking(suite, person, right))
        .await;
    entered.unwrap().into_inner()
}

/// The same once it is fulfilled.
pub async fn fulfilled(suite: &Suite, request: &SubjectRequest) -> Result<SubjectRequest, Status> {
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let fulfil = FulfilSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    Ok(manager.fulfil_subject_request(fulfil).await?.into_inner())
}

/// The end of its effect.
pub async fn lifted(suite: &Suite, request: &SubjectRequest) -> SubjectRequest {
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let lift = LiftSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    manager
        .lift_subject_request(lift)
        .await
        .unwrap()
        .into_inner()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_a_person_whose_records_are_stored_only() {
    let scene = Scene::set().await;
    let [id, right, step, note] =
        [&scene.person, &scene.right, &scene.step, &scene.note].map(|name| {
            let (_, id) = name.rsplit_once('/').unwrap();
            id
        });
    let tells = |answer: &[u8]| {
        let mut of_them = [id, right, step, note].into_iter().chain(SECRETS);
        of_them.any(|one| contains(answer, one))
    };
    // What is asked about can be found, so that what is not told is not told for the limit.
    for row in scene.reads() {
        let answer = scene
            .call(&row)
            .await
            .unwrap_or_else(|status| panic!("{}: {status:?}", row.path));
        assert!(
            tells(&answer) || row.by == As::Recipient && !answer.is_empty(),
            "{}",
            row.path
        );
    }

    let asked = asked(&scene.suite, &scene.person, SubjectRight::Restriction).await;
    let limiting = fulfilled(&scene.suite, &asked).await.unwrap();
    let rows = scene.rows(&limiting);
    let called: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
    let all: BTreeSet<&str> = journalled_table()
        .iter()
        .map(String::as_str)
        .chain([
            "/nonrecours.followup.v1.PushService/PushRecords",
            "/nonrecours.feed.v1.ChangeFeedService/PullChanges",
            "/nonrecours.feed.v1.ChangeFeedService/ListHistory",
        ])
        .collect();
    assert_eq!(
        called, all,
        "an rpc about persons of which this test does not say what becomes"
    );
    let open = rows.iter().filter(|row| row.becomes == Becomes::Open);
    let open: BTreeSet<&str> = open.map(|row| row.path.as_str()).collect();
    let declared: Vec<String> = limit::OPEN
        .iter()
        .map(|(rpc, _)| format!("/nonrecours.followup.v1.{rpc}"))
        .collect();
    assert_eq!(open, declared.iter().map(String::as_str).collect());

    for row in &rows {
        let answer = scene.call(row).await;
        let what = format!("{} {:?}: {answer:?}", row.path, row.becomes);
        match (row.becomes, answer) {
            (Becomes::Refused, answer) => assert_eq!(
                answer.as_ref().map_err(refusal).unwrap_err(),
                (Code::FailedPrecondition, "PROCESSING_LIMITED".to_owned()),
                "{what}"
            ),
            (Becomes::LeftOut, answer) => {
                let answer = answer.expect(&what);
                assert!(!tells(&answer), "{what}");
            }
            (Becomes::Rejected, Ok(answer)) => {
                assert!(contains(&answer, "PROCESSING_LIMITED"), "{what}");
                assert!(
                    !contains(&answer, id) && !contains(&answer, "Quillacq"),
                    "{what}"
                );
            }
            (Becomes::Rejected, Err(status)) => {
                let violations = Details::of(&status).violations;
                assert!(
                    violations
                        .iter()
                        .any(|one| one.reason == "PROCESSING_LIMITED"),
                    "{what}"
                );
            }
            (Becomes::Veiled, answer) => {
                let answer = answer.expect(&what);
                assert!(contains(&answer, id), "{what}");
                assert!(
                    SECRETS.iter().all(|secret| !contains(&answer, secret)),
                    "{what}"
                );
            }
            (Becomes::Open, answer) => {
                let reason = answer.as_ref().err().map(|status| refusal(status).1);
                assert_ne!(reason.as_deref(), Some("PROCESSING_LIMITED"), "{what}");
            }
        }
    }
    // Lifted by the last but one, the person is there again.
    let read = &scene.reads()[0];
    assert!(contains(&scene.call(read).await.unwrap(), "ZZ31"));
}

#[tokio::test]
async fn for_a_legal_claim_the_file_is_read_as_long_as_it_is_limited_and_the_journal_says_why() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let asked = asked(suite, &scene.person, SubjectRight::Restriction).await;
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let export = |legal_claim: &str| ExportPersonalDataRequest {
        name: asked.name.clone(),
        legal_claim: legal_claim.to_owned(),
        ..Default::default()
    };
    let early = manager.export_personal_data(export("Recours.")).await;
    assert_eq!(refusal(&early.unwrap_err()).1, "LIMIT_NOT_IN_EFFECT");
    fulfilled(suite, &asked).await.unwrap();
    let nir = manager
        .export_personal_data(export("1 85 02 62 263 001 42"))
        .await;
    let violations = Details::of(&nir.unwrap_err()).violations;
    assert_eq!(violations[0].field, "legal_claim");
    assert_eq!(violations[0].reason, "NIR_FORBIDDEN");
    let file = manager
        .export_personal_data(export("Recours devant le tribunal."))
        .await;
    assert_eq!(file.unwrap().into_inner().notes[0].text, "Revient lundi.");
    let why: String =
        sqlx::query_scalar("SELECT why FROM access_entry WHERE rpc LIKE '%/ExportPersonalData'")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
    assert_eq!(
        why,
        format!("art. 18.2 : {} : Recours devant le tribunal.", asked.name)
    );
}

#[tokio::test]
async fn a_limit_asked_for_by_a_duplicate_holds_for_who_they_were_merged_into() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let asked = asked(suite, &scene.twin, SubjectRight::Objection).await;
    let mut merges = BeneficiaryMergeServiceClient::new(suite.agent());
    let merging = merging(suite, &scene.person, &scene.twin);
    merges.merge_beneficiaries(merging).await.unwrap();
    fulfilled(suite, &asked).await.unwrap();
    let status = scene.call(&scene.reads()[0]).await.unwrap_err();
    assert_eq!(refusal(&status).1, "PROCESSING_LIMITED");
    for table in ["pseudonym", "processing_limit"] {
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&suite.owner)
                .await
                .unwrap();
        // The survivor and the two who were merged into them.
        assert_eq!(count, if table == "pseudonym" { 0 } else { 3 }, "{table}");
    }
}

#[tokio::test]
async fn who_asked_for_storage_only_is_kept_by_retention_and_erased_only_when_they_want_it() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let restriction = asked(suite, &scene.person, SubjectRight::Restriction).await;
    fulfilled(suite, &restriction).await.unwrap();
    let erase = |reason: ErasureReason| {
        let message = EraseBeneficiaryRequest {
            name: scene.person.clone(),
            reason: reason.into(),
            request_id: request_id(),
            ..Default::default()
        };
        row(
            "ErasureService/EraseBeneficiary",
            As::Manager,
            Becomes::Open,
            &message,
        )
    };
    for reason in [ErasureReason::Mistake, ErasureReason::Retention] {
        let status = scene.call(&erase(reason)).await.unwrap_err();
        assert_eq!(refusal(&status).1, "PROCESSING_LIMITED");
    }
    // Three years later everybody is due, but who is restricted.
    suite
        .clock
        .set(time::macros::datetime!(2028-12-01 09:00 +1));
    let preview = || PreviewRetentionRequest {
        parent: suite.convention.parent().to_string(),
        ..Default::default()
    };
    let mut client = RetentionServiceClient::new(suite.agent());
    let seen = client
        .preview_retention(preview())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((seen.due, seen.held), (2, 1));
    let manager = suite
        .serving
        .channel(suite.tokens.manager(suite.convention.operator));
    let apply = ApplyRetentionRequest {
        parent: suite.convention.parent().to_string(),
        max_persons: 10,
        request_id: request_id(),
    };
    let mut manager = RetentionServiceClient::new(manager);
    assert_eq!(
        manager
            .apply_retention(apply)
            .await
            .unwrap()
            .into_inner()
            .erased,
        2
    );
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM beneficiary")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(left, 1);
    assert!(
        scene
            .call(&erase(ErasureReason::SubjectRequest))
            .await
            .is_ok()
    );
}
