//! Duplicates: found, merged, and two again, whatever was pushed before.

use nonrecours_contracts::followup::{
    BeneficiaryMerge, CreateReferralRequest, ErasureReason, GetBeneficiaryIdentityRequest,
    GetBeneficiaryMergeRequest, GetBeneficiaryRequest, Identity, JourneyState,
    ListDuplicateCandidatesRequest, MergeBeneficiariesRequest, MergeReason, MergeState, Record,
    RecordOutcome, UndoMergeRequest,
    beneficiary_identity_service_client::BeneficiaryIdentityServiceClient,
    beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
    beneficiary_service_client::BeneficiaryServiceClient,
    referral_service_client::ReferralServiceClient,
};
use nonrecours_kernel::{ConventionName, Scope};
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

use crate::{erasure, races::sessions_wait, rollup::differences, support::*};

use RecordOutcome::{Rejected, Stale, Stored, Superseded, Unchanged};

pub fn merging(of: &ConventionName, survivor: &str, duplicate: &str) -> MergeBeneficiariesRequest {
    MergeBeneficiariesRequest {
        parent: of.parent().to_string(),
        survivor: survivor.to_owned(),
        duplicate: duplicate.to_owned(),
        survivor_etag: String::new(),
        duplicate_etag: String::new(),
        reason: MergeReason::SamePseudonym.into(),
        request_id: request_id(),
    }
}

pub async fn merge(
    suite: &Suite,
    request: MergeBeneficiariesRequest,
) -> Result<BeneficiaryMerge, Status> {
    let mut client = BeneficiaryMergeServiceClient::new(suite.agent());
    Ok(client.merge_beneficiaries(request).await?.into_inner())
}

pub fn undoing(merge: &BeneficiaryMerge) -> UndoMergeRequest {
    UndoMergeRequest {
        name: merge.name.clone(),
        etag: merge.etag.clone(),
        request_id: request_id(),
    }
}

pub async fn undo(suite: &Suite, request: UndoMergeRequest) -> Result<BeneficiaryMerge, Status> {
    let mut client = BeneficiaryMergeServiceClient::new(suite.agent());
    Ok(client.undo_merge(request).await?.into_inner())
}

fn blockers(status: &Status) -> Vec<String> {
    let details = Details::of(status);
    assert_eq!(details.reason, "MERGE_UNDO_BLOCKED");
    let blockers = details.blockers.into_iter();
    blockers.map(|blocker| blocker.r#type).collect()
}

/// Names of the first records of an answer.
async fn stored(suite: &Suite, records: Vec<Record>) -> Vec<String> {
    let answer = suite.push(records).await;
    assert_eq!(answer.rejected, 0, "{:?}", answer.results);
    answer
        .results
        .into_iter()
        .map(|result| result.name)
        .collect()
}

/// All that is held of an operator's persons, but how often it was written.
async fn held(suite: &Suite, of: &ConventionName) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "beneficiary",
        "entitlement",
        "step",
        "note",
        "note_text",
        "referral",
        "identity",
        "person_key",
        "pseudonym",
        "legal_hold",
    ] {
        let all = format!(
            "SELECT '{table}' || (to_jsonb(one) - 'revision')::text FROM {table} AS one
             WHERE operator_id = $1 ORDER BY 1"
        );
        let of_table: Vec<String> = sqlx::query_scalar(AssertSqlSafe(all))
            .bind(of.operator.uuid())
            .fetch_all(&suite.owner)
            .await
            .unwrap();
        rows.extend(of_table);
    }
    rows
}

async fn figures(suite: &Suite, of: &ConventionName) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT kept::text FROM indicator_rollup AS kept
         WHERE operator_id = $1 AND persons_spotted + entitlements_followed <> 0 ORDER BY 1",
    )
    .bind(of.operator.uuid())
    .fetch_all(&suite.owner)
    .await
    .unwrap()
}

async fn persons(suite: &Suite, of: &ConventionName) -> (i64, i64) {
    sqlx::query_as(
        "SELECT coalesce(sum(persons_spotted), 0)::bigint, coalesce(sum(entitlements_followed), 0)::bigint
         FROM indicator_rollup WHERE operator_id = $1 AND dimension = 'TOTAL'",
    )
    .bind(of.operator.uuid())
    .fetch_one(&suite.owner)
    .await
    .unwrap()
}

async fn name_of(suite: &Suite, reference: &str) -> String {
    let answer = suite.push(vec![person_of(reference)]).await;
    answer.results[0].name.clone()
}

fn person_of(reference: &str) -> Record {
    known(reference, |_| {})
}

#[test]
fn merging_and_undoing_changes_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let suite = runtime.block_on(Suite::start());
    let mut runner = TestRunner::new(Config {
        cases: 10,
        failure_persistence: None,
        ..Config::default()
    });
    let case = std::sync::atomic::AtomicU32::new(300);
    // Of each of the two: identity known or not, commune, journey; rights, steps and notes of the one or the other.
    let of_person = (any::<bool>(), 0..2_usize, 0..3_usize);
    let records = prop::collection::vec((0..3_usize, any::<bool>(), 0..2_usize), 0..8);
    let result = runner.run(
        &(of_person.clone(), of_person, records),
        |(one, other, records)| {
            let number = case.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let convention = convention_name(number.into(), 1);
            runtime.block_on(async {
                suite.learn(convention, 1, true).await;
                let mut batch: Vec<Record> = [("B1", one), ("B2", other)]
                    .into_iter()
                    .map(|(reference, (is_known, commune, journey))| {
                        let change =
                            |person: &mut nonrecours_contracts::followup::BeneficiaryContent| {
                                person.commune_code = ["62263", "62041"][commune].to_owned();
                                person.state = [
                                    JourneyState::Spotted,
                                    JourneyState::Oriented,
                                    JourneyState::InSupport,
                                ][journey]
                                    .into();
                            };
                        let mut record = person_with(reference, change);
                        if is_known {
                            record = known(reference, |_| {});
                        }
                        record
                    })
                    .collect();
                for (place, (kind, of_first, right_code)) in records.iter().enumerate() {
                    let of = if *of_first { "B1" } else { "B2" };
                    let reference = format!("R{place}");
                    batch.push(match kind {
                        0 => right_with(&reference, of, |right| {
                            right.right = ["RSA", "C2S"][*right_code].to_owned();
                            right.amount = None;
                            right.amount_kind = 0;
                            right.amount_unit = 0;
                        }),
                        1 => step(&reference, of),
                        _ => note(&reference, of, "Revient lundi."),
                    });
                }
                let answers = suite.push_under(&convention, vec![batch]).await.unwrap();
                prop_assert_eq!(answers[0].rejected, 0, "{:?}", answers[0].results);
                let (rows, sums) = (
                    held(&suite, &convention).await,
                    figures(&suite, &convention).await,
                );
                let (spotted, followed) = persons(&suite, &convention).await;

                let mut client =
                    BeneficiaryMergeServiceClient::new(suite.agent_of(convention.operator));
                let names = [&answers[0].results[0].name, &answers[0].results[1].name];
                let request = merging(&convention, names[0], names[1]);
                let done = client
                    .merge_beneficiaries(request)
                    .await
                    .unwrap()
                    .into_inner();
                prop_assert_eq!(done.state(), MergeState::Merged);
                prop_assert_eq!(differences(&suite.owner).await, 0);
                prop_assert_eq!(persons(&suite, &convention).await, (spotted - 1, followed));

                let undone = client
                    .undo_merge(undoing(&done))
                    .await
                    .unwrap()
                    .into_inner();
                prop_assert_eq!(undone.state(), MergeState::Undone);
                prop_assert_eq!(differences(&suite.owner).await, 0);
                // Keys and identities are the very same rows.
                prop_assert_eq!(held(&suite, &convention).await, rows);
                prop_assert_eq!(figures(&suite, &convention).await, sums);
                Ok(())
            })
        },
    );
    result.unwrap();
}

/// Two records of one person, each with a right, a step and a note; the second referred to a partner.
pub async fn two() -> (Suite, String, String) {
    let suite = Suite::start().await;
    let names = stored(
        &suite,
        vec![
            person("B1"),
            person_of("B2"),
            right("E1", "B1"),
            right("E2", "B2"),
            step("P2", "B2"),
            note("N2", "B2", "Revient lundi."),
        ],
    )
    .await;
    let proposal = CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: names[1].clone(),
        recipient: String::new(),
        partner: "CAF".to_owned(),
        right: String::new(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
    };
    let mut sender = ReferralServiceClient::new(suite.agent());
    sender.create_referral(proposal).await.unwrap();
    (suite, names[0].clone(), names[1].clone())
}

#[tokio::test]
async fn what_hung_on_the_duplicate_hangs_on_the_survivor() {
    let (suite, one, other) = two().await;
    let request = MergeBeneficiariesRequest {
        survivor_etag: "1".to_owned(),
        duplicate_etag: "1".to_owned(),
        ..merging(&suite.convention, &one, &other)
    };
    let before = suite.changes().await.len();
    let done = merge(&suite, request.clone()).await.unwrap();
    assert_eq!(
        (
            done.entitlements,
            done.steps,
            done.notes,
            done.referrals,
            done.revision
        ),
        (1, 1, 1, 1, 1)
    );
    assert_eq!((&done.survivor, &done.duplicate), (&one, &other));
    assert_eq!(merge(&suite, request).await.unwrap(), done);
    let told: Vec<(String, i64)> = suite.changes().await[before..]
        .iter()
        .map(|change| (change.kind.clone(), change.revision))
        .collect();
    let told: Vec<(&str, i64)> = told
        .iter()
        .map(|(kind, revision)| (kind.as_str(), *revision))
        .collect();
    assert_eq!(
        told,
        [
            ("entitlement.moved", 2),
            ("step.moved", 2),
            ("note.moved", 2),
            ("referral.moved", 2),
            ("beneficiary.merged", 2),
            ("beneficiary.absorbed", 2),
            ("beneficiary_merge.done", 1),
        ]
    );
    assert_eq!(persons(&suite, &suite.convention).await, (1, 2));
    // The duplicate is not found any more; the survivor, of whom nothing was known, is known by its identity.
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let get = GetBeneficiaryRequest {
        name: other.clone(),
    };
    let status = beneficiaries.get_beneficiary(get).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let mut identities = BeneficiaryIdentityServiceClient::new(suite.agent());
    for (name, is_known) in [(&one, true), (&other, false)] {
        let request = GetBeneficiaryIdentityRequest {
            name: format!("{name}/identity"),
        };
        let answer = identities.get_beneficiary_identity(request).await;
        assert_eq!(answer.is_ok(), is_known, "{name}");
    }
    let get = GetBeneficiaryMergeRequest {
        name: done.name.clone(),
    };
    let mut client = BeneficiaryMergeServiceClient::new(suite.agent());
    let read = client
        .get_beneficiary_merge(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, done);

    let request = undoing(&done);
    let undone = undo(&suite, request.clone()).await.unwrap();
    assert_eq!((undone.state(), undone.revision), (MergeState::Undone, 2));
    assert_eq!(undo(&suite, request).await.unwrap(), undone);
    assert_eq!(persons(&suite, &suite.convention).await, (2, 2));
    let mut stale = undoing(&undone);
    stale.etag = "1".to_owned();
    let status = undo(&suite, stale).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    let status = undo(&suite, undoing(&undone)).await.unwrap_err();
    assert_eq!(blockers(&status), ["MERGE_UNDONE"]);
}

#[tokio::test]
async fn both_references_lead_to_the_survivor() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    // The same again under the duplicate's references changes nothing.
    let again = suite
        .push(vec![
            right("E2", "B2"),
            step("P2", "B2"),
            note("N2", "B2", "Revient lundi."),
        ])
        .await;
    assert_eq!(outcomes(&again), [Unchanged; 3]);
    assert_eq!(name_of(&suite, "B2").await, one);
    assert_eq!(suite.push(vec![person("B2")]).await.results[0].name, one);

    // What comes under it is the survivor's; of the two in one batch, the last counts.
    let moved = |reference: &str, commune: &str| {
        person_with(reference, |person| person.commune_code = commune.to_owned())
    };
    let answer = suite
        .push(vec![
            version(3, moved("B1", "62041")),
            version(4, moved("B2", "75056")),
            right("E3", "B2"),
        ])
        .await;
    assert_eq!(outcomes(&answer), [Superseded, Stored, Stored]);
    assert_eq!(
        [&answer.results[0].name, &answer.results[1].name],
        [&one, &one]
    );
    let old = suite.push(vec![version(2, moved("B2", "62263"))]).await;
    assert_eq!(outcomes(&old), [Stale]);
    assert_eq!(persons(&suite, &suite.convention).await, (1, 3));
    assert_eq!(differences(&suite.owner).await, 0);
    let status = undo(&suite, undoing(&done)).await.unwrap_err();
    assert_eq!(blockers(&status), ["MERGE_USED"]);
}

#[tokio::test]
async fn two_records_that_cannot_be_one_are_refused() {
    let (suite, one, other) = two().await;
    let refused = async |request: MergeBeneficiariesRequest| {
        refusal(&merge(&suite, request).await.unwrap_err())
    };
    let request = || merging(&suite.convention, &one, &other);
    let status = merge(&suite, merging(&suite.convention, &one, &one))
        .await
        .unwrap_err();
    let details = Details::of(&status);
    assert_eq!(details.violations[0].reason, "MERGE_WITH_ITSELF");
    let stale = MergeBeneficiariesRequest {
        duplicate_etag: "9".to_owned(),
        ..request()
    };
    assert_eq!(
        refused(stale).await,
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    let stale = MergeBeneficiariesRequest {
        survivor_etag: "9".to_owned(),
        ..request()
    };
    assert_eq!(
        refused(stale).await,
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    let unknown = format!(
        "{}/beneficiaries/{}",
        suite.convention.parent(),
        request_id()
    );
    let nobody = merging(&suite.convention, &one, &unknown);
    assert_eq!(
        refused(nobody).await,
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
    let foreign = format!("operators/{}/beneficiaries/{}", operator(2), request_id());
    let foreign = merging(&suite.convention, &one, &foreign);
    assert_eq!(
        refused(foreign).await,
        (Code::PermissionDenied, "OUT_OF_REACH".to_owned())
    );
    let next = convention_name(1, 2);
    suite.learn(next, 1, true).await;
    let answers = suite
        .push_under(&next, vec![vec![person("B9")]])
        .await
        .unwrap();
    let across = merging(&suite.convention, &one, &answers[0].results[0].name);
    assert_eq!(
        refused(across).await,
        (
            Code::FailedPrecondition,
            "MERGE_ACROSS_CONVENTIONS".to_owned()
        )
    );
    assert_eq!(persons(&suite, &suite.convention).await, (3, 2));
}

#[tokio::test]
async fn what_cannot_be_undone_exactly_says_why() {
    let (suite, one, other) = two().await;
    let third = stored(&suite, vec![person("B3")]).await.remove(0);
    let first = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    let second = merge(&suite, merging(&suite.convention, &third, &one))
        .await
        .unwrap();
    // Through two merges: B2 leads to B3.
    assert_eq!(suite.push(vec![right("E2", "B2")]).await.unchanged, 1);
    assert_eq!(persons(&suite, &suite.convention).await, (1, 2));
    let status = undo(&suite, undoing(&first)).await.unwrap_err();
    assert_eq!(
        blockers(&status),
        ["MERGE_SURVIVOR_MERGED", "MERGE_RECORDS_MOVED"]
    );
    undo(&suite, undoing(&second)).await.unwrap();
    // One of the duplicate's rights goes to somebody else, and the identity changes.
    let changes = vec![
        right("E2", "B3"),
        known("B1", |identity| identity.phone.clear()),
    ];
    stored(&suite, changes).await;
    let status = undo(&suite, undoing(&first)).await.unwrap_err();
    assert_eq!(
        blockers(&status),
        ["MERGE_RECORDS_MOVED", "MERGE_IDENTITY_CHANGED"]
    );
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn an_identity_of_the_survivors_own_is_not_taken_back_with_the_one_it_was_given() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    // The identity that came with the merge is taken away, and on a later day the survivor is given its own.
    suite.clock.advance(time::Duration::days(1));
    let emptied = known("B1", |identity| *identity = Identity::default());
    stored(&suite, vec![emptied]).await;
    suite.clock.advance(time::Duration::days(1));
    let own = known("B1", |identity| {
        "Solène".clone_into(&mut identity.first_names)
    });
    stored(&suite, vec![own]).await;
    let status = undo(&suite, undoing(&done)).await.unwrap_err();
    assert_eq!(blockers(&status), ["MERGE_IDENTITY_CHANGED"]);
    let mut client = BeneficiaryIdentityServiceClient::new(suite.agent());
    let kept = client
        .get_beneficiary_identity(GetBeneficiaryIdentityRequest {
            name: format!("{one}/identity"),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(kept.identity.unwrap().first_names, "Solène");
}

#[tokio::test]
async fn what_is_pushed_while_a_merge_is_undone_goes_to_whom_it_names() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    // Undoing holds the survivor already and waits for the merge; the push has been led to the survivor and waits for it.
    let mut held = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    sqlx::query("SELECT 1 FROM beneficiary_merge FOR UPDATE")
        .execute(held.conn())
        .await
        .unwrap();
    let pushing = async {
        sessions_wait(&suite, 1).await;
        suite.push(vec![right("E9", "B2")]).await
    };
    let release = async {
        sessions_wait(&suite, 2).await;
        held.commit().await.unwrap();
    };
    let (undone, answer, ()) = tokio::join!(undo(&suite, undoing(&done)), pushing, release);
    assert_eq!(undone.unwrap().state(), MergeState::Undone);
    assert_eq!((answer.stored, answer.rejected), (1, 0));
    let of: String = sqlx::query_scalar(
        "SELECT person.external_reference FROM entitlement JOIN beneficiary AS person USING (operator_id, beneficiary_id)
         WHERE entitlement.external_reference = 'E9'",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert_eq!(of, "B2");
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn a_push_finds_the_person_whose_merge_is_undone_between_its_two_looks() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    // The push has looked for the person, who is merged still, and waits for the convention before it looks for merges.
    let mut held = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    sqlx::query("SELECT 1 FROM convention FOR UPDATE")
        .execute(held.conn())
        .await
        .unwrap();
    let undoing = async {
        sessions_wait(&suite, 1).await;
        let undone = undo(&suite, undoing(&done)).await.unwrap();
        held.commit().await.unwrap();
        undone
    };
    let (answer, undone) = tokio::join!(suite.push(vec![right("E9", "B2")]), undoing);
    assert_eq!(undone.state(), MergeState::Undone);
    assert_eq!(outcomes(&answer), [Stored], "{:?}", answer.results);
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn erasing_the_survivor_erases_the_duplicate_with_the_merge() {
    let (suite, one, other) = two().await;
    let done = merge(&suite, merging(&suite.convention, &one, &other))
        .await
        .unwrap();
    let before = figures(&suite, &suite.convention).await;
    let request = erasure::erase_request(&one, ErasureReason::SubjectRequest);
    let erased = erasure::ask(&suite, request).await.unwrap();
    assert_eq!((erased.entitlements, erased.steps, erased.notes), (2, 1, 1));
    assert_eq!(figures(&suite, &suite.convention).await, before);
    assert_eq!(held(&suite, &suite.convention).await, Vec::<String>::new());
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM merged_beneficiary) + (SELECT count(*) FROM merged_record)
              + (SELECT count(*) FROM beneficiary_merge)",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert_eq!(left, 0);
    let answer = suite.push(vec![person("B1"), person_of("B2")]).await;
    assert_eq!(outcomes(&answer), [Rejected, Rejected]);
    assert_eq!(
        faults(&answer.results[1]),
        ["external_reference BENEFICIARY_ERASED"]
    );
    let status = undo(&suite, undoing(&done)).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn candidates_have_one_pseudonym_under_one_convention() {
    let suite = Suite::start().await;
    let names = stored(
        &suite,
        vec![
            person_of("B1"),
            person("B2"),
            known("B3", |identity| identity.usual_name.clear()),
            known("B4", |identity| identity.birth_name = "Autre".to_owned()),
            person_of("B5"),
        ],
    )
    .await;
    let list = async |page_size, page_token: &str| {
        let request = ListDuplicateCandidatesRequest {
            parent: suite.convention.parent().to_string(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let mut client = BeneficiaryMergeServiceClient::new(suite.agent());
        client
            .list_duplicate_candidates(request)
            .await
            .unwrap()
            .into_inner()
    };
    let all = list(0, "").await;
    let pairs: Vec<(&str, &str)> = all
        .candidates
        .iter()
        .map(|pair| (pair.older_reference.as_str(), pair.newer_reference.as_str()))
        .collect();
    assert_eq!(pairs, [("B1", "B3"), ("B1", "B5"), ("B3", "B5")]);
    assert_eq!(all.candidates[0].older, names[0]);
    let first = list(2, "").await;
    let rest = list(2, &first.next_page_token).await;
    assert_eq!(
        (first.candidates.len(), rest.candidates.as_slice()),
        (2, &all.candidates[2..])
    );
    merge(&suite, merging(&suite.convention, &names[0], &names[2]))
        .await
        .unwrap();
    assert_eq!(list(0, "").await.candidates.len(), 1);
}

#[tokio::test]
async fn pushes_while_two_become_one_leave_nothing_apart() {
    let (suite, one, other) = two().await;
    let streams = ["W", "X"].map(|stream| {
        let suite = &suite;
        async move {
            for round in 0..6 {
                let reference = |kind: &str| format!("{kind}{stream}{round}");
                let records = || {
                    vec![
                        right(&reference("E"), "B2"),
                        step(&reference("P"), "B2"),
                        note(&reference("N"), "B1", "Revient lundi."),
                    ]
                };
                loop {
                    match suite.push_under(&suite.convention, vec![records()]).await {
                        Ok(answers) => break assert_eq!(answers[0].rejected, 0),
                        Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
                    }
                }
            }
        }
    });
    let merging = async {
        loop {
            match merge(&suite, merging(&suite.convention, &one, &other)).await {
                Ok(_) => return,
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
        }
    };
    tokio::join!(futures_util::future::join_all(streams), merging);
    // One person, with all that was sent of either.
    assert_eq!(persons(&suite, &suite.convention).await, (1, 14));
    assert_eq!(differences(&suite.owner).await, 0);
    let (steps, of): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT beneficiary_id) FROM step")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
    assert_eq!((steps, of), (13, 1));
}
