//! The stream itself: its order, its limits, its end.

use nonrecours_contracts::followup::{
    PushRecordsRequest, PushRecordsResponse, RecordOutcome, push_service_client::PushServiceClient,
};
use nonrecours_rpc::details::Details;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::support::*;

/// A stream that a test holds open.
async fn held_open(
    suite: &Suite,
) -> (
    mpsc::Sender<PushRecordsRequest>,
    Streaming<PushRecordsResponse>,
) {
    let (sender, receiver) = mpsc::channel(1);
    let mut client = PushServiceClient::new(suite.agent());
    let answers = client
        .push_records(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    sender.send(opening(&suite.convention)).await.unwrap();
    (sender, answers)
}

fn wrong_field(status: &Status) -> (Code, String, String) {
    let details = Details::of(status);
    assert_eq!(details.reason, "INVALID_REQUEST");
    let [violation] = &details.violations[..] else {
        panic!("one violation: {details:?}");
    };
    (
        status.code(),
        violation.field.clone(),
        violation.reason.clone(),
    )
}

#[tokio::test]
async fn batches_are_answered_in_order_while_the_stream_is_open() {
    let suite = Suite::start().await;
    let (sender, mut answers) = held_open(&suite).await;
    for sequence in 1..=3 {
        sender
            .send(batch(sequence, vec![person(&format!("B{sequence}"))]))
            .await
            .unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.sequence, answer.stored), (sequence, 1));
    }
    // A person of an earlier batch is stored.
    sender
        .send(batch(4, vec![right("E1", "B1")]))
        .await
        .unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    assert_eq!(outcomes(&answer), [RecordOutcome::Stored]);
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn an_opening_comes_first_and_once() {
    let suite = Suite::start().await;
    let invalid =
        |field: &str, reason: &str| (Code::InvalidArgument, field.to_owned(), reason.to_owned());
    for (messages, expected) in [
        (vec![], invalid("opening", "OPENING_MISSING")),
        (
            vec![PushRecordsRequest::default()],
            invalid("opening", "OPENING_MISSING"),
        ),
        (
            vec![batch(1, vec![person("B1")])],
            invalid("opening", "OPENING_MISSING"),
        ),
        (
            vec![opening(&suite.convention), opening(&suite.convention)],
            invalid("opening", "OPENING_REPEATED"),
        ),
        (
            vec![opening(&suite.convention), PushRecordsRequest::default()],
            invalid("message", "REQUIRED"),
        ),
        (
            vec![opening(&suite.convention), batch(2, vec![person("B1")])],
            invalid("batch.sequence", "SEQUENCE_OUT_OF_ORDER"),
        ),
        (
            vec![opening(&suite.convention), batch(0, vec![person("B1")])],
            invalid("batch.sequence", "TOO_SMALL"),
        ),
        (
            vec![opening(&suite.convention), batch(1, vec![])],
            invalid("batch.records", "TOO_FEW_ITEMS"),
        ),
        (
            vec![
                opening(&suite.convention),
                batch(1, vec![session("S1"); 1001]),
            ],
            invalid("batch.records", "TOO_MANY_ITEMS"),
        ),
    ] {
        let status = send(suite.agent(), messages).await.unwrap_err();
        assert_eq!(wrong_field(&status), expected);
    }
    let mut badly_named = opening(&suite.convention);
    if let Some(nonrecours_contracts::followup::push_records_request::Message::Opening(opening)) =
        &mut badly_named.message
    {
        opening.convention = "conventions/1".to_owned();
    }
    let status = send(suite.agent(), vec![badly_named]).await.unwrap_err();
    assert_eq!(
        wrong_field(&status),
        invalid("opening.convention", "RESOURCE_NAME_INVALID")
    );
    assert_eq!(suite.changes().await, []);
}

#[tokio::test]
async fn a_refused_batch_leaves_those_before_it() {
    let suite = Suite::start().await;
    let messages = vec![
        opening(&suite.convention),
        batch(1, vec![person("B1")]),
        batch(1, vec![person("B2")]),
    ];
    send(suite.agent(), messages).await.unwrap_err();
    assert_eq!(suite.changes().await.len(), 1);
}

#[tokio::test]
async fn a_convention_that_ends_ends_the_stream() {
    let suite = Suite::start().await;
    let (sender, mut answers) = held_open(&suite).await;
    sender.send(batch(1, vec![person("B1")])).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().stored, 1);
    suite.learn(suite.convention, 2, false).await;
    sender.send(batch(2, vec![person("B2")])).await.unwrap();
    let status = answers.message().await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (
            Code::FailedPrecondition,
            "CONVENTION_NOT_IN_FORCE".to_owned()
        )
    );
    assert_eq!(suite.changes().await.len(), 1);
}

#[tokio::test]
async fn a_stopping_service_ends_open_streams_and_stops() {
    let suite = Suite::start().await;
    let (sender, mut answers) = held_open(&suite).await;
    sender.send(batch(1, vec![person("B1")])).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().stored, 1);
    suite.serving.stop().await;
    let status = answers.message().await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Unavailable, "UNAVAILABLE".to_owned())
    );
}

#[tokio::test]
async fn a_message_too_large_is_refused_by_the_transport() {
    let suite = Suite::start().await;
    let long = session_with("S1", |session| session.venue = "x".repeat(5 * 1024 * 1024));
    let messages = vec![opening(&suite.convention), batch(1, vec![long])];
    let status = send(suite.agent(), messages).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn the_largest_batch_with_the_most_faults_can_be_answered() {
    let suite = Suite::start().await;
    let worst = |number: usize| {
        person_with(&format!("{number:0>100}"), |person| {
            person.publics = vec!["X".to_owned(); 10];
            person.commune_code = "x".to_owned();
            person.age_band = 99;
            person.state = 99;
            person.closing_reason = 99;
            person.spotted_date = None;
        })
    };
    let records = (0..1000).map(|number| version(-1, worst(number))).collect();
    let answer = suite.push(records).await;
    assert_eq!(answer.rejected, 1000);
    assert!(
        answer
            .results
            .iter()
            .all(|result| result.violations.len() == 16)
    );
}
