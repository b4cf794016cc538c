//! Dry runs, batches that stand or fall together, and one batch by itself.

use nonrecours_contracts::followup::{
    PushBatch, PushMode, PushOpening, PushRecordsOnceRequest, PushRecordsRequest,
    PushRecordsResponse, PushUnit, Record, RecordOutcome, push_records_request::Message,
    push_service_client::PushServiceClient,
};
use tonic::{Code, Status};

use crate::support::*;

use RecordOutcome::{HeldBack, Rejected, Stored, Superseded, Unchanged};

fn once(
    suite: &Suite,
    records: Vec<Record>,
    mode: PushMode,
    unit: PushUnit,
) -> PushRecordsOnceRequest {
    PushRecordsOnceRequest {
        convention: suite.convention.to_string(),
        records,
        mode: mode.into(),
        unit: unit.into(),
    }
}

async fn push(
    suite: &Suite,
    request: PushRecordsOnceRequest,
) -> Result<PushRecordsResponse, Status> {
    let mut client = PushServiceClient::new(suite.agent());
    Ok(client.push_records_once(request).await?.into_inner())
}

/// A batch of four, one of them wrong.
fn mixed() -> Vec<Record> {
    vec![
        known("B1", |_| {}),
        right("E1", "B1"),
        right_with("E2", "B1", |right| right.right = "RMI".into()),
        note("N1", "B1", "Revient."),
    ]
}

#[tokio::test]
async fn one_batch_by_itself_is_taken_as_in_a_stream() {
    let suite = Suite::start().await;
    let request = once(
        &suite,
        mixed(),
        PushMode::Unspecified,
        PushUnit::Unspecified,
    );
    let answer = push(&suite, request.clone()).await.unwrap();
    assert_eq!(outcomes(&answer), [Stored, Stored, Rejected, Stored]);
    assert_eq!(
        (answer.sequence, answer.results[0].name.is_empty()),
        (0, false)
    );
    assert_eq!(
        faults(&answer.results[2]),
        ["entitlement.right UNKNOWN_CODE"]
    );
    let changes = suite.changes().await;
    assert_eq!(changes.len(), 3);
    // Sent again: no request id is needed for it to be harmless.
    let again = push(&suite, request).await.unwrap();
    assert_eq!(
        outcomes(&again),
        [Unchanged, Unchanged, Rejected, Unchanged]
    );
    assert_eq!(suite.changes().await, changes);
    // And in a stream it is the same record.
    assert_eq!(
        outcomes(&suite.push(vec![right("E1", "B1")]).await),
        [Unchanged]
    );
}

#[tokio::test]
async fn one_batch_by_itself_is_refused_as_a_stream_is() {
    let suite = Suite::start().await;
    let good = || once(&suite, vec![person("B1")], PushMode::Commit, PushUnit::Each);
    let other = |name: String| PushRecordsOnceRequest {
        convention: name,
        ..good()
    };
    let draft = convention_name(1, 2);
    suite.learn(draft, 1, false).await;
    for (request, code, reason) in [
        (
            PushRecordsOnceRequest {
                records: vec![],
                ..good()
            },
            Code::InvalidArgument,
            "INVALID_REQUEST",
        ),
        (
            PushRecordsOnceRequest { mode: 99, ..good() },
            Code::InvalidArgument,
            "INVALID_REQUEST",
        ),
        (
            other(convention_name(1, 9).to_string()),
            Code::NotFound,
            "NOT_FOUND",
        ),
        (
            other(convention_name(2, 1).to_string()),
            Code::PermissionDenied,
            "OUT_OF_REACH",
        ),
        (
            other(draft.to_string()),
            Code::FailedPrecondition,
            "CONVENTION_NOT_IN_FORCE",
        ),
    ] {
        let status = push(&suite, request).await.unwrap_err();
        assert_eq!(refusal(&status), (code, reason.to_owned()));
    }
    assert!(suite.changes().await.is_empty());
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_stores_nothing() {
    let suite = Suite::start().await;
    let stored = suite.push(vec![person("B0")]).await;
    let changes = suite.changes().await;
    let mut records = mixed();
    records.push(person("B0"));
    let request = once(&suite, records, PushMode::Validate, PushUnit::Each);
    for _ in 0..2 {
        let answer = push(&suite, request.clone()).await.unwrap();
        assert_eq!(
            outcomes(&answer),
            [Stored, Stored, Rejected, Stored, Unchanged]
        );
        assert_eq!(answer.results[0].name, "");
        assert_eq!(answer.results[4].name, stored.results[0].name);
        assert_eq!(
            faults(&answer.results[2]),
            ["entitlement.right UNKNOWN_CODE"]
        );
    }
    assert_eq!(suite.changes().await, changes);
    for table in ["identity", "person_key", "note_text", "entitlement"] {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(count)
            .fetch_one(&suite.owner)
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    let answer = push(
        &suite,
        once(&suite, mixed(), PushMode::Commit, PushUnit::Each),
    )
    .await;
    assert_eq!(
        outcomes(&answer.unwrap()),
        [Stored, Stored, Rejected, Stored]
    );
}

#[tokio::test]
async fn a_batch_that_stands_or_falls_together_is_kept_out_by_one_record() {
    let suite = Suite::start().await;
    let stored = suite.push(vec![person("B0")]).await;
    let changes = suite.changes().await;
    let mut records = mixed();
    // Unchanged whatever becomes of the others; and a form that another supersedes.
    records.extend([person("B0"), right("E3", "B1"), right("E3", "B1")]);
    let answer = push(
        &suite,
        once(&suite, records, PushMode::Commit, PushUnit::All),
    )
    .await
    .unwrap();
    assert_eq!(
        outcomes(&answer),
        [
            HeldBack, HeldBack, Rejected, HeldBack, Unchanged, Superseded, HeldBack
        ]
    );
    assert_eq!(answer.results[0].name, "");
    assert_eq!(answer.results[4].name, stored.results[0].name);
    assert_eq!(suite.changes().await, changes);
    // A record of no kind keeps them out as well.
    let nothing = Record {
        content: None,
        ..person("B9")
    };
    let request = once(
        &suite,
        vec![person("B1"), nothing],
        PushMode::Commit,
        PushUnit::All,
    );
    assert_eq!(
        outcomes(&push(&suite, request).await.unwrap()),
        [HeldBack, Rejected]
    );
    // Once corrected, all of it is stored.
    let good = vec![person("B1"), right("E1", "B1")];
    let answer = push(&suite, once(&suite, good, PushMode::Commit, PushUnit::All))
        .await
        .unwrap();
    assert_eq!(outcomes(&answer), [Stored; 2]);
}

#[tokio::test]
async fn a_stream_keeps_to_what_its_opening_asks_for() {
    let suite = Suite::start().await;
    let stream = async |mode: PushMode, unit: PushUnit| {
        let opening = PushOpening {
            convention: suite.convention.to_string(),
            mode: mode.into(),
            unit: unit.into(),
            ..PushOpening::default()
        };
        let batches = [mixed(), vec![person("B1")]];
        let batches = (1..)
            .zip(batches)
            .map(|(sequence, records)| Message::Batch(PushBatch { sequence, records }));
        let messages = std::iter::once(Message::Opening(opening)).chain(batches);
        let messages = messages.map(|message| PushRecordsRequest {
            message: Some(message),
        });
        let answers = send(suite.agent(), messages.collect()).await.unwrap();
        answers.iter().map(outcomes).collect::<Vec<_>>()
    };
    let all = PushUnit::All;
    assert_eq!(
        stream(PushMode::Validate, all).await,
        [vec![HeldBack, HeldBack, Rejected, HeldBack], vec![Stored]]
    );
    assert!(suite.changes().await.is_empty());
    // A batch kept out does not keep the next one out.
    assert_eq!(
        stream(PushMode::Commit, all).await,
        [vec![HeldBack, HeldBack, Rejected, HeldBack], vec![Stored]]
    );
    assert_eq!(suite.changes().await.len(), 1);
}
