//! Streams that end early, and go on.

use nonrecours_contracts::followup::{
    ErasureReason, GetPushProgressRequest, PushMode, PushOpening, PushRecordsRequest,
    PushRecordsResponse, PushUnit, Record, RecordOutcome, push_records_request::Message,
    push_service_client::PushServiceClient,
};
use nonrecours_followup::push::mark;
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::details::Details;
use sqlx::AssertSqlSafe;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

use crate::{erasure, support::*};

const STREAM: &str = "0199c3f0-0000-7000-8000-000000000001";

/// The opening of a stream that can be resumed.
fn resumable(convention: &ConventionName) -> PushRecordsRequest {
    opened(convention, |opening| {
        STREAM.clone_into(&mut opening.stream_id)
    })
}

fn opened(
    convention: &ConventionName,
    change: impl FnOnce(&mut PushOpening),
) -> PushRecordsRequest {
    let mut opening = PushOpening {
        convention: convention.to_string(),
        ..PushOpening::default()
    };
    change(&mut opening);
    PushRecordsRequest {
        message: Some(Message::Opening(opening)),
    }
}

/// Three persons a batch.
fn records(sequence: i64) -> Vec<Record> {
    let one = |number| person(&format!("B{sequence}-{number}"));
    (1..=3).map(one).collect()
}

/// Batches of a resumable stream from a number on.
async fn push(
    suite: &Suite,
    batches: impl IntoIterator<Item = (i64, Vec<Record>)>,
) -> Result<Vec<PushRecordsResponse>, Status> {
    let batches = batches
        .into_iter()
        .map(|(sequence, records)| batch(sequence, records));
    let messages = std::iter::once(resumable(&suite.convention)).chain(batches);
    send(suite.agent(), messages.collect()).await
}

async fn progress(suite: &Suite, convention: &ConventionName, stream: &str) -> Result<i64, Status> {
    let request = GetPushProgressRequest {
        convention: convention.to_string(),
        stream_id: stream.to_owned(),
    };
    let answer = PushServiceClient::new(suite.agent())
        .get_push_progress(request)
        .await?;
    Ok(answer.into_inner().last_sequence)
}

async fn reached(suite: &Suite) -> i64 {
    progress(suite, &suite.convention, STREAM).await.unwrap()
}

#[tokio::test]
async fn what_is_done_is_answered_and_not_done_again() {
    let suite = Suite::start().await;
    assert_eq!(reached(&suite).await, 0);
    let first = push(&suite, [(1, records(1)), (2, records(2))])
        .await
        .unwrap();
    assert!(
        first
            .iter()
            .all(|answer| answer.stored == 3 && !answer.repeated)
    );
    assert_eq!(reached(&suite).await, 2);

    let again = push(
        &suite,
        (1..=3).map(|sequence| (sequence, records(sequence))),
    )
    .await
    .unwrap();
    let told: Vec<_> = again
        .iter()
        .map(|answer| {
            (
                answer.sequence,
                answer.stored,
                answer.results.len(),
                answer.repeated,
            )
        })
        .collect();
    assert_eq!(told, [(1, 3, 0, true), (2, 3, 0, true), (3, 3, 3, false)]);
    assert_eq!(suite.changes().await.len(), 9);
    // From any batch that is done, or the next one.
    let last = push(&suite, [(4, records(4))]).await.unwrap();
    assert_eq!((last[0].stored, last[0].repeated), (3, false));
}

#[tokio::test]
async fn cut_anywhere_a_stream_goes_on_and_every_record_is_stored_once() {
    const BATCHES: i64 = 4;
    for cut in 0..=BATCHES {
        let suite = Suite::start().await;
        // Sends so many batches, and is gone after half of the answers.
        let batches = (1..=cut).map(|sequence| batch(sequence, records(sequence)));
        let messages: Vec<_> = std::iter::once(resumable(&suite.convention))
            .chain(batches)
            .collect();
        let endless = tokio_stream::iter(messages).chain(tokio_stream::pending());
        let mut client = PushServiceClient::new(suite.agent());
        let mut answers = client.push_records(endless).await.unwrap().into_inner();
        for sequence in 1..=cut / 2 {
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!(answer.sequence, sequence);
        }
        drop((answers, client));

        let reached = reached(&suite).await;
        assert!(cut / 2 <= reached && reached <= cut, "{reached} of {cut}");
        let rest = (reached + 1..=BATCHES).map(|sequence| (sequence, records(sequence)));
        let answers = push(&suite, rest).await.unwrap();
        // A batch that was still in hand may have been done since the question: then it is answered as done.
        assert!(answers.iter().all(|answer| answer.stored == 3));
        let mut names: Vec<String> = suite
            .changes()
            .await
            .into_iter()
            .map(|change| change.name)
            .collect();
        assert_eq!(names.len(), 3 * usize::try_from(BATCHES).unwrap());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3 * usize::try_from(BATCHES).unwrap());
    }
}

#[tokio::test]
async fn what_was_rejected_is_told_again() {
    let suite = Suite::start().await;
    let wrong = person_with("B2", |person| person.commune_code = "x".to_owned());
    let records = || vec![person("B1"), wrong.clone(), person("B1")];
    let first = push(&suite, [(1, records())]).await.unwrap().remove(0);
    let again = push(&suite, [(1, records())]).await.unwrap().remove(0);
    assert!(again.repeated);
    assert_eq!((again.stored, again.rejected, again.superseded), (1, 1, 1));
    let kept: Vec<_> = first
        .results
        .into_iter()
        .filter(|result| result.outcome() != RecordOutcome::Stored)
        .collect();
    assert_eq!(again.results, kept);
    assert_eq!(
        faults(&again.results[1]),
        ["beneficiary.commune_code UNKNOWN_CODE"]
    );
}

#[tokio::test]
async fn a_social_security_number_sent_as_a_reference_is_nowhere_kept() {
    const NIR: &str = "1850262263001";
    let suite = Suite::start().await;
    let records = || vec![person(NIR), person("B2")];
    let first = push(&suite, [(1, records())]).await.unwrap().remove(0);
    assert_eq!(first.results[0].external_reference, NIR);
    let again = push(&suite, [(1, records())]).await.unwrap().remove(0);
    assert_eq!((again.stored, again.rejected), (1, 1));
    assert_eq!(again.results[0].external_reference, "");
    assert_eq!(
        faults(&again.results[0]),
        ["external_reference REFERENCE_INVALID"]
    );
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&suite.owner)
            .await
            .unwrap();
    assert!(tables.contains(&"push_batch".to_owned()));
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT kept::text FROM {table} AS kept"
        )))
        .fetch_all(&suite.owner)
        .await
        .unwrap();
        // Bytes are shown in hexadecimal.
        let hidden: String = NIR.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            !rows
                .iter()
                .any(|row| row.contains(NIR) || row.contains(&hidden)),
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_batch_kept_out_is_done_all_the_same() {
    let suite = Suite::start().await;
    let messages = || {
        vec![
            opened(&suite.convention, |opening| {
                opening.unit = PushUnit::All.into();
                STREAM.clone_into(&mut opening.stream_id);
            }),
            batch(1, vec![person("B1"), right("E1", "nobody")]),
        ]
    };
    let first = send(suite.agent(), messages()).await.unwrap().remove(0);
    assert_eq!((first.rejected, first.held_back), (1, 1));
    assert_eq!(reached(&suite).await, 1);
    let again = send(suite.agent(), messages()).await.unwrap().remove(0);
    assert!(again.repeated);
    assert_eq!(again.results, first.results);
    assert_eq!(suite.changes().await, []);
}

#[tokio::test]
async fn two_streams_of_one_id_at_once_do_each_batch_once() {
    let suite = Suite::start().await;
    let all = || (1..=5).map(|sequence| (sequence, records(sequence)));
    let (one, other) = tokio::join!(push(&suite, all()), push(&suite, all()));
    for answer in one.unwrap().into_iter().chain(other.unwrap()) {
        assert_eq!(answer.stored, 3);
    }
    assert_eq!(suite.changes().await.len(), 15);
}

#[tokio::test]
async fn another_batch_under_the_same_number_is_refused() {
    let suite = Suite::start().await;
    push(&suite, [(1, records(1))]).await.unwrap();
    let status = push(&suite, [(1, records(2))]).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::FailedPrecondition, "BATCH_DIFFERS".to_owned())
    );
    assert_eq!(suite.changes().await.len(), 3);
    // Under another convention it is another stream.
    let other = convention_name(1, 2);
    suite.learn(other, 1, true).await;
    let messages = vec![resumable(&other), batch(1, records(2))];
    let answers = send(suite.agent(), messages).await.unwrap();
    assert_eq!((answers[0].stored, answers[0].repeated), (3, false));
}

#[tokio::test]
async fn a_stream_has_an_id_of_its_own_and_leaves_nothing_out() {
    let suite = Suite::start().await;
    push(&suite, [(1, records(1))]).await.unwrap();
    let wrong = |status: Status| {
        let violation = Details::of(&status).violations.remove(0);
        (status.code(), violation.field, violation.reason)
    };
    let invalid =
        |field: &str, reason: &str| (Code::InvalidArgument, field.to_owned(), reason.to_owned());
    let status = push(&suite, [(3, records(3))]).await.unwrap_err();
    assert_eq!(
        wrong(status),
        invalid("batch.sequence", "SEQUENCE_OUT_OF_ORDER")
    );
    for (opening, expected) in [
        (
            opened(&suite.convention, |opening| {
                opening.stream_id = "x".to_owned()
            }),
            invalid("opening.stream_id", "STREAM_ID_INVALID"),
        ),
        (
            opened(&suite.convention, |opening| {
                opening.mode = PushMode::Validate.into();
                STREAM.clone_into(&mut opening.stream_id);
            }),
            invalid("opening.stream_id", "STREAM_OF_DRY_RUN"),
        ),
        (
            opened(&suite.convention, |opening| {
                opening.stream_id = "x".repeat(37)
            }),
            invalid("opening.stream_id", "TOO_LONG"),
        ),
    ] {
        let status = send(suite.agent(), vec![opening]).await.unwrap_err();
        assert_eq!(wrong(status), expected);
    }
    let status = progress(&suite, &suite.convention, "x").await.unwrap_err();
    assert_eq!(wrong(status), invalid("stream_id", "STREAM_ID_INVALID"));
}

#[tokio::test]
async fn how_far_a_stream_has_come_is_told_to_its_operator() {
    let suite = Suite::start().await;
    push(&suite, [(1, records(1))]).await.unwrap();
    let status = progress(&suite, &convention_name(2, 1), STREAM)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "OUT_OF_REACH".to_owned())
    );
    let status = progress(&suite, &convention_name(1, 9), STREAM)
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    // Also once the convention has ended.
    suite.learn(suite.convention, 2, false).await;
    assert_eq!(reached(&suite).await, 1);
}

#[tokio::test]
async fn streams_are_forgotten_after_a_month() {
    let suite = Suite::start().await;
    push(&suite, [(1, records(1))]).await.unwrap();
    suite.clock.advance(mark::MARK_RETENTION);
    push(&suite, [(2, records(2))]).await.unwrap();
    mark::purge(&suite.db, "test").await.unwrap();
    assert_eq!(marks(&suite).await, [1, 2]);
    suite.clock.advance(time::Duration::seconds(1));
    // The service's own pass may come first.
    mark::purge(&suite.db, "test").await.unwrap();
    assert_eq!(marks(&suite).await, [2]);
    assert_eq!(reached(&suite).await, 2);
}

async fn marks(suite: &Suite) -> Vec<i64> {
    sqlx::query_scalar("SELECT sequence FROM push_batch ORDER BY 1")
        .fetch_all(&suite.owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_sent_without_waiting_are_stored_in_their_order() {
    let suite = Suite::start().await;
    // Each batch takes up a record of the one before: corrected, followed up, renamed.
    let batches = vec![
        vec![version(1, person("B1")), person("B2")],
        vec![version(
            2,
            person_with("B1", |person| person.commune_code = "62041".to_owned()),
        )],
        vec![right("E1", "B1"), right("E2", "B2")],
        vec![step("D1", "B2"), version(1, person("B1"))],
        vec![person("B3"), right("E3", "B3")],
    ];
    let answers = suite.push_under(&suite.convention, batches).await.unwrap();
    let told: Vec<_> = answers.iter().flat_map(outcomes).collect();
    let mut expected = vec![RecordOutcome::Stored; 9];
    // The older version comes too late, whatever was in hand beside it.
    expected[6] = RecordOutcome::Stale;
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_behind_a_batch_that_fails_is_stored() {
    let suite = Suite::start().await;
    suite.push(vec![known("B1", |_| {})]).await;
    let before = suite.changes().await.len();
    // Who B1 is can be neither compared nor sealed again without the key.
    let suite = suite.restarted(&ring(&[2], &[1])).await;
    let changed = known("B1", |identity| {
        identity.phone = "06 39 98 00 00".to_owned()
    });
    let batches = vec![
        vec![person("B2")],
        vec![changed],
        vec![person("B3")],
        vec![person("B4")],
    ];
    let status = suite
        .push_under(&suite.convention, batches)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(suite.changes().await.len(), before + 1);
}

#[tokio::test]
async fn what_would_be_answered_again_goes_with_the_person() {
    let suite = Suite::start().await;
    let wrong = person_with("DOSSIER-9", |beneficiary| {
        beneficiary.publics = vec!["NO_SUCH_PUBLIC".to_owned()];
    });
    let batches = [(1, vec![person("DOSSIER-9")]), (2, vec![wrong])];
    let answers = push(&suite, batches).await.unwrap();
    assert_eq!((answers[0].stored, answers[1].rejected), (1, 1));
    assert_eq!(reached(&suite).await, 2);
    let kept = "SELECT count(*) FROM push_batch WHERE position('DOSSIER-9'::bytea IN answer) > 0";
    let told: i64 = sqlx::query_scalar(kept)
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(told, 1);

    let name = &answers[0].results[0].name;
    erasure::ask(
        &suite,
        erasure::erase_request(name, ErasureReason::SubjectRequest),
    )
    .await
    .unwrap();
    let told: i64 = sqlx::query_scalar(kept)
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(told, 0);
    assert_eq!(reached(&suite).await, 1);
}
