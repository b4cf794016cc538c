//! OTLP exporters and the resource, from the standard variables.

use std::env;

use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::{Resource, resource::ResourceDetector};

use super::TelemetryError;

/// Endpoint for the signals that have none of their own.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A signal's own variables.
struct Signal {
    exporter: &'static str,
    endpoint: &'static str,
}

const TRACES: Signal = Signal {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
};
const METRICS: Signal = Signal {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
};
const LOGS: Signal = Signal {
    exporter: "OTEL_LOGS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
};

/// The exporters that the environment asks for.
#[derive(Default)]
pub(super) struct Exporters {
    pub spans: Option<SpanExporter>,
    pub metrics: Option<MetricExporter>,
    pub logs: Option<LogExporter>,
}

impl Exporters {
    /// Reads the environment; makes no connection yet.
    pub fn from_env() -> Result<Self, TelemetryError> {
        if sdk_disabled() {
            return Ok(Self::default());
        }
        let (traces, metrics, logs) = (
            TRACES.is_on(variable)?,
            METRICS.is_on(variable)?,
            LOGS.is_on(variable)?,
        );
        if (traces || metrics || logs) && tokio::runtime::Handle::try_current().is_err() {
            return Err(TelemetryError::NoRuntime);
        }
        Ok(Self {
            spans: traces
                .then(|| SpanExporter::builder().build())
                .transpose()?,
            metrics: metrics
                .then(|| MetricExporter::builder().build())
                .transpose()?,
            logs: logs.then(|| LogExporter::builder().build()).transpose()?,
        })
    }
}

impl Signal {
    /// Whether the signal is exported: asked for by name, or by an endpoint. A newcomer without a collector has neither,
    /// so that "otlp" is no default as it is in the specification.
    fn is_on(&self, variable: impl Fn(&str) -> Option<String>) -> Result<bool, TelemetryError> {
        match variable(self.exporter).as_deref() {
            Some("none") => Ok(false),
            Some("otlp") => Ok(true),
            Some(other) => Err(TelemetryError::UnknownExporter {
                variable: self.exporter,
                value: other.to_owned(),
            }),
            None => Ok(variable(self.endpoint)
                .or_else(|| variable(ENDPOINT))
                .is_some()),
        }
    }
}

/// `OTEL_SDK_DISABLED=true`, in any case.
pub(super) fn sdk_disabled() -> bool {
    variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// What the environment says about this process, named `service` if it does not name it.
pub(super) fn resource(service: &'static str) -> Resource {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || opentelemetry_sdk::resource::EnvResourceDetector::new()
            .detect()
            .get(&"service.name".into())
            .is_some();
    let builder = Resource::builder();
    if named {
        builder.build()
    } else {
        builder.with_service_name(service).build()
    }
}

/// An environment variable; an empty one counts as absent (specification).
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn a_signal_leaves_when_an_endpoint_or_a_name_says_so() {
        let shared = [(ENDPOINT, "http://collector:4317")];
        let own = [(TRACES.endpoint, "http://collector:4317")];
        assert!(!TRACES.is_on(with(&[])).unwrap());
        assert!(TRACES.is_on(with(&shared)).unwrap());
        assert!(TRACES.is_on(with(&own)).unwrap());
        assert!(!LOGS.is_on(with(&own)).unwrap());
        assert!(METRICS.is_on(with(&[(METRICS.exporter, "otlp")])).unwrap());
        let off = [shared[0], (TRACES.exporter, "none")];
        assert!(!TRACES.is_on(with(&off)).unwrap());
    }

    #[test]
    fn an_unknown_exporter_is_refused_by_name() {
        let error = LOGS
            .is_on(with(&[(LOGS.exporter, "console")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("OTEL_LOGS_EXPORTER") && error.contains("console"));
    }
}
