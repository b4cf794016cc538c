//! Unary pushes that come at the same time, and are stored together.

use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use nonrecours_contracts::followup::{
    PushRecordsOnceRequest, PushRecordsResponse, PushUnit, Record, RecordOutcome,
    push_service_client::PushServiceClient,
};
use nonrecours_kernel::Scope;
use tonic::{Code, Status};

use crate::support::*;

/// Pushes each at the same time, while the first of them cannot go on before all have been sent.
async fn at_once(
    suite: &Suite,
    pushes: Vec<Vec<Record>>,
) -> Vec<Result<PushRecordsResponse, Status>> {
    // Whoever pushes holds the convention; so does this, alone.
    let mut held = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    sqlx::query("SELECT 1 FROM convention FOR UPDATE")
        .execute(held.conn())
        .await
        .unwrap();
    let client = PushServiceClient::new(suite.agent());
    let sent = pushes.into_iter().map(|records| {
        let mut client = client.clone();
        let request = PushRecordsOnceRequest {
            convention: suite.convention.to_string(),
            records,
            ..PushRecordsOnceRequest::default()
        };
        async move {
            client
                .push_records_once(request)
                .await
                .map(tonic::Response::into_inner)
        }
    });
    let release = async {
        loop {
            let waits: bool = sqlx::query_scalar(
                // Whoever waits for a row has its turn as a lock on the tuple.
                "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
                                WHERE datname = current_database() AND locktype = 'tuple')",
            )
            .fetch_one(&suite.owner)
            .await
            .unwrap();
            if waits {
                return held.commit().await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(join_all(sent), release).0
}

async fn transactions(suite: &Suite) -> i64 {
    sqlx::query_scalar("SELECT count(DISTINCT xid::text) FROM outbox")
        .fetch_one(&suite.owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_that_wait_share_a_transaction_and_have_their_own_answers() {
    let suite = Suite::start().await;
    let wrong = |number: usize| person_with(&format!("W{number}"), |person| person.publics.clear());
    let pushes = (0..60).map(|number| match number % 3 {
        0 => vec![wrong(number)],
        _ => vec![
            person(&format!("B{number}")),
            right(&format!("E{number}"), &format!("B{number}")),
        ],
    });
    let answers = at_once(&suite, pushes.collect()).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap();
        assert_eq!(answer.sequence, 0);
        match number % 3 {
            0 => {
                assert_eq!(answer.results[0].external_reference, format!("W{number}"));
                assert_eq!(faults(&answer.results[0]), ["beneficiary.publics REQUIRED"]);
            }
            _ => {
                assert_eq!(outcomes(&answer), [RecordOutcome::Stored; 2]);
                assert_eq!(answer.results[1].external_reference, format!("E{number}"));
            }
        }
    }
    assert_eq!(suite.changes().await.len(), 80);
    let transactions = transactions(&suite).await;
    assert!(
        transactions < 40,
        "{transactions} transactions for 60 pushes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_of_one_record_come_one_after_the_other() {
    let suite = Suite::start().await;
    let pushes = (1..=20).map(|number| vec![version(number, person("B1"))]);
    let answers = at_once(&suite, pushes.collect()).await;
    let mut stored = 0;
    for answer in answers {
        match outcomes(&answer.unwrap())[..] {
            [RecordOutcome::Stored] => stored += 1,
            // A newer one came first; none stands for another.
            [RecordOutcome::Stale] => {}
            ref other => panic!("{other:?}"),
        }
    }
    let changes = suite.changes().await;
    assert_eq!(changes.len(), stored);
    assert_eq!(
        changes.last().unwrap().revision,
        i64::try_from(stored).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_leaves_its_neighbours_alone() {
    let suite = Suite::start().await;
    suite.push(vec![known("B0", |_| {})]).await;
    let suite = suite.restarted(&ring(&[2], &[1])).await;
    let mut pushes: Vec<_> = (1..=10)
        .map(|number| vec![person(&format!("B{number}"))])
        .collect();
    // Who B0 is can be neither compared nor sealed again without the key.
    pushes.insert(
        5,
        vec![known("B0", |identity| {
            identity.phone = "06 39 98 00 00".to_owned()
        })],
    );
    for (place, answer) in at_once(&suite, pushes).await.into_iter().enumerate() {
        match place {
            5 => assert_eq!(answer.unwrap_err().code(), Code::Unavailable),
            _ => assert_eq!(outcomes(&answer.unwrap()), [RecordOutcome::Stored]),
        }
    }
}

#[tokio::test]
async fn a_push_that_stands_or_falls_together_is_taken_alone() {
    let suite = Suite::start().await;
    let request = |reference: &str| PushRecordsOnceRequest {
        convention: suite.convention.to_string(),
        records: vec![person(reference), right("E1", "nobody")],
        unit: PushUnit::All.into(),
        ..PushRecordsOnceRequest::default()
    };
    let mut client = PushServiceClient::new(suite.agent());
    let answer = client.push_records_once(request("B1")).await.unwrap();
    assert_eq!(answer.into_inner().held_back, 1);
    assert_eq!(suite.changes().await, []);
}

/// Pushes of one caller sent at once, over as many connections as they need.
const AT_ONCE: usize = 400;
/// Pushes on one connection: fewer than the streams it may have.
const ON_ONE_CONNECTION: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_caller_may_have_waiting_is_bounded() {
    let suite = Suite::start().await;
    let mut held = suite.db.begin(&Scope::of_service("test")).await.unwrap();
    sqlx::query("SELECT 1 FROM convention FOR UPDATE")
        .execute(held.conn())
        .await
        .unwrap();
    let clients: Vec<_> = (0..AT_ONCE.div_ceil(ON_ONE_CONNECTION))
        .map(|_| PushServiceClient::new(suite.agent()))
        .collect();
    let push = |number: usize| {
        let mut client = clients[number / ON_ONE_CONNECTION].clone();
        let request = PushRecordsOnceRequest {
            convention: suite.convention.to_string(),
            records: vec![person(&format!("B{number}"))],
            ..PushRecordsOnceRequest::default()
        };
        async move { (number, client.push_records_once(request).await) }
    };
    let mut sent: FuturesUnordered<_> = (0..AT_ONCE).map(push).collect();
    // While nothing can be stored, whoever is answered is refused.
    let mut refused = Vec::new();
    let (number, answer) = sent.next().await.unwrap();
    assert_eq!(refusal(&answer.unwrap_err()).1, "OVERLOADED");
    refused.push(number);
    held.commit().await.unwrap();
    let mut stored = 0;
    while let Some((number, answer)) = sent.next().await {
        match answer {
            Ok(answer) => stored += answer.into_inner().stored,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted);
                refused.push(number);
            }
        }
    }
    assert_eq!(usize::try_from(stored).unwrap() + refused.len(), AT_ONCE);
    // Nothing of the refused ones is there; sent again, they are stored.
    for number in refused {
        assert_eq!(push(number).await.1.unwrap().into_inner().stored, 1);
    }
    assert_eq!(suite.changes().await.len(), AT_ONCE);
}
