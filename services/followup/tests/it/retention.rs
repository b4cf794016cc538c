//! Retention: who is due, what is announced, what is held back, and what goes by itself.

use nonrecours_contracts::followup::{
    ApplyRetentionRequest, ApplyRetentionResponse, CreateLegalHoldRequest, ErasureReason,
    GetLegalHoldRequest, GetRetentionNoticeRequest, GetRetentionPolicyRequest, LegalHold,
    LiftLegalHoldRequest, ListErasuresRequest, ListLegalHoldsRequest, PreviewRetentionRequest,
    PreviewRetentionResponse, RetentionNoticeState, RetentionPolicy, SetRetentionPolicyRequest,
    erasure_service_client::ErasureServiceClient,
    legal_hold_service_client::LegalHoldServiceClient,
    retention_service_client::RetentionServiceClient,
};
use nonrecours_followup::retention::sweep::{self, Swept};
use nonrecours_rpc::client::PeerChannel;
use nonrecours_testkit::request_id;
use time::macros::datetime;
use tonic::{Code, Status};

use crate::{erasure, rollup::differences, support::*};

fn manager(suite: &Suite) -> PeerChannel {
    let token = suite.tokens.manager(suite.convention.operator);
    suite.serving.channel(token)
}

async fn preview(suite: &Suite) -> PreviewRetentionResponse {
    let request = PreviewRetentionRequest {
        parent: suite.convention.parent().to_string(),
        ..PreviewRetentionRequest::default()
    };
    let mut client = RetentionServiceClient::new(suite.agent());
    client
        .preview_retention(request)
        .await
        .unwrap()
        .into_inner()
}

/// References and due dates of those who are due.
async fn due(suite: &Suite) -> Vec<(String, String)> {
    let candidates = preview(suite).await.candidates.into_iter();
    candidates
        .map(|candidate| {
            let due = candidate.due_date.unwrap();
            let due = format!("{}-{:02}-{:02}", due.year, due.month, due.day);
            (candidate.external_reference, due)
        })
        .collect()
}

fn applying(suite: &Suite, max_persons: i32) -> ApplyRetentionRequest {
    ApplyRetentionRequest {
        parent: suite.convention.parent().to_string(),
        max_persons,
        request_id: request_id(),
    }
}

async fn apply(suite: &Suite, request: ApplyRetentionRequest) -> ApplyRetentionResponse {
    let mut client = RetentionServiceClient::new(manager(suite));
    client.apply_retention(request).await.unwrap().into_inner()
}

async fn set_policy(
    suite: &Suite,
    months: i32,
    automatic: bool,
    etag: &str,
) -> Result<RetentionPolicy, Status> {
    let request = SetRetentionPolicyRequest {
        name: format!("{}/retentionPolicy", suite.convention.parent()),
        months,
        automatic,
        etag: etag.to_owned(),
        request_id: request_id(),
    };
    let mut client = RetentionServiceClient::new(manager(suite));
    Ok(client.set_retention_policy(request).await?.into_inner())
}

pub fn holding(suite: &Suite, beneficiary: &str, reason: &str) -> CreateLegalHoldRequest {
    CreateLegalHoldRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: beneficiary.to_owned(),
        reason: reason.to_owned(),
        request_id: request_id(),
    }
}

pub async fn hold(suite: &Suite, request: CreateLegalHoldRequest) -> Result<LegalHold, Status> {
    let mut client = LegalHoldServiceClient::new(manager(suite));
    Ok(client.create_legal_hold(request).await?.into_inner())
}

async fn lift(suite: &Suite, request: LiftLegalHoldRequest) -> Result<LegalHold, Status> {
    let mut client = LegalHoldServiceClient::new(manager(suite));
    Ok(client.lift_legal_hold(request).await?.into_inner())
}

fn lifting(hold: &LegalHold) -> LiftLegalHoldRequest {
    LiftLegalHoldRequest {
        name: hold.name.clone(),
        reason: "Jugement rendu.".to_owned(),
        etag: hold.etag.clone(),
        request_id: request_id(),
    }
}

pub async fn watch(suite: &Suite) -> Swept {
    let ring = suite.vault.ring();
    sweep::run(&suite.db, &ring, &suite.ids, "followup")
        .await
        .unwrap()
}

/// Kinds of the changes so far that begin so.
async fn told(suite: &Suite, prefix: &str) -> Vec<String> {
    let changes = suite.changes().await.into_iter();
    changes
        .map(|change| change.kind)
        .filter(|kind| kind.starts_with(prefix))
        .collect()
}

/// Everybody spotted on 1 October 2025; what else there was of some of them.
async fn contacts() -> (Suite, Vec<String>) {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![
            known("B1", |_| {}),
            person("B2"),
            person("B3"),
            person("B4"),
            person("B5"),
            step("P2", "B2"),
            note("N3", "B3", "Revient lundi."),
            right("E4", "B4"),
        ])
        .await;
    assert_eq!(answer.stored, 8);
    let names = answer.results.into_iter().take(5);
    (suite, names.map(|result| result.name).collect())
}

#[tokio::test]
async fn the_clock_runs_from_the_last_contact() {
    let (suite, _) = contacts().await;
    // The record of the fifth is changed in the following year.
    suite.clock.set(datetime!(2026-03-01 23:30 UTC));
    let moved = person_with("B5", |person| person.commune_code = "62041".to_owned());
    assert_eq!(suite.push(vec![moved]).await.stored, 1);

    suite.clock.set(datetime!(2027-09-30 21:59 UTC));
    assert_eq!(due(&suite).await, []);
    // Midnight in Paris.
    suite.clock.set(datetime!(2027-09-30 22:00 UTC));
    let pair = |reference: &str, due: &str| (reference.to_owned(), due.to_owned());
    assert_eq!(due(&suite).await, [pair("B1", "2027-10-01")]);
    suite.clock.set(datetime!(2027-10-03 06:00 UTC));
    let expected = [
        pair("B1", "2027-10-01"),
        pair("B2", "2027-10-03"),
        pair("B3", "2027-10-03"),
        pair("B4", "2027-10-02"),
    ];
    assert_eq!(due(&suite).await, expected);
    suite.clock.set(datetime!(2028-03-02 06:00 UTC));
    assert_eq!(due(&suite).await[4], pair("B5", "2028-03-02"));
    // A preview changes nothing.
    assert_eq!(preview(&suite).await.due, 5);
    assert_eq!(told(&suite, "beneficiary.erased").await.len(), 0);
    // Another policy, another day.
    set_policy(&suite, 60, false, "0").await.unwrap();
    assert_eq!(due(&suite).await, []);
}

#[tokio::test]
async fn those_who_are_due_are_erased_in_bounded_batches_and_no_figure_moves() {
    let (suite, names) = contacts().await;
    suite.clock.set(datetime!(2027-10-03 06:00 UTC));
    let held = hold(
        &suite,
        holding(&suite, &names[1], "Recours devant le tribunal."),
    )
    .await
    .unwrap();
    let seen = preview(&suite).await;
    // The last contact of the fifth is the day they were spotted.
    assert_eq!((seen.due, seen.held, seen.candidates.len()), (4, 1, 5));
    assert!(seen.candidates[1].held);

    let request = applying(&suite, 3);
    let first = apply(&suite, request.clone()).await;
    assert_eq!((first.erased, first.held, first.more), (3, 1, true));
    // The same request again erases nobody else.
    assert_eq!(apply(&suite, request).await, first);
    let second = apply(&suite, applying(&suite, 0)).await;
    assert_eq!((second.erased, second.held, second.more), (1, 1, false));
    let third = apply(&suite, applying(&suite, 0)).await;
    assert_eq!((third.erased, third.held, third.more), (0, 1, false));
    assert_eq!(differences(&suite.owner).await, 0);
    let mut erasures = ErasureServiceClient::new(suite.agent());
    let list = ListErasuresRequest {
        parent: suite.convention.parent().to_string(),
        ..ListErasuresRequest::default()
    };
    let listed = erasures.list_erasures(list).await.unwrap().into_inner();
    assert_eq!(listed.erasures.len(), 4);
    for erasure in &listed.erasures {
        assert_eq!(erasure.reason(), ErasureReason::Retention);
        assert_ne!(erasure.beneficiary, names[1]);
    }

    // Once lifted, the time of the one who was held has come too.
    lift(&suite, lifting(&held)).await.unwrap();
    assert_eq!(apply(&suite, applying(&suite, 0)).await.erased, 1);
    let kinds = told(&suite, "legal_hold.").await;
    assert_eq!(
        kinds,
        ["legal_hold.put", "legal_hold.lifted", "legal_hold.erased"]
    );
    let plain: i64 = sqlx::query_scalar("SELECT count(*) FROM beneficiary")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(plain, 0);
}

#[tokio::test]
async fn who_is_held_is_erased_by_nobody() {
    let (suite, names) = contacts().await;
    let request = holding(&suite, &names[0], "Contrôle en cours.");
    let put = hold(&suite, request.clone()).await.unwrap();
    assert_eq!(put.beneficiary, names[0]);
    assert_eq!(
        (put.reason.as_str(), put.revision),
        ("Contrôle en cours.", 1)
    );
    assert!(!put.put_by.is_empty() && put.lift_time.is_none());
    assert_eq!(hold(&suite, request).await.unwrap(), put);
    let other = hold(&suite, holding(&suite, &names[0], "Recours."))
        .await
        .unwrap();
    for reason in [ErasureReason::SubjectRequest, ErasureReason::Mistake] {
        let request = erasure::erase_request(&names[0], reason);
        let status = erasure::ask(&suite, request).await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::FailedPrecondition, "LEGAL_HOLD".to_owned())
        );
    }

    let mut stale = lifting(&put);
    stale.etag = "9".to_owned();
    let status = lift(&suite, stale).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    let nir = LiftLegalHoldRequest {
        reason: "Voir 1 85 02 62 263 001 42.".to_owned(),
        ..lifting(&put)
    };
    let status = lift(&suite, nir).await.unwrap_err();
    let details = nonrecours_rpc::details::Details::of(&status);
    let violation = &details.violations[0];
    assert_eq!(
        (violation.field.as_str(), violation.reason.as_str()),
        ("reason", "NIR_FORBIDDEN")
    );
    let request = lifting(&put);
    let lifted = lift(&suite, request.clone()).await.unwrap();
    assert_eq!(
        (lifted.revision, lifted.lift_reason.as_str()),
        (2, "Jugement rendu.")
    );
    assert!(!lifted.lifted_by.is_empty() && lifted.lift_time.is_some());
    assert_eq!(lift(&suite, request).await.unwrap(), lifted);
    let status = lift(&suite, lifting(&lifted)).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::FailedPrecondition, "LEGAL_HOLD_LIFTED".to_owned())
    );
    // The other hold stands.
    let erase = || erasure::erase_request(&names[0], ErasureReason::SubjectRequest);
    assert!(erasure::ask(&suite, erase()).await.is_err());
    lift(&suite, lifting(&other)).await.unwrap();

    let mut agent = LegalHoldServiceClient::new(suite.agent());
    let get = GetLegalHoldRequest {
        name: lifted.name.clone(),
    };
    assert_eq!(
        agent
            .get_legal_hold(get.clone())
            .await
            .unwrap()
            .into_inner(),
        lifted
    );
    let list = ListLegalHoldsRequest {
        parent: suite.convention.parent().to_string(),
        ..ListLegalHoldsRequest::default()
    };
    let listed = agent.list_legal_holds(list).await.unwrap().into_inner();
    assert_eq!(listed.legal_holds.len(), 2);
    // They go with the person.
    erasure::ask(&suite, erase()).await.unwrap();
    let status = agent.get_legal_hold(get).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_hold_that_cannot_be_put_is_refused() {
    let (suite, names) = contacts().await;
    let reasons = |status: &Status| -> Vec<String> {
        let details = nonrecours_rpc::details::Details::of(status);
        let violations = details.violations.iter();
        violations
            .map(|violation| format!("{} {}", violation.field, violation.reason))
            .collect()
    };
    let status = hold(&suite, holding(&suite, "x", "1 85 02 62 263 001 42"))
        .await
        .unwrap_err();
    assert_eq!(
        reasons(&status),
        ["beneficiary RESOURCE_NAME_INVALID", "reason NIR_FORBIDDEN"]
    );
    let unknown = format!(
        "{}/beneficiaries/{}",
        suite.convention.parent(),
        request_id()
    );
    let status = hold(&suite, holding(&suite, &unknown, "Recours."))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let foreign = format!("operators/{}/beneficiaries/{}", operator(2), request_id());
    let status = hold(&suite, holding(&suite, &foreign, "Recours."))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "OUT_OF_REACH".to_owned())
    );
    let mut agent = LegalHoldServiceClient::new(suite.agent());
    let request = holding(&suite, &names[0], "Recours.");
    let status = agent.create_legal_hold(request).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "ROLE_MISSING".to_owned())
    );
}

#[tokio::test]
async fn a_policy_is_the_default_until_it_is_set() {
    let suite = Suite::start().await;
    let get = GetRetentionPolicyRequest {
        name: format!("{}/retentionPolicy", suite.convention.parent()),
    };
    let mut auditor = RetentionServiceClient::new(suite.serving.channel(suite.tokens.auditor()));
    let policy = auditor
        .get_retention_policy(get.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (policy.months, policy.automatic, policy.revision),
        (24, false, 0)
    );
    let set = set_policy(&suite, 12, true, &policy.etag).await.unwrap();
    assert_eq!((set.months, set.automatic, set.revision), (12, true, 1));
    let read = auditor
        .get_retention_policy(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, set);
    let status = set_policy(&suite, 6, true, &policy.etag).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    for months in [0, 121] {
        let status = set_policy(&suite, months, true, "").await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::InvalidArgument, "INVALID_REQUEST".to_owned())
        );
    }
    // The programme sets it too, and the same request once.
    let request = SetRetentionPolicyRequest {
        name: set.name.clone(),
        months: 18,
        automatic: false,
        etag: String::new(),
        request_id: request_id(),
    };
    let mut officer = RetentionServiceClient::new(suite.serving.channel(suite.tokens.officer()));
    let first = officer
        .set_retention_policy(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = officer
        .set_retention_policy(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&first, first.revision), (&again, 2));
    assert_eq!(
        told(&suite, "retention_policy.").await,
        ["retention_policy.set"; 2]
    );
}

#[tokio::test]
async fn an_erasure_is_announced_a_month_before_and_taken_back_when_there_is_contact() {
    let (suite, names) = contacts().await;
    set_policy(&suite, 24, true, "").await.unwrap();
    suite.clock.set(datetime!(2027-08-31 06:00 UTC));
    assert_eq!(watch(&suite).await, Swept::default());
    suite.clock.set(datetime!(2027-09-03 06:00 UTC));
    assert_eq!(watch(&suite).await, swept(5, 0, 0));
    assert_eq!(watch(&suite).await, Swept::default());
    let raised: Vec<String> = sqlx::query_scalar(
        "SELECT resource FROM outbox WHERE kind = 'retention_notice.raised' ORDER BY position",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    let notice = async |name: &str| {
        let request = GetRetentionNoticeRequest {
            name: name.to_owned(),
        };
        let mut client = RetentionServiceClient::new(suite.agent());
        Ok::<_, Status>(client.get_retention_notice(request).await?.into_inner())
    };
    let first = notice(&raised[0]).await.unwrap();
    assert_eq!(first.beneficiary, names[0]);
    assert_eq!(
        (first.last_contact_date, first.due_date, first.state()),
        (
            date(2025, 10, 1),
            date(2027, 10, 1),
            RetentionNoticeState::Open
        )
    );

    // One comes back, one is held: their notices are taken back. The others go by themselves, thirty days after theirs.
    suite
        .push(vec![step_with("P9", "B1", |step| {
            step.step_date = date(2027, 9, 2)
        })])
        .await;
    hold(&suite, holding(&suite, &names[1], "Recours."))
        .await
        .unwrap();
    suite.clock.set(datetime!(2027-10-02 06:00 UTC));
    assert_eq!(watch(&suite).await, swept(0, 2, 0));
    let taken_back = notice(&raised[0]).await.unwrap();
    assert_eq!(
        (taken_back.state(), taken_back.revision),
        (RetentionNoticeState::Withdrawn, 2)
    );
    suite.clock.set(datetime!(2027-10-03 06:00 UTC));
    assert_eq!(watch(&suite).await, swept(0, 0, 3));
    assert_eq!(watch(&suite).await, Swept::default());
    assert_eq!(told(&suite, "retention_notice.erased").await.len(), 3);
    let status = notice(&raised[2]).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(preview(&suite).await.held, 1);
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn nobody_is_erased_by_itself_where_that_is_not_switched_on() {
    let (suite, _) = contacts().await;
    suite.clock.set(datetime!(2027-09-15 06:00 UTC));
    assert_eq!(watch(&suite).await.raised, 5);
    suite.clock.set(datetime!(2029-01-01 06:00 UTC));
    assert_eq!(watch(&suite).await.erased, 0);
    assert_eq!(preview(&suite).await.due, 5);
    // Switched on, those who were announced long ago go.
    set_policy(&suite, 24, true, "").await.unwrap();
    assert_eq!(watch(&suite).await.erased, 5);
}

#[tokio::test]
async fn who_comes_back_while_retention_is_applied_stays() {
    let (suite, _) = contacts().await;
    suite.clock.set(datetime!(2027-12-01 06:00 UTC));
    let pushing = async {
        for round in 0..5 {
            let back = step_with(&format!("P{round}0"), "B1", |step| {
                step.step_date = date(2027, 11, 30);
            });
            match suite.push_under(&suite.convention, vec![vec![back]]).await {
                Ok(_) => {}
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
        }
    };
    let applying = async {
        let mut client = RetentionServiceClient::new(manager(&suite));
        loop {
            match client.apply_retention(applying(&suite, 0)).await {
                Ok(_) => return,
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
        }
    };
    tokio::join!(pushing, applying);
    // Either they came first and stay whole, or they are gone with all that came of them.
    let (persons, steps): (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM beneficiary), (SELECT count(*) FROM step)")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
    assert!(
        (persons == 1 && steps == 5) || (persons, steps) == (0, 0),
        "{persons} {steps}"
    );
    assert_eq!(differences(&suite.owner).await, 0);
}

fn swept(raised: usize, withdrawn: usize, erased: usize) -> Swept {
    Swept {
        raised,
        withdrawn,
        erased,
    }
}
