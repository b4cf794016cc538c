//! The outermost layer of the server, and the layer of every client: one span per call, joined across processes by the
//! W3C trace context.

use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request, Response};
use tonic::{
    Code, Status,
    body::Body,
    codegen::{BoxFuture, StdError},
};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::deadline;
use crate::telemetry::{
    call::{Observer, Side},
    context,
};

/// Tells the caller which trace its call is in, failed or not: what it quotes when it asks for help.
/// (W3C Trace Context level 2, `traceresponse`.)
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Server side: a span, a measure in `rpc.server.call.duration` (seconds) and a log line per call.
///
/// The span lasts until the answer's last frame has left, or the caller has gone (CANCELLED). A caller's mistake is no
/// error of the span.
#[derive(Clone, Debug)]
pub struct TraceLayer {
    observer: Observer,
}

impl TraceLayer {
    /// Observes the calls to `service`, one of `conventions`, `followup`, `payments`. Build it after
    /// [`telemetry::init`](crate::telemetry::init): it measures with the meter that is global then.
    pub fn new(service: &'static str) -> Self {
        Self {
            observer: Observer::new(Side::Server(service)),
        }
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace {
            inner,
            observer: self.observer.clone(),
        }
    }
}

/// Service of [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    observer: Observer,
}

impl<S, B> Service<Request<B>> for Trace<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut call = self.observer.start(request.uri().path());
        context::set_parent_context(call.span(), context::extract(request.headers()));
        // Inner layers start their clocks here and not when the future is first polled.
        let (answer, trace) = call
            .span()
            .in_scope(|| (self.inner.call(request), context::traceparent()));
        Box::pin(async move {
            let mut response = match answer.instrument(call.span().clone()).await {
                Ok(response) => response,
                Err(error) => {
                    call.finish(Code::Unknown);
                    return Err(error);
                }
            };
            if let Some(trace) = trace.and_then(|trace| HeaderValue::try_from(trace).ok()) {
                response.headers_mut().insert(TRACERESPONSE, trace);
            }
            Ok(call.follow(response))
        })
    }
}

/// Client side: a span and a measure in `rpc.client.call.duration` (seconds) per call, and the W3C headers that make the
/// server's span its child.
///
/// Give the service it makes to a generated client: `XClient::new(ServiceBuilder::new().layer(ClientTraceLayer).service(channel))`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientTraceLayer;

impl<S> Layer<S> for ClientTraceLayer {
    type Service = ClientTrace<S>;

    fn layer(&self, inner: S) -> ClientTrace<S> {
        ClientTrace {
            inner,
            observer: Observer::new(Side::Client),
        }
    }
}

/// Service of [`ClientTraceLayer`]. Its errors are statuses, DEADLINE_EXCEEDED where the channel's own would become
/// CANCELLED.
#[derive(Clone, Debug)]
pub struct ClientTrace<S> {
    inner: S,
    observer: Observer,
}

impl<S, B> Service<Request<B>> for ClientTrace<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<Response<Body>, Status>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner
            .poll_ready(cx)
            .map_err(|error| deadline::client_status(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut call = self.observer.start(request.uri().path());
        let answer = call.span().in_scope(|| {
            context::inject_headers(request.headers_mut());
            self.inner.call(request)
        });
        Box::pin(async move {
            match answer.instrument(call.span().clone()).await {
                Ok(response) => Ok(call.follow(response)),
                Err(error) => {
                    let status = deadline::client_status(error.into());
                    call.finish(status.code());
                    Err(status)
                }
            }
        })
    }
}
