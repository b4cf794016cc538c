//! `nonrecours collector`: stands in for a collector and a trace viewer where neither can be had. It keeps spans in memory and
//! shows them as Jaeger's `/api/traces/{trace}` does, so that the same questions can be asked of either. Metrics and logs are
//! not taken.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    resource::v1::Resource,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::collected::{Answer, Process, Reference, Span, Trace};

/// Spans kept at most; more are refused.
const MAX_SPANS: usize = 100_000;

/// The spans received. Clones share them.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sent in request.into_inner().resource_spans {
            let service = service(sent.resource.as_ref());
            for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                if kept.len() >= MAX_SPANS {
                    return Err(Status::resource_exhausted("as many spans as are kept"));
                }
                let parent = (!span.parent_span_id.is_empty()).then(|| Reference {
                    ref_type: "CHILD_OF".to_owned(),
                    span_id: hex(&span.parent_span_id),
                });
                kept.push((
                    hex(&span.trace_id),
                    Span {
                        trace_id: hex(&span.trace_id),
                        span_id: hex(&span.span_id),
                        operation_name: span.name,
                        references: parent.into_iter().collect(),
                        process_id: service.clone(),
                    },
                ));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Received {
    /// What was received of a trace.
    fn trace(&self, id: &str) -> Option<Trace> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spans: Vec<Span> = kept
            .iter()
            .filter(|(trace, _)| trace == id)
            .map(|(_, span)| span.clone())
            .collect();
        let processes: BTreeMap<String, Process> = spans
            .iter()
            .map(|span| {
                let service_name = span.process_id.clone();
                (span.process_id.clone(), Process { service_name })
            })
            .collect();
        (!spans.is_empty()).then(|| Trace {
            trace_id: id.to_owned(),
            spans,
            processes,
        })
    }
}

/// Takes spans on `otlp` (gRPC) and shows them on `viewer` (HTTP) until SIGTERM or SIGINT.
pub async fn run(otlp: SocketAddr, viewer: SocketAddr) -> anyhow::Result<()> {
    let received = Received::default();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (otlp, viewer) = (
        TcpListener::bind(otlp).await?,
        TcpListener::bind(viewer).await?,
    );
    let shutdown = CancellationToken::new();
    let taking = Server::builder()
        .add_service(TraceServiceServer::new(received.clone()))
        .serve_with_incoming_shutdown(TcpIncoming::from(otlp), shutdown.clone().cancelled_owned());
    let pages = Router::new()
        .route("/api/traces/{trace}", get(shown))
        .with_state(received);
    let showing =
        axum::serve(viewer, pages).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let ending = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    };
    let (taken, shown, ()) = tokio::join!(taking, showing, ending);
    taken?;
    Ok(shown?)
}

async fn shown(
    State(received): State<Received>,
    Path(trace): Path<String>,
) -> Result<Json<Answer>, StatusCode> {
    let trace = received.trace(&trace).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Answer { data: vec![trace] }))
}

/// `service.name` of who sends.
fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
    let name = attributes.iter().find(|known| known.key == "service.name");
    match name
        .and_then(|known| known.value.as_ref())
        .and_then(|value| value.value.as_ref())
    {
        Some(Value::StringValue(name)) => name.clone(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, KeyValue},
        trace::v1::{ResourceSpans, ScopeSpans, Span as Sent},
    };

    use super::*;

    #[tokio::test]
    async fn a_trace_is_shown_as_it_was_sent_and_no_other() {
        let received = Received::default();
        let sent = |trace: u8, span: u8, parent: Option<u8>| Sent {
            trace_id: vec![trace; 16],
            span_id: vec![span; 8],
            parent_span_id: parent.map_or_else(Vec::new, |parent| vec![parent; 8]),
            name: format!("span {span}"),
            ..Sent::default()
        };
        let name = KeyValue {
            key: "service.name".to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("payments".to_owned())),
            }),
            ..KeyValue::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![name],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans: vec![sent(1, 1, None), sent(1, 2, Some(1)), sent(2, 3, None)],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        received.export(Request::new(request)).await.unwrap();

        let trace = received.trace(&"01".repeat(16)).unwrap();
        let ids: Vec<_> = trace.spans.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids, [&"01".repeat(8), &"02".repeat(8)]);
        assert_eq!(trace.spans[1].references[0].span_id, "01".repeat(8));
        assert_eq!(trace.processes["payments"].service_name, "payments");
        assert!(received.trace(&"03".repeat(16)).is_none());
    }
}
