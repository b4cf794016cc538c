//! Traces, measures, deadlines and load shedding, on real connections.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "telemetry/limits.rs"]
mod limits;
#[path = "telemetry/otlp.rs"]
mod otlp;
#[path = "telemetry/support.rs"]
mod support;

use nonrecours_contracts::feed::ListHistoryRequest;
use nonrecours_rpc::telemetry::{self, LogFormat, TelemetryConfig, TelemetryError};
use opentelemetry::trace::{SpanKind, Status as SpanStatus};
use opentelemetry_sdk::trace::SpanData;
use support::{
    LIST_HISTORY, Limits, PUSH, TestServer, attribute, attribute_or_none, eventually, shared,
};
use tonic::{Code, Request};
use tracing::Instrument as _;

fn only(spans: Vec<SpanData>) -> SpanData {
    let [span] = <[SpanData; 1]>::try_from(spans).expect("one span");
    span
}

#[tokio::test]
async fn one_trace_goes_from_the_caller_through_the_service_into_its_handler() {
    let server = TestServer::start("traced", Limits::default()).await;
    let caller = tracing::info_span!(target: "nonrecours::test", "caller");
    let response = async {
        let answer = server.client().list_history(named("present")).await;
        (answer.expect("answered"), telemetry::context::traceparent())
    };
    let (response, caller_context) = response.instrument(caller.clone()).await;
    drop(caller);
    let caller_context = caller_context.expect("inside a span");

    let server_span = only(server.spans());
    let trace = server_span.span_context.trace_id();
    assert_eq!(trace.to_string(), caller_context[3..35]);
    let in_trace = |name: &str, kind: SpanKind| {
        let spans = shared().capture.spans().into_iter();
        let spans = spans.filter(|span| {
            span.span_context.trace_id() == trace && span.name == name && span.span_kind == kind
        });
        only(spans.collect())
    };
    let client_span = in_trace(LIST_HISTORY, SpanKind::Client);
    let handler_span = in_trace("handler", SpanKind::Internal);
    assert_eq!(
        client_span.parent_span_id.to_string(),
        caller_context[36..52]
    );
    assert_eq!(
        server_span.parent_span_id,
        client_span.span_context.span_id()
    );
    assert!(server_span.parent_span_is_remote);
    assert_eq!(
        handler_span.parent_span_id,
        server_span.span_context.span_id()
    );

    assert_eq!(server_span.span_kind, SpanKind::Server);
    for span in [&server_span, &client_span] {
        assert_eq!(span.name, LIST_HISTORY);
        assert_eq!(span.status, SpanStatus::Unset);
        assert_eq!(attribute(span, "rpc.system.name"), "grpc");
        assert_eq!(attribute(span, "rpc.method"), LIST_HISTORY);
        assert_eq!(attribute(span, "rpc.response.status_code"), "OK");
        assert_eq!(attribute_or_none(span, "error.type"), None);
    }
    assert_eq!(attribute(&server_span, "nonrecours.service"), "traced");
    // The caller learns which trace to quote, and the line in the log is no event of the span.
    let told = response.metadata().get("traceresponse").expect("told");
    assert_eq!(told.to_str().expect("text")[3..35], trace.to_string());
    assert_eq!(server_span.events.len(), 0);
}

#[tokio::test]
async fn a_caller_without_a_trace_starts_one() {
    let server = TestServer::start("untraced", Limits::default()).await;
    let response = server.plain_client().list_history(named("present")).await;
    response.expect("answered");
    let span = only(server.spans());
    assert!(span.span_context.is_valid());
    assert_eq!(span.parent_span_id, opentelemetry::SpanId::INVALID);
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_caller_only_and_a_fault_is_an_error_of_both() {
    for (service, name, code, is_fault) in [
        ("refusing", "missing", "NOT_FOUND", false),
        ("faulty", "broken", "INTERNAL", true),
    ] {
        let server = TestServer::start(service, Limits::default()).await;
        let status = server.client().list_history(named(name)).await;
        status.expect_err("refused");
        let span = only(server.spans());
        assert_eq!(attribute(&span, "rpc.response.status_code"), code);
        assert_eq!(matches!(span.status, SpanStatus::Error { .. }), is_fault);
        let error = attribute_or_none(&span, "error.type");
        assert_eq!(error, is_fault.then(|| code.to_owned()));

        let parent = span.parent_span_id;
        let spans = shared().capture.spans().into_iter();
        let spans = spans.filter(|span| span.span_context.span_id() == parent);
        let client_span = only(spans.collect());
        assert!(matches!(client_span.status, SpanStatus::Error { .. }));
        assert_eq!(attribute(&client_span, "error.type"), code);
    }
}

#[tokio::test]
async fn a_stream_is_one_span_that_ends_with_its_status() {
    let server = TestServer::start("streaming", Limits::default()).await;
    let mut answers = server.push().await;
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("one");
    assert_eq!(server.spans().len(), 0, "the stream is still open");
    server.gate.notify_one();
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("two");
    let status = answers.message().await.expect_err("ends with a status");
    assert_eq!(status.code(), Code::Aborted);
    let span = only(server.spans());
    assert_eq!(span.name, PUSH);
    assert_eq!(attribute(&span, "rpc.response.status_code"), "ABORTED");
    assert_eq!(span.status, SpanStatus::Unset);
}

#[tokio::test]
async fn a_caller_that_goes_away_is_noted_as_cancelled() {
    let server = TestServer::start("cancelled", Limits::default()).await;
    let mut answers = server.push().await;
    answers
        .message()
        .await
        .expect("no status yet")
        .expect("one");
    drop(answers);
    let mut client = server.client();
    let waiting = tokio::spawn(async move { client.list_history(named("never")).await });
    server.entered.notified().await;
    waiting.abort();
    eventually(|| server.spans().len() == 2).await;
    for span in server.spans() {
        assert_eq!(attribute(&span, "rpc.response.status_code"), "CANCELLED");
        assert_eq!(span.status, SpanStatus::Unset);
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_a_fault() {
    let server = TestServer::start("panicking", Limits::default()).await;
    let status = server.client().list_history(named("panics")).await;
    status.expect_err("broken off");
    eventually(|| server.spans().len() == 1).await;
    let span = only(server.spans());
    assert_eq!(attribute(&span, "error.type"), "INTERNAL");
    assert!(matches!(span.status, SpanStatus::Error { .. }));
}

#[tokio::test]
async fn calls_are_measured_by_method_and_code() {
    let server = TestServer::start("measured", Limits::default()).await;
    for name in ["present", "present", "missing", "broken"] {
        // Each outcome is asserted by its measure below.
        let _ = server.client().list_history(named(name)).await;
    }
    let made_up = server.call_path("/nonrecours.feed.v1.ChangeFeedService/MadeUp");
    assert_eq!(made_up.await, Code::Unimplemented);

    let measured = shared().durations("rpc.server.call.duration", "measured");
    let count = |method: &str, code: &str, error: Option<&str>| {
        measured
            .iter()
            .find(|point| point.method == method && point.code == code)
            .map(|point| {
                assert_eq!(point.error.as_deref(), error);
                point.count
            })
    };
    assert_eq!(count(LIST_HISTORY, "OK", None), Some(2));
    assert_eq!(count(LIST_HISTORY, "NOT_FOUND", None), Some(1));
    assert_eq!(count(LIST_HISTORY, "INTERNAL", Some("INTERNAL")), Some(1));
    assert_eq!(
        count("_OTHER", "UNIMPLEMENTED", Some("UNIMPLEMENTED")),
        Some(1)
    );
    assert_eq!(measured.len(), 4);
    for point in &measured {
        assert_eq!(point.bounds.first(), Some(&0.005));
        assert_eq!(point.bounds.last(), Some(&10.0));
    }
    // The name a stranger made up is nowhere in the trace either.
    let spans = server.spans();
    assert_eq!(spans.len(), 5);
    assert!(
        spans
            .iter()
            .all(|span| !format!("{span:?}").contains("MadeUp"))
    );
}

#[tokio::test]
async fn telemetry_starts_once_per_process() {
    shared();
    let again = telemetry::init(TelemetryConfig {
        service: "again",
        log: LogFormat::None,
        capture: None,
    });
    assert!(matches!(again, Err(TelemetryError::AlreadyStarted(_))));
}

fn named(name: &str) -> Request<ListHistoryRequest> {
    Request::new(ListHistoryRequest {
        name: name.to_owned(),
        ..ListHistoryRequest::default()
    })
}
