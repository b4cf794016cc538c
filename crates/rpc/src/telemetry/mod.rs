//! Traces, metrics and logs.
//!
//! One [`init`] per process. Spans are always made, with or without a collector, because their W3C context is stored
//! with every change and stands in every log line; they leave the process by OTLP when the standard `OTEL_*` variables
//! say so (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>):
//!
//! - `OTEL_EXPORTER_OTLP_ENDPOINT`, or the one of a signal (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, …), turns export on;
//!   `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` are `otlp` or `none`;
//! - `OTEL_SDK_DISABLED=true` turns everything off but the log on standard error;
//! - `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, the limits, intervals and queue sizes are
//!   read by the SDK itself.
//!
//! `RUST_LOG` filters logs only: spans are the same whatever it says.

pub(crate) mod call;
mod capture;
pub mod context;
mod export;
mod log;
pub(crate) mod method;

use std::{io::IsTerminal, time::Duration};

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{
    error::OTelSdkResult, logs::SdkLoggerProvider, metrics::SdkMeterProvider,
    propagation::TraceContextPropagator, trace::SdkTracerProvider,
};
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, LevelFilter, ParseError, dynamic_filter_fn, filter_fn},
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

pub use self::capture::{MAX_CAPTURED_SPANS, SpanCapture};

/// Filter of the logs when `RUST_LOG` is not set.
const DEFAULT_FILTER: &str = "info,opentelemetry=warn";

/// Longest wait for the last spans, metrics and logs to leave when the process ends.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Target of the line logged for each call. Its content stands on the server span already, so it is no span event.
pub(crate) const ACCESS_TARGET: &str = "nonrecours::access";

/// Name of the attribute that tells which service a span or a measure belongs to, when one process runs several.
pub const SERVICE_ATTRIBUTE: &str = "nonrecours.service";

/// What is written on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, with `trace_id` and `span_id`.
    Json,
    /// Lines for a person at a terminal.
    Text,
    /// Nothing.
    None,
}

/// What [`init`] needs beside the `OTEL_*` variables.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Name of the process, unless `OTEL_SERVICE_NAME` says otherwise.
    pub service: &'static str,
    /// Log on standard error.
    pub log: LogFormat,
    /// Keeps finished spans in memory, for a demonstration or a test.
    pub capture: Option<SpanCapture>,
}

/// Why telemetry could not start. A collector that cannot be reached is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` cannot be read.
    #[error("RUST_LOG is not a log filter: {0}")]
    Filter(#[from] ParseError),
    /// `OTEL_TRACES_EXPORTER` and the like accept `otlp` and `none`.
    #[error("{variable} is {value:?}: this program knows \"otlp\" and \"none\"")]
    UnknownExporter {
        /// Environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// An `OTEL_EXPORTER_OTLP_*` variable has a value that cannot work.
    #[error("the OTLP exporter refuses its configuration: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Exporting needs the Tokio runtime that [`init`] is called in.
    #[error("telemetry must be started inside the Tokio runtime to export")]
    NoRuntime,
    /// [`init`] was called before in this process.
    #[error("telemetry was already started in this process: {0}")]
    AlreadyStarted(#[from] TryInitError),
}

/// Telemetry of this process. Keep it until the end, then [`shutdown`](Self::shutdown).
#[derive(Debug)]
#[must_use = "what is still in memory is lost without a shutdown"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
}

/// Starts logs, traces and metrics. Once per process, and before the layers that measure are built.
///
/// # Errors
/// [`TelemetryError`] for a configuration that cannot work; never because a collector is away.
pub fn init(config: TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let enabled = !export::sdk_disabled();
    let exporters = export::Exporters::from_env()?;
    let resource = export::resource(config.service);

    let traces = (enabled || config.capture.is_some()).then(|| {
        let mut provider = SdkTracerProvider::builder().with_resource(resource.clone());
        if let Some(exporter) = exporters.spans {
            provider = provider.with_batch_exporter(exporter);
        }
        if let Some(capture) = config.capture {
            provider = provider.with_span_processor(capture);
        }
        provider.build()
    });
    let metrics = exporters.metrics.map(|exporter| {
        SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_periodic_exporter(exporter)
            .build()
    });
    let logs = exporters.logs.map(|exporter| {
        SdkLoggerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build()
    });

    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if let Some(provider) = &traces {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("nonrecours"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        // Asked for every span and event anew: an answer kept per call site goes wrong where a library only asks whether it
        // would be logged (sqlx does), since the filters of a thread then keep that answer for the next span.
        let filter = dynamic_filter_fn(|metadata, _| is_traced(metadata))
            .with_max_level_hint(LevelFilter::INFO);
        layers.push(layer.with_filter(filter).boxed());
    }
    if let Some(provider) = &logs {
        let filter = log_filter()?.and(filter_fn(is_exported_log));
        let layer = OpenTelemetryTracingBridge::new(provider);
        layers.push(layer.with_filter(filter).boxed());
    }
    match config.log {
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .event_format(log::Json::new(config.service))
                .with_writer(std::io::stderr);
            layers.push(layer.with_filter(log_filter()?).boxed());
        }
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer()
                .compact()
                .with_target(false)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr);
            layers.push(layer.with_filter(log_filter()?).boxed());
        }
        LogFormat::None => {}
    }
    Registry::default().with(layers).try_init()?;

    global::set_text_map_propagator(TraceContextPropagator::new());
    if let Some(provider) = &metrics {
        global::set_meter_provider(provider.clone());
    }
    Ok(Telemetry {
        traces,
        metrics,
        logs,
    })
}

impl Telemetry {
    /// Sends what is still in memory and stops, within five seconds even when the collector is away.
    pub async fn shutdown(self) {
        let (done, finished) = tokio::sync::oneshot::channel();
        // Exporters block their caller while the runtime carries their requests: they are stopped from a thread of
        // their own, which the end of the process does not wait for.
        std::thread::spawn(move || {
            // The receiver is gone once the limit has passed: nobody is left to tell.
            let _ = done.send(self.stop());
        });
        match tokio::time::timeout(SHUTDOWN_LIMIT, finished).await {
            Ok(Ok(failures)) if failures.is_empty() => {}
            Ok(Ok(failures)) => tracing::warn!(?failures, "the last telemetry was not all sent"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last telemetry was not sent in time"),
        }
    }

    /// Stops the three signals side by side, so that one that hangs does not take the others' time.
    fn stop(self) -> Vec<String> {
        let Self {
            traces,
            metrics,
            logs,
        } = self;
        std::thread::scope(|scope| {
            [
                scope.spawn(move || stopped(traces, |p| p.shutdown_with_timeout(SHUTDOWN_LIMIT))),
                scope.spawn(move || stopped(metrics, |p| p.shutdown_with_timeout(SHUTDOWN_LIMIT))),
                scope.spawn(move || stopped(logs, |p| p.shutdown_with_timeout(SHUTDOWN_LIMIT))),
            ]
            .into_iter()
            .filter_map(|thread| match thread.join() {
                Ok(failure) => failure,
                Err(_) => Some("an exporter panicked".to_owned()),
            })
            .collect()
        })
    }
}

fn stopped<P>(provider: Option<P>, stop: impl FnOnce(&P) -> OTelSdkResult) -> Option<String> {
    provider
        .as_ref()
        .and_then(|provider| stop(provider).err())
        .map(|error| error.to_string())
}

/// Filter of the logs: `RUST_LOG`, else [`DEFAULT_FILTER`].
fn log_filter() -> Result<EnvFilter, ParseError> {
    match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(filter) if !filter.is_empty() => EnvFilter::builder().parse(filter),
        _ => EnvFilter::builder().parse(DEFAULT_FILTER),
    }
}

/// Spans of ours, and the events in them: libraries' spans would only hide them.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= tracing::Level::INFO
        && metadata.target().starts_with("nonrecours")
        && metadata.target() != ACCESS_TARGET
}

/// Every log but those of the crates that carry logs away: exporting them would make more of them, without end.
fn is_exported_log(metadata: &Metadata<'_>) -> bool {
    const CARRIERS: [&str; 5] = ["opentelemetry", "tonic", "tower", "hyper", "h2"];
    let target = metadata.target();
    !CARRIERS.iter().any(|carrier| target.starts_with(carrier))
}

#[cfg(test)]
mod tests;
