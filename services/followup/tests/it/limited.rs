//! Referrals and merges that meet a restriction of processing: whichever comes first is whole, and what comes after knows it.

use nonrecours_contracts::followup::{
    BeneficiaryMerge, CreateReferralRequest, MergeState, SubjectRequest, SubjectRequestState,
    SubjectRight, referral_service_client::ReferralServiceClient,
};
use nonrecours_followup::subject_request::{self as register, limit};
use nonrecours_kernel::Scope;
use nonrecours_pg::Tx;
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use tonic::{Code, Status};

use crate::{
    limits::{asked, fulfilled},
    merges::{merge, merging, two, undo, undoing},
    races::sessions_wait,
    support::*,
};

/// A restriction of a person that has begun, and is not committed yet.
async fn in_hand(suite: &Suite, person: &str) -> Tx {
    let request = asked(suite, person, SubjectRight::Restriction).await;
    let mut tx = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    let name = request.name.parse().unwrap();
    let held = register::store::lock(&mut tx, &name).await.unwrap();
    limit::begin(&mut tx, &held.unwrap()).await.unwrap();
    tx
}

/// Does something while a restriction is in hand, which is committed once it is waited for.
async fn meeting<T>(suite: &Suite, restriction: Tx, done: impl Future<Output = T>) -> T {
    let commit = async {
        sessions_wait(suite, 1).await;
        restriction.commit().await.unwrap();
    };
    tokio::join!(done, commit).0
}

/// How many persons are restricted.
async fn restricted(suite: &Suite) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM processing_limit")
        .fetch_one(&suite.owner)
        .await
        .unwrap()
}

fn limited<T: std::fmt::Debug>(answer: Result<T, Status>) {
    assert_eq!(
        refusal(&answer.unwrap_err()),
        (Code::FailedPrecondition, "PROCESSING_LIMITED".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referral_that_meets_a_restriction_is_refused() {
    let (suite, one, _) = two().await;
    let restriction = in_hand(&suite, &one).await;
    let request = CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: one.clone(),
        partner: "CAF".to_owned(),
        right: "RSA".to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
        ..CreateReferralRequest::default()
    };
    let before: i64 = referrals(&suite).await;
    let mut client = ReferralServiceClient::new(suite.agent());
    let proposed = async { client.create_referral(request).await };
    limited(meeting(&suite, restriction, proposed).await);
    assert_eq!(referrals(&suite).await, before);
}

async fn referrals(suite: &Suite) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM referral")
        .fetch_one(&suite.owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_meets_a_restriction_of_either_record_is_refused() {
    for which in ["survivor", "duplicate"] {
        let (suite, one, other) = two().await;
        let person = if which == "survivor" { &one } else { &other };
        let restriction = in_hand(&suite, person).await;
        let merged = merge(&suite, merging(&suite.convention, &one, &other));
        let status = meeting(&suite, restriction, merged).await.unwrap_err();
        let violations = Details::of(&status).violations.into_iter();
        let faults: Vec<_> = violations.map(|one| (one.field, one.reason)).collect();
        assert_eq!(
            faults,
            [(which.to_owned(), "PROCESSING_LIMITED".to_owned())]
        );
        let aside: i64 = sqlx::query_scalar("SELECT count(*) FROM merged_beneficiary")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
        assert_eq!((aside, restricted(&suite).await), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_a_merge_that_meets_a_restriction_is_refused() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other)).await;
    let done = done.unwrap();
    let restriction = in_hand(&suite, &one).await;
    limited(meeting(&suite, restriction, undo(&suite, undoing(&done))).await);
    // The duplicate's record is put aside still, and restricted with the survivor's.
    assert_eq!(restricted(&suite).await, 2);
}

/// Has a merge or its undoing hold what it holds, and a restriction of the survivor wait for it.
async fn first(
    suite: &Suite,
    merge: impl Future<Output = Result<BeneficiaryMerge, Status>>,
    restriction: &SubjectRequest,
) -> BeneficiaryMerge {
    let mut held = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    sqlx::query("SELECT 1 FROM beneficiary FOR UPDATE")
        .execute(held.conn())
        .await
        .unwrap();
    let restricting = async {
        sessions_wait(suite, 1).await;
        fulfilled(suite, restriction).await
    };
    let release = async {
        sessions_wait(suite, 2).await;
        held.commit().await.unwrap();
    };
    let (merged, done, ()) = tokio::join!(merge, restricting, release);
    assert_eq!(done.unwrap().state(), SubjectRequestState::Fulfilled);
    merged.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_that_waits_for_a_merge_restricts_both_and_after_its_undoing_one() {
    let (suite, one, other) = two().await;
    let request = asked(&suite, &one, SubjectRight::Restriction).await;
    let merging = merge(&suite, merging(&suite.convention, &one, &other));
    let done = first(&suite, merging, &request).await;
    assert_eq!(
        (done.state(), restricted(&suite).await),
        (MergeState::Merged, 2)
    );

    let (suite, one, other) = two().await;
    let merged = merge(
        &suite,
        crate::merges::merging(&suite.convention, &one, &other),
    )
    .await;
    let request = asked(&suite, &one, SubjectRight::Restriction).await;
    let undone = undo(&suite, undoing(&merged.unwrap()));
    let done = first(&suite, undone, &request).await;
    assert_eq!(
        (done.state(), restricted(&suite).await),
        (MergeState::Undone, 1)
    );
}
