use std::{
    io,
    sync::{Arc, Mutex},
};

use http::HeaderMap;
use opentelemetry::trace::TraceContextExt as _;
use tonic::metadata::MetadataMap;
use tracing::{Span, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn read(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Spans and JSON lines of this thread, until the guard is dropped.
fn observed() -> (SpanCapture, Lines, DefaultGuard) {
    let (capture, lines) = (SpanCapture::default(), Lines::default());
    let provider = SdkTracerProvider::builder()
        .with_span_processor(capture.clone())
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_filter(filter_fn(is_traced));
    let log = tracing_subscriber::fmt::layer()
        .event_format(log::Json::new("payments"))
        .with_writer(lines.clone());
    let subscriber = Registry::default().with(spans).with(log);
    (capture, lines, tracing::subscriber::set_default(subscriber))
}

#[test]
fn a_log_line_names_its_trace_and_its_values() {
    let (_, lines, _guard) = observed();
    let traceparent = tracing::info_span!("work").in_scope(|| {
        tracing::warn!(
            count = 3_u64,
            late = true,
            who = "clerk",
            level = "spoofed",
            "slow"
        );
        context::traceparent().unwrap()
    });
    tracing::info!("outside");
    let [inside, outside] = lines.read().try_into().unwrap();
    assert_eq!(inside["trace_id"], traceparent[3..35]);
    assert_eq!(inside["span_id"], traceparent[36..52]);
    assert_eq!(inside["message"], "slow");
    assert_eq!(inside["count"], 3);
    assert_eq!(inside["late"], true);
    assert_eq!(inside["who"], "clerk");
    assert_eq!(inside["level"], "WARN");
    assert_eq!(inside["service"], "payments");
    assert_eq!(inside["target"], module_path!());
    let timestamp = inside["timestamp"].as_str().unwrap();
    time::OffsetDateTime::parse(timestamp, &time::format_description::well_known::Rfc3339).unwrap();
    assert_eq!(outside.get("trace_id"), None);
}

#[test]
fn the_context_is_that_of_the_nearest_span_that_is_traced() {
    let (_, _, _guard) = observed();
    tracing::info_span!("traced").in_scope(|| {
        let outer = context::traceparent();
        assert!(outer.is_some());
        let untraced = tracing::debug_span!("too detailed for a trace");
        assert_eq!(untraced.in_scope(context::traceparent), outer);
    });
    assert_eq!(context::traceparent(), None);
}

#[test]
fn a_stored_context_becomes_a_parent_or_a_link() {
    let (capture, _, _guard) = observed();
    let span = |f: fn(&Span, &str), traceparent: &str| {
        let span = tracing::info_span!("follow");
        f(&span, traceparent);
        drop(span);
        capture.spans().pop().unwrap()
    };
    let child = span(context::set_parent, PARENT);
    assert_eq!(child.span_context.trace_id().to_string(), PARENT[3..35]);
    assert_eq!(child.parent_span_id.to_string(), PARENT[36..52]);
    assert_eq!(child.links.len(), 0);

    let linked = span(context::add_link, PARENT);
    assert_ne!(linked.span_context.trace_id().to_string(), PARENT[3..35]);
    let link = linked.links.iter().next().unwrap();
    assert_eq!(link.span_context.trace_id().to_string(), PARENT[3..35]);
    assert_eq!(link.span_context.span_id().to_string(), PARENT[36..52]);

    for invalid in [
        "",
        "00-0-0-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ] {
        let root = span(context::set_parent, invalid);
        assert_eq!(
            root.parent_span_id,
            opentelemetry::SpanId::INVALID,
            "{invalid}"
        );
        assert_eq!(span(context::add_link, invalid).links.len(), 0, "{invalid}");
    }
}

#[test]
fn headers_carry_the_context_out_and_in() {
    let (_, _, _guard) = observed();
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", PARENT.parse().unwrap());
    headers.insert("tracestate", "vendor=1".parse().unwrap());
    let remote = context::extract(&headers);
    assert!(remote.span().span_context().is_remote());

    let span = tracing::info_span!("relay");
    context::set_parent_context(&span, remote);
    let mut metadata = MetadataMap::new();
    span.in_scope(|| context::inject(&mut metadata));
    let sent = metadata.get("traceparent").unwrap().to_str().unwrap();
    assert_eq!(sent[3..35], PARENT[3..35]);
    assert_ne!(sent[36..52], PARENT[36..52]);
    assert_eq!(metadata.get("tracestate").unwrap(), "vendor=1");

    let mut nothing = MetadataMap::new();
    context::inject(&mut nothing);
    assert!(nothing.is_empty());
    let none = context::extract(&HeaderMap::new());
    assert!(!none.span().span_context().is_valid());
}

#[test]
fn each_call_is_one_line_in_its_trace_and_probes_are_quiet() {
    use call::{Observer, Side};
    let (capture, lines, _guard) = observed();
    let observer = Observer::new(Side::Server("payments"));
    for method in [
        "nonrecours.payments.v1.InstalmentService/CallInstalment",
        "grpc.health.v1.Health/Check",
    ] {
        let mut call = observer.start(&format!("/{method}"));
        call.finish(tonic::Code::Aborted);
        call.finish(tonic::Code::Ok);
    }
    Observer::new(Side::Client)
        .start("/")
        .finish(tonic::Code::Ok);
    let logged = lines.read().into_iter();
    let logged = logged.filter(|line| line["target"] == ACCESS_TARGET);
    let [called, probed] = logged.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(called["level"], "INFO");
    assert_eq!(
        called["method"],
        "nonrecours.payments.v1.InstalmentService/CallInstalment"
    );
    assert_eq!(called["code"], "ABORTED");
    assert_eq!(called["nonrecours.service"], "payments");
    assert!(called["duration_ms"].is_u64());
    let span = &capture.spans()[0].span_context;
    assert_eq!(called["trace_id"], span.trace_id().to_string());
    assert_eq!(called["span_id"], span.span_id().to_string());
    assert_eq!(probed["level"], "DEBUG");
}

#[test]
fn a_capture_forgets_the_oldest() {
    let (capture, _, _guard) = observed();
    tracing::info_span!("oldest").in_scope(|| {});
    for _ in 0..MAX_CAPTURED_SPANS {
        tracing::info_span!("later").in_scope(|| {});
    }
    let spans = capture.spans();
    assert_eq!(spans.len(), MAX_CAPTURED_SPANS);
    assert!(spans.iter().all(|span| span.name == "later"));
}

#[test]
fn logs_of_the_carriers_of_logs_are_not_exported() {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer()
        .event_format(log::Json::new("test"))
        .with_writer(lines.clone())
        .with_filter(filter_fn(is_exported_log));
    let _guard = tracing::subscriber::set_default(Registry::default().with(layer));
    tracing::error!(target: "opentelemetry-otlp", "export failed");
    tracing::error!(target: "h2::client", "connection lost");
    tracing::error!(target: "tonic::transport", "connection lost");
    tracing::error!(target: "sqlx::query", "slow");
    let kept = lines.read();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["target"], "sqlx::query");
}
