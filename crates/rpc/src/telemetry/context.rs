//! The W3C trace context (<https://www.w3.org/TR/trace-context/>): into headers, out of headers, and as the one string
//! that is stored with a change.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Header of the trace and of the parent span.
const TRACEPARENT: &str = "traceparent";

/// The current span as a `traceparent`; none outside every span, or when the SDK is disabled.
pub fn traceparent() -> Option<String> {
    let mut headers = HeaderMap::new();
    inject_headers(&mut headers);
    let value = headers.get(TRACEPARENT)?.to_str().ok()?;
    Some(value.to_owned())
}

/// Makes `span` a child of the span that `traceparent` names. Must come before `span` is first entered. Does nothing
/// when `traceparent` is not valid.
pub fn set_parent(span: &Span, traceparent: &str) {
    set_parent_context(span, parse(traceparent));
}

/// Links `span` to the span that `traceparent` names: caused by it, but not awaited by it. Does nothing when
/// `traceparent` is not valid.
pub fn add_link(span: &Span, traceparent: &str) {
    let context = parse(traceparent);
    span.add_link(context.span().span_context().clone());
}

/// Writes the current span into the metadata of an outgoing request.
pub fn inject(metadata: &mut MetadataMap) {
    inject_headers(metadata.as_mut());
}

/// Reads the remote parent out of the headers of an incoming request; an empty context when there is none.
pub fn extract(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers))
}

/// Writes the current span into the headers of an outgoing request.
pub(crate) fn inject_headers(headers: &mut HeaderMap) {
    // The attached context rather than that of `Span::current()`: the latter may be a span that telemetry filters out.
    TraceContextPropagator::new().inject_context(&Context::current(), &mut Outgoing(headers));
}

/// [`set_parent`] for a context already read.
pub(crate) fn set_parent_context(span: &Span, context: Context) {
    if context.span().span_context().is_valid() {
        // Refused when there is no telemetry in this process: then there is no span to give a parent to.
        let _ = span.set_parent(context);
    }
}

/// Trace and span that are current, if any.
pub(crate) fn current() -> Option<SpanContext> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

fn parse(traceparent: &str) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Stored(traceparent))
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Stored<'a>(&'a str);

impl Extractor for Stored<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing, and some proxies refuse empty headers.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(key.as_bytes()),
            HeaderValue::try_from(value),
        ) {
            self.0.insert(name, value);
        }
    }
}
