//! Batches that meet.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nonrecours_contracts::followup::{
    JourneyState, PushRecordsResponse, Record as Wire, RecordOutcome, SubjectRequest,
    SubjectRequestState, SubjectRight,
};
use nonrecours_followup::{
    beneficiary::{
        self,
        domain::{Beneficiary, ClosingReason, Journey, Publics},
    },
    push::ground::Ground,
    record::Record,
    subject_request::{self as register, limit},
};
use nonrecours_kernel::{Clock as _, Scope};
use nonrecours_rpc::details::Details;
use tonic::Code;

use crate::{
    limits::{asked, fulfilled, lifted},
    support::*,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_push_the_same_records_all_succeed() {
    const STREAMS: usize = 4;
    const RECORDS: usize = 60;
    let suite = Suite::start().await;
    // Every stream sends every record, each from another one on and every other one backwards, with a content and a
    // version of its own.
    let pushed = (0..STREAMS).map(|stream| {
        let mut records: Vec<Wire> = (0..RECORDS)
            .map(|number| {
                let venue = format!("Salle {stream}");
                let change = |session: &mut nonrecours_contracts::followup::SessionContent| {
                    session.venue = venue
                };
                version(
                    i64::try_from(stream).unwrap(),
                    session_with(&format!("S{number:02}"), change),
                )
            })
            .collect();
        records.rotate_left(stream * 17 % RECORDS);
        if stream % 2 == 1 {
            records.reverse();
        }
        let batches = records.chunks(15).map(<[Wire]>::to_vec).collect();
        suite.push_under(&suite.convention, batches)
    });
    let answers: Vec<PushRecordsResponse> = futures_util::future::try_join_all(pushed)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect();

    let mut stored: BTreeMap<String, i64> = BTreeMap::new();
    for result in answers.iter().flat_map(|answer| &answer.results) {
        let outcome = result.outcome();
        assert!(
            matches!(outcome, RecordOutcome::Stored | RecordOutcome::Stale),
            "{outcome:?}"
        );
        *stored.entry(result.name.clone()).or_default() +=
            i64::from(outcome == RecordOutcome::Stored);
    }
    assert_eq!(stored.len(), RECORDS);
    // Each change that was answered as stored was announced once, and the last version won.
    let mut announced: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for change in suite.changes().await {
        announced
            .entry(change.name)
            .or_default()
            .push(change.revision);
    }
    for (name, count) in &stored {
        let revisions = announced.get_mut(name).unwrap();
        revisions.sort_unstable();
        assert_eq!(*revisions, (1..=*count).collect::<Vec<i64>>());
    }
    let last = (0..RECORDS).map(|number| {
        version(
            3,
            session_with(&format!("S{number:02}"), |session| {
                session.venue = "Salle 3".into()
            }),
        )
    });
    assert_eq!(suite.push(last.collect()).await.unchanged, 60);
}

/// Waits until a session of the database waits for another one's lock, for ten seconds at most.
async fn somebody_waits(suite: &Suite) {
    sessions_wait(suite, 1).await;
}

/// Waits until so many do.
pub async fn sessions_wait(suite: &Suite, sessions: i64) {
    let waiting = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_locks WHERE NOT granted
                 AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())",
            )
            .fetch_one(&suite.owner)
            .await
            .unwrap();
            if waiting >= sessions {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("a lock is waited for");
}

fn closed(suite: &Suite, reference: &str) -> Record<Beneficiary> {
    let now = suite.clock.now();
    Record {
        convention: suite.convention,
        id: suite.ids.next(),
        reference: reference.parse().unwrap(),
        version: 0,
        revision: 1,
        create_time: now,
        update_time: now,
        content: Beneficiary {
            publics: Publics::stored(vec!["SENIOR".to_owned()]),
            commune: "62263".parse().unwrap(),
            age_band: None,
            journey: Journey::Closed(ClosingReason::RightsOpened),
            spotted_date: time::macros::date!(2025 - 10 - 01),
        },
    }
}

fn scope(suite: &Suite) -> Scope {
    let caller = nonrecours_kernel::Caller::new(
        "agent",
        "Agent",
        [nonrecours_kernel::Role::OperatorAgent],
        Some(suite.convention.operator),
    );
    caller.unwrap().scope()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_stored_meanwhile_is_not_overwritten_against_the_rules() {
    let suite = Suite::start().await;
    // Another batch has stored the reference, and has not committed yet.
    let mut tx = suite.db.begin(&scope(&suite)).await.unwrap();
    beneficiary::store::write(&mut tx, &suite.convention, &[closed(&suite, "B1")])
        .await
        .unwrap();
    let push = suite.push(vec![person_with("B1", |person| {
        person.state = JourneyState::Spotted.into()
    })]);
    let commit = async {
        somebody_waits(&suite).await;
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(push, commit);
    assert_eq!(
        faults(&answer.results[0]),
        ["beneficiary.state TRANSITION_ILLEGAL"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_changed_meanwhile_is_not_overwritten_against_the_rules() {
    let suite = Suite::start().await;
    suite
        .push(vec![person_with("B1", |person| {
            person.state = JourneyState::Spotted.into()
        })])
        .await;
    let mut tx = suite.db.begin(&scope(&suite)).await.unwrap();
    let mut stored = beneficiary::store::find(&mut tx, suite.convention.operator, &["B1"])
        .await
        .unwrap();
    let changed = Record {
        id: stored.remove(0).id,
        revision: 2,
        ..closed(&suite, "B1")
    };
    beneficiary::store::write(&mut tx, &suite.convention, &[changed])
        .await
        .unwrap();
    let push = suite.push(vec![person_with("B1", |person| {
        person.state = JourneyState::Informed.into()
    })]);
    let commit = async {
        somebody_waits(&suite).await;
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(push, commit);
    assert_eq!(
        faults(&answer.results[0]),
        ["beneficiary.state TRANSITION_ILLEGAL"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_convention_does_not_end_under_a_batch_in_hand() {
    let suite = Suite::start().await;
    let mut tx = suite.db.begin(&scope(&suite)).await.unwrap();
    let ground = Ground::hold(&mut tx, &suite.convention).await.unwrap();
    assert_eq!(ground.in_force, Some(true));
    // Batches do not wait for each other.
    assert_eq!(suite.push(vec![person("B1")]).await.stored, 1);
    let end = suite.learn(suite.convention, 2, false);
    let commit = async {
        somebody_waits(&suite).await;
        tx.commit().await.unwrap();
    };
    tokio::join!(end, commit);
    let status = suite
        .push_under(&suite.convention, vec![vec![person("B2")]])
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "CONVENTION_NOT_IN_FORCE");
}

/// A restriction that is about to be fulfilled, of a person who is known; their name.
async fn restricting(suite: &Suite) -> (String, SubjectRequest) {
    let person = suite
        .push(vec![person("B1"), step("T0", "B1")])
        .await
        .results[0]
        .name
        .clone();
    let request = asked(suite, &person, SubjectRight::Restriction).await;
    (person, request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_waits_for_the_batches_in_hand() {
    let suite = Suite::start().await;
    let (_, request) = restricting(&suite).await;
    // A batch that has not looked at the limits yet.
    let mut tx = suite.db.begin(&scope(&suite)).await.unwrap();
    Ground::hold(&mut tx, &suite.convention).await.unwrap();
    let commit = async {
        somebody_waits(&suite).await;
        tx.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(fulfilled(&suite, &request), commit);
    assert_eq!(done.unwrap().state(), SubjectRequestState::Fulfilled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_waits_for_a_restriction_in_hand_and_is_rejected() {
    let suite = Suite::start().await;
    let (person, request) = restricting(&suite).await;
    let mut tx = suite.db.begin(&scope(&suite)).await.unwrap();
    let name = request.name.parse().unwrap();
    let held = register::store::lock(&mut tx, &name)
        .await
        .unwrap()
        .unwrap();
    limit::begin(&mut tx, &held).await.unwrap();
    // A new record of the person, a stored one, and the person.
    let push = suite.push(vec![
        step("T1", "B1"),
        version(1, step_with("T0", "B1", |step| step.minutes = 50)),
        version(
            1,
            person_with("B1", |person| person.commune_code = "62041".into()),
        ),
    ]);
    let commit = async {
        somebody_waits(&suite).await;
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(push, commit);
    assert_eq!(answer.rejected, 3, "{:?}", answer.results);
    assert_eq!(written(&suite, &person).await, 2);
}

/// Changes announced of a person and their steps.
async fn written(suite: &Suite, person: &str) -> usize {
    let changes = suite.changes().await;
    let of = |name: &str| name == person || name.contains("/steps/");
    changes.iter().filter(|change| of(&change.name)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_person_is_written_once_a_restriction_was_acknowledged() {
    const ROUNDS: usize = 6;
    const STREAMS: usize = 3;
    let suite = Suite::start().await;
    let (person, _) = restricting(&suite).await;
    let mut landed = written(&suite, &person).await;
    for round in 0..ROUNDS {
        let request = asked(&suite, &person, SubjectRight::Restriction).await;
        let acknowledged = AtomicBool::new(false);
        // Each pushes a new record of the person and a stored one, again and again, and once more after the restriction.
        let pushes = futures_util::future::join_all((0..STREAMS).map(async |stream| {
            for number in 0.. {
                let last = acknowledged.load(Ordering::SeqCst);
                let minutes = i32::try_from(number % 600).unwrap();
                let records = vec![
                    step(&format!("T{round}-{stream}-{number}"), "B1"),
                    version(
                        i64::try_from(round * 1_000_000 + number * STREAMS + stream).unwrap(),
                        step_with("T0", "B1", |step| step.minutes = minutes),
                    ),
                ];
                let answer = suite.push(records).await;
                if last {
                    return answer.rejected;
                }
            }
            0
        }));
        // Each round a little later into the pushes.
        let restrict = async {
            while written(&suite, &person).await < landed + 1 + round * 4 {
                tokio::task::yield_now().await;
            }
            let done = fulfilled(&suite, &request).await.unwrap();
            let so_far = written(&suite, &person).await;
            acknowledged.store(true, Ordering::SeqCst);
            (done, so_far)
        };
        let (rejected, (done, so_far)) = tokio::join!(pushes, restrict);
        assert_eq!(rejected, [2; STREAMS], "round {round}");
        assert_eq!(written(&suite, &person).await, so_far, "round {round}");
        landed = so_far;
        lifted(&suite, &done).await;
    }
}

#[tokio::test]
async fn a_batch_overtaken_again_and_again_is_refused_and_may_be_sent_again() {
    let suite = Suite::start().await;
    // A sequence keeps counting what is rolled back.
    for statement in [
        "CREATE SEQUENCE attempts",
        "GRANT USAGE ON SEQUENCE attempts TO PUBLIC",
        "CREATE FUNCTION overtaken() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM nextval('attempts'); RAISE EXCEPTION 'overtaken' USING ERRCODE = '40P01'; END $$",
        "CREATE TRIGGER overtaken BEFORE INSERT ON beneficiary EXECUTE FUNCTION overtaken()",
    ] {
        sqlx::query(statement).execute(&suite.owner).await.unwrap();
    }
    let status = suite
        .push_under(&suite.convention, vec![vec![person("B1")]])
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Aborted, "CONCURRENT_UPDATE".to_owned())
    );
    assert!(Details::of(&status).retry.is_some());
    let attempts: i64 = sqlx::query_scalar("SELECT last_value FROM attempts")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(attempts, 10);

    sqlx::query("DROP TRIGGER overtaken ON beneficiary")
        .execute(&suite.owner)
        .await
        .unwrap();
    assert_eq!(suite.push(vec![person("B1")]).await.stored, 1);
}
