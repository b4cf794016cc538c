//! Deadlines and load shedding.

use std::time::Duration;

use http::Request as HttpRequest;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use nonrecours_contracts::{
    feed::{ListHistoryRequest, PullChangesRequest},
    followup::PushRecordsRequest,
    google::rpc::{ErrorInfo, LocalizedMessage, RetryInfo},
    status,
};
use prost::{Message, Name};
use tokio::task::JoinSet;
use tonic::{Code, Request, Status, codegen::Bytes};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::support::{LIST_HISTORY, Limits, TestServer, attribute, shared};

const SHORT: Duration = Duration::from_millis(60);

/// The detail of type `M` of a rich status.
fn detail<M: Message + Name + Default>(status: &Status) -> M {
    let rich = status::Status::decode(status.details()).expect("a rich status");
    assert_eq!(rich.code, status.code() as i32);
    let found = rich
        .details
        .iter()
        .find(|any| any.type_url == M::type_url());
    M::decode(found.expect("the detail").value.as_slice()).expect("readable")
}

fn assert_deadline_exceeded(status: &Status) {
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let info: ErrorInfo = detail(status);
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("DEADLINE_EXCEEDED", "nonrecours")
    );
    assert_eq!(detail::<LocalizedMessage>(status).locale, "fr-FR");
}

fn never() -> Request<ListHistoryRequest> {
    Request::new(ListHistoryRequest {
        name: "never".to_owned(),
        ..ListHistoryRequest::default()
    })
}

#[tokio::test]
async fn a_handler_that_never_answers_exceeds_the_deadline_of_the_service() {
    let limits = Limits {
        max: SHORT,
        ..Limits::default()
    };
    let server = TestServer::start("late", limits).await;
    let status = server.plain_client().list_history(never()).await;
    assert_deadline_exceeded(&status.expect_err("in time"));
    let spans = server.spans();
    assert_eq!(
        attribute(&spans[0], "rpc.response.status_code"),
        "DEADLINE_EXCEEDED"
    );
    assert_eq!(attribute(&spans[0], "error.type"), "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_caller_with_a_deadline_sees_it_exceeded_whichever_side_notices_first() {
    let server = TestServer::start("impatient", Limits::default()).await;
    let mut request = never();
    request.set_timeout(SHORT);
    let status = server.client().list_history(request).await;
    assert_deadline_exceeded(&status.expect_err("in time"));
}

/// tonic looks at the same header, outside our layer, and would say CANCELLED.
#[tokio::test]
async fn the_server_says_deadline_exceeded_to_a_caller_that_leaves_the_clock_to_it() {
    const CALLS: usize = 20;
    let limits = Limits {
        in_flight: CALLS,
        ..Limits::default()
    };
    let server = TestServer::start("clock", limits).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let message = never().into_inner().encode_to_vec();
    let mut frame = vec![0, 0, 0, 0, u8::try_from(message.len()).expect("short")];
    frame.extend(message);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let request = HttpRequest::post(format!("http://{}/{LIST_HISTORY}", server.address()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "50m")
            .body(Full::from(frame.clone()));
        calls.spawn(client.request(request.expect("a request")));
    }
    for response in calls.join_all().await {
        let response = response.expect("answered");
        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_deadline_exceeded(&status);
    }
    assert_eq!(server.spans().len(), CALLS);
}

#[tokio::test]
async fn the_service_limit_lets_long_streams_live() {
    let limits = Limits {
        max: SHORT,
        ..Limits::default()
    };
    let server = TestServer::start("patient", limits).await;
    let mut request = Request::new(tokio_stream::empty::<PushRecordsRequest>());
    request
        .metadata_mut()
        .insert("slow", "yes".parse().expect("a value"));
    let answers = server.push_client().push_records(request).await;
    let mut answers = answers.expect("opened").into_inner();
    let started = std::time::Instant::now();
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("one");
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("two");
    assert!(started.elapsed() > SHORT);
    assert_eq!(
        answers.message().await.expect_err("its end").code(),
        Code::Aborted
    );
}

#[tokio::test]
async fn the_deadline_of_the_caller_ends_a_stream() {
    let server = TestServer::start("bounded", Limits::default()).await;
    let mut request = Request::new(tokio_stream::empty::<PushRecordsRequest>());
    request.set_timeout(Duration::from_secs(1));
    let answers = server.push_client().push_records(request).await;
    let mut answers = answers.expect("opened").into_inner();
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("one");
    assert_deadline_exceeded(&answers.message().await.expect_err("too late"));
    let spans = server.spans();
    assert_eq!(
        attribute(&spans[0], "rpc.response.status_code"),
        "DEADLINE_EXCEEDED"
    );
}

#[tokio::test]
async fn a_full_service_refuses_at_once_and_recovers() {
    let limits = Limits {
        in_flight: 1,
        ..Limits::default()
    };
    let server = TestServer::start("full", limits).await;
    let mut client = server.client();
    let first =
        tokio::spawn(async move { client.pull_changes(PullChangesRequest::default()).await });
    server.entered.notified().await;

    let refused = server.client().list_history(never()).await;
    let status = refused.expect_err("the only place is taken");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(detail::<ErrorInfo>(&status).reason, "OVERLOADED");
    assert!(detail::<RetryInfo>(&status).retry_delay.is_some());
    assert_eq!(shared().counted("nonrecours.rpc.shed", LIST_HISTORY), 1);
    let mut health = HealthClient::new(server.channel());
    let check = health.check(HealthCheckRequest::default());
    check.await.expect("a full service is healthy");

    server.gate.notify_one();
    first.await.expect("ended").expect("answered");
    let mut present = never();
    present.get_mut().name = "present".to_owned();
    server
        .client()
        .list_history(present)
        .await
        .expect("there is a place again");
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_its_end() {
    let limits = Limits {
        in_flight: 1,
        ..Limits::default()
    };
    let server = TestServer::start("occupied", limits).await;
    let mut answers = server.push().await;
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("one");
    // A path that the test of the counter does not count.
    let path = "/nonrecours.feed.v1.ChangeFeedService/Other";
    assert_eq!(server.call_path(path).await, Code::ResourceExhausted);
    server.gate.notify_one();
    while let Ok(Some(_)) = answers.message().await {}
    assert_eq!(server.call_path(path).await, Code::Unimplemented);
}
