//! What leaves the process, seen from a collector. Each test is also the process that exports: it starts itself again with
//! the standard variables.

use std::{
    net::SocketAddr,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::Request};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt as _, Full};
use nonrecours_rpc::telemetry::{self, LogFormat, TelemetryConfig};
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::transport::{Server, server::TcpIncoming};

/// Tells a test that it is the process that exports.
const EXPORTING: &str = "NONRECOURS_TEST_EXPORTING";

/// Largest request that the collector takes, bytes.
const MAX_REQUEST: usize = 1 << 20;

/// Path and content of each request to the collector.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// The process that exports: one span, one measure, one log.
fn export() {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let telemetry = telemetry::init(TelemetryConfig {
            service: "exporter",
            log: LogFormat::Json,
            capture: None,
        })
        .expect("started");
        let meter = opentelemetry::global::meter("test");
        meter.u64_counter("measure.of.the.test").build().add(1, &[]);
        tracing::info_span!(target: "nonrecours::test", "span of the test")
            .in_scope(|| tracing::info!("log of the test"));
        tracing::debug!("hidden from the log");
        telemetry.shutdown().await;
    });
}

/// Runs the test of that name in a process of its own.
fn export_elsewhere(test: &str, variables: &[(&str, &str)]) -> Output {
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test, "--nocapture"])
        .env(EXPORTING, "1")
        .env_remove("RUST_LOG")
        .envs(variables.iter().copied())
        .output()
        .expect("ran");
    assert!(output.status.success(), "{output:?}");
    output
}

fn is_exporting() -> bool {
    std::env::var_os(EXPORTING).is_some()
}

/// A collector that accepts everything.
async fn collector() -> (SocketAddr, Received) {
    let received = Received::default();
    let kept = received.clone();
    let accept = move |request: Request| {
        let kept = kept.clone();
        async move {
            let path = request.uri().path().to_owned();
            let content = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await;
            let content = content.expect("a request").to_vec();
            kept.lock().expect("not poisoned").push((path, content));
            // An empty message and the status OK.
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let message = Full::from(&[0_u8; 5][..]);
            let body = message.with_trailers(async { Some(Ok(trailers)) });
            Response::builder()
                .header("content-type", "application/grpc")
                .body(Body::new(body))
                .expect("a response")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let routes = tonic::service::Routes::from(Router::new().fallback(accept));
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, received)
}

/// Content of the requests to one of the collector's services.
fn sent(received: &Received, service: &str) -> String {
    let received = received.lock().expect("not poisoned");
    let contents = received.iter().filter(|(path, _)| path.contains(service));
    contents
        .map(|(_, content)| String::from_utf8_lossy(content).into_owned())
        .collect()
}

#[test]
fn the_three_signals_leave_for_the_collector_named_by_the_environment() {
    if is_exporting() {
        return export();
    }
    let runtime = Runtime::new().expect("a runtime");
    let (address, received) = runtime.block_on(collector());
    let output = export_elsewhere(
        "otlp::the_three_signals_leave_for_the_collector_named_by_the_environment",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
            ("OTEL_SERVICE_NAME", "named-by-environment"),
        ],
    );
    let (traces, metrics, logs) = (
        sent(&received, "TraceService"),
        sent(&received, "MetricsService"),
        sent(&received, "LogsService"),
    );
    assert!(traces.contains("span of the test"));
    assert!(metrics.contains("measure.of.the.test"));
    assert!(logs.contains("log of the test"));
    for signal in [&traces, &metrics, &logs] {
        assert!(signal.contains("named-by-environment"));
    }
    assert!(!logs.contains("hidden from the log"));
    let log = String::from_utf8(output.stderr).expect("text");
    let line = log.lines().find(|line| line.contains("log of the test"));
    assert!(
        line.expect("on standard error too")
            .contains("\"trace_id\":\"")
    );
}

#[test]
fn the_standard_variables_turn_signals_off() {
    if is_exporting() {
        return export();
    }
    let runtime = Runtime::new().expect("a runtime");
    let (address, received) = runtime.block_on(collector());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let run = |variables: &[(&str, &str)]| {
        let mut all = vec![(endpoint.0, endpoint.1.as_str())];
        all.extend(variables);
        export_elsewhere("otlp::the_standard_variables_turn_signals_off", &all);
    };
    run(&[("OTEL_SDK_DISABLED", "true")]);
    assert!(received.lock().expect("not poisoned").is_empty());
    run(&[
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let paths: Vec<_> = received
        .lock()
        .expect("not poisoned")
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(
        paths,
        ["/opentelemetry.proto.collector.trace.v1.TraceService/Export"]
    );
}

#[test]
fn the_filter_of_the_log_leaves_spans_alone() {
    if is_exporting() {
        return export();
    }
    let runtime = Runtime::new().expect("a runtime");
    let (address, received) = runtime.block_on(collector());
    let output = export_elsewhere(
        "otlp::the_filter_of_the_log_leaves_spans_alone",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
            ("RUST_LOG", "off"),
        ],
    );
    assert!(sent(&received, "TraceService").contains("span of the test"));
    assert!(!sent(&received, "LogsService").contains("log of the test"));
    let log = String::from_utf8(output.stderr).expect("text");
    assert!(!log.contains("log of the test"));
}

#[test]
fn a_collector_that_is_away_neither_breaks_nor_holds_up_the_process() {
    if is_exporting() {
        return export();
    }
    let started = Instant::now();
    let output = export_elsewhere(
        "otlp::a_collector_that_is_away_neither_breaks_nor_holds_up_the_process",
        // The discard port: nobody listens.
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")],
    );
    assert!(started.elapsed() < Duration::from_secs(15));
    let log = String::from_utf8(output.stderr).expect("text");
    assert!(log.contains("log of the test"));
    assert!(!log.contains("panicked"), "{log}");
}
