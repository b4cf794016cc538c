//! One RPC, observed from its first header to its status: a span, a duration, and on the server a line in the log.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use opentelemetry::{KeyValue, global, metrics::Histogram};
use tonic::{Code, Status, body::Body, codegen::Bytes};
use tracing::Span;

use super::{ACCESS_TARGET, SERVICE_ATTRIBUTE, method};

/// Header, or trailer, of the status of a call.
const GRPC_STATUS: &str = "grpc-status";

/// Bounds of the duration histograms, in seconds (semantic conventions for RPC metrics).
const DURATION_BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Which end of the call is observed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    /// This service answers.
    Server(&'static str),
    /// This process asks.
    Client,
}

/// Observes the calls of one side.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    side: Side,
    duration: Histogram<f64>,
}

impl Observer {
    /// Measures with the meter that is global at this moment.
    pub fn new(side: Side) -> Self {
        let (name, description) = match side {
            Side::Server(_) => ("rpc.server.call.duration", "Duration of incoming calls"),
            Side::Client => ("rpc.client.call.duration", "Duration of outgoing calls"),
        };
        let duration = global::meter("nonrecours-rpc")
            .f64_histogram(name)
            .with_unit("s")
            .with_description(description)
            .with_boundaries(DURATION_BOUNDS.to_vec())
            .build();
        Self { side, duration }
    }

    /// Starts observing a call to `path`. The caller gives the span its parent before entering it.
    pub fn start(&self, path: &str) -> Call {
        let method = method::of_path(path);
        let span = match self.side {
            // No local parent: what the caller sent is the only one.
            Side::Server(service) => tracing::info_span!(
                target: "nonrecours::rpc",
                parent: None,
                "call",
                "otel.name" = method,
                "otel.kind" = "server",
                "otel.status_code" = tracing::field::Empty,
                "rpc.system.name" = "grpc",
                "rpc.method" = method,
                "rpc.response.status_code" = tracing::field::Empty,
                "error.type" = tracing::field::Empty,
                "nonrecours.service" = service,
            ),
            Side::Client => tracing::info_span!(
                target: "nonrecours::rpc",
                "call",
                "otel.name" = method,
                "otel.kind" = "client",
                "otel.status_code" = tracing::field::Empty,
                "rpc.system.name" = "grpc",
                "rpc.method" = method,
                "rpc.response.status_code" = tracing::field::Empty,
                "error.type" = tracing::field::Empty,
            ),
        };
        Call {
            observer: self.clone(),
            method,
            span,
            started: Instant::now(),
            finished: false,
        }
    }
}

/// A call under way. Dropped before its status is known, it was cancelled by the other end, or its handler panicked.
#[derive(Debug)]
pub(crate) struct Call {
    observer: Observer,
    method: &'static str,
    span: Span,
    started: Instant,
    finished: bool,
}

impl Call {
    /// Span of the call; none once it is finished.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Records how the call ended, and ends its span. Only the first end counts.
    pub fn finish(&mut self, code: Code) {
        if mem::replace(&mut self.finished, true) {
            return;
        }
        let span = mem::replace(&mut self.span, Span::none());
        let elapsed = self.started.elapsed();
        let name = code_name(code);
        let mut attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", self.method),
            KeyValue::new("rpc.response.status_code", name),
        ];
        span.record("rpc.response.status_code", name);
        if is_error(self.observer.side, code) {
            attributes.push(KeyValue::new("error.type", name));
            span.record("error.type", name);
            span.record("otel.status_code", "ERROR");
        }
        if let Side::Server(service) = self.observer.side {
            attributes.push(KeyValue::new(SERVICE_ATTRIBUTE, service));
            let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            span.in_scope(|| log(service, self.method, name, duration_ms));
        }
        let _entered = span.enter();
        self.observer
            .duration
            .record(elapsed.as_secs_f64(), &attributes);
    }

    /// Follows an answer to its end: the status is in the headers when nothing else comes, else in the trailers.
    pub fn follow(mut self, response: http::Response<Body>) -> http::Response<Body> {
        if let Some(code) = code_of(response.headers()) {
            self.finish(code);
            return response;
        }
        if response.body().is_end_stream() {
            // Nothing can bring the status any more: a breach of the protocol.
            self.finish(Code::Unknown);
            return response;
        }
        response.map(|inner| Body::new(FollowedBody { inner, call: self }))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(if std::thread::panicking() {
            Code::Internal
        } else {
            Code::Cancelled
        });
    }
}

/// The line in the log: no content, no person.
fn log(service: &str, method: &str, code: &str, duration_ms: u64) {
    if method::is_infrastructure(method) {
        tracing::debug!(target: ACCESS_TARGET, { nonrecours.service = service, method, code, duration_ms }, "call");
    } else {
        tracing::info!(target: ACCESS_TARGET, { nonrecours.service = service, method, code, duration_ms }, "call");
    }
}

/// Whether the end of a call is a fault of the observed side (semantic conventions for gRPC): for a client every refusal
/// is, for a server only its own, not the mistakes of its callers.
fn is_error(side: Side, code: Code) -> bool {
    match side {
        Side::Client => code != Code::Ok,
        Side::Server(_) => matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// Name of a code as gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The messages of an answer, produced inside the call's span.
struct FollowedBody {
    inner: Body,
    call: Call,
}

impl http_body::Body for FollowedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let span = this.call.span().clone();
        let polled = span.in_scope(|| Pin::new(&mut this.inner).poll_frame(cx));
        // Before `finish`, which ends the span when it holds the last reference to it.
        drop(span);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.call.finish(code_of(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(status))) => this.call.finish(status.code()),
            // The end without a status is a breach of the protocol.
            Poll::Ready(None) => this.call.finish(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
