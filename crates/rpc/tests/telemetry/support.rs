//! A small real server, and what telemetry saw of it.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nonrecours_contracts::{
    feed::{
        ListHistoryRequest, ListHistoryResponse, PullChangesRequest, PullChangesResponse,
        change_feed_service_client::ChangeFeedServiceClient,
        change_feed_service_server::{ChangeFeedService, ChangeFeedServiceServer},
    },
    followup::{
        GetPushProgressRequest, PushProgress, PushRecordsOnceRequest, PushRecordsRequest,
        PushRecordsResponse,
        push_service_client::PushServiceClient,
        push_service_server::{PushService, PushServiceServer},
    },
};
use nonrecours_rpc::{
    Failure,
    layers::{
        deadline::DeadlineLayer,
        shed::ShedLayer,
        trace::{ClientTrace, ClientTraceLayer, TraceLayer},
    },
    telemetry::{self, LogFormat, SpanCapture, Telemetry, TelemetryConfig},
};
use opentelemetry::{Key, KeyValue, global};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, SdkMeterProvider,
        data::{AggregatedMetrics, MetricData},
    },
    trace::SpanData,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::{ServiceBuilder, ServiceExt as _};
use tracing::Instrument as _;

pub const LIST_HISTORY: &str = "nonrecours.feed.v1.ChangeFeedService/ListHistory";
pub const PUSH: &str = "nonrecours.followup.v1.PushService/PushRecords";

/// How long something may take that happens without a signal to wait for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `condition` holds, without naming a time by which it must.
pub async fn eventually(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, holds)
        .await
        .expect("in time");
}

/// Telemetry of this test process: one, as in any process. Tests tell their spans apart by the service's name.
pub struct Shared {
    pub capture: SpanCapture,
    metrics: SdkMeterProvider,
    measured: InMemoryMetricExporter,
    _telemetry: Telemetry,
}

pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let measured = InMemoryMetricExporter::default();
        let metrics = SdkMeterProvider::builder()
            .with_periodic_exporter(measured.clone())
            .build();
        global::set_meter_provider(metrics.clone());
        let capture = SpanCapture::default();
        let telemetry = telemetry::init(TelemetryConfig {
            service: "test",
            log: LogFormat::None,
            capture: Some(capture.clone()),
        });
        Shared {
            capture,
            metrics,
            measured,
            _telemetry: telemetry.expect("started once"),
        }
    })
}

/// One series of a duration histogram.
pub struct Point {
    pub method: String,
    pub code: String,
    pub error: Option<String>,
    pub count: u64,
    pub bounds: Vec<f64>,
}

impl Shared {
    /// Series of the histogram `name` that belong to `service`.
    pub fn durations(&self, name: &str, service: &str) -> Vec<Point> {
        let data = self.collect(name);
        let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = &data else {
            panic!("{name} is a histogram of seconds");
        };
        let points = histogram.data_points().filter_map(|point| {
            let of = |key| value(point.attributes(), key);
            (of("nonrecours.service").as_deref() == Some(service)).then(|| Point {
                method: of("rpc.method").expect("a method"),
                code: of("rpc.response.status_code").expect("a code"),
                error: of("error.type"),
                count: point.count(),
                bounds: point.bounds().collect(),
            })
        });
        points.collect()
    }

    /// The counter `name` for calls of one method.
    pub fn counted(&self, name: &str, method: &str) -> u64 {
        let data = self.collect(name);
        let AggregatedMetrics::U64(MetricData::Sum(sum)) = &data else {
            panic!("{name} is a counter");
        };
        sum.data_points()
            .filter(|point| value(point.attributes(), "rpc.method").as_deref() == Some(method))
            .map(|point| point.value())
            .sum()
    }

    fn collect(&self, name: &str) -> AggregatedMetrics {
        self.metrics.force_flush().expect("collected");
        let collected = self.measured.get_finished_metrics().expect("kept");
        let metrics = collected.last().expect("one collection").scope_metrics();
        let metric = metrics
            .flat_map(|scope| scope.metrics())
            .find(|metric| metric.name() == name);
        let data = metric.unwrap_or_else(|| panic!("{name} was measured"));
        match data.data() {
            AggregatedMetrics::F64(MetricData::Histogram(data)) => {
                AggregatedMetrics::F64(MetricData::Histogram(data.clone()))
            }
            AggregatedMetrics::U64(MetricData::Sum(data)) => {
                AggregatedMetrics::U64(MetricData::Sum(data.clone()))
            }
            other => panic!("{name} is {other:?}"),
        }
    }
}

fn value<'a>(attributes: impl Iterator<Item = &'a KeyValue>, key: &'static str) -> Option<String> {
    let mut attributes = attributes;
    attributes
        .find(|attribute| attribute.key == Key::from_static_str(key))
        .map(|attribute| attribute.value.to_string())
}

pub fn attribute_or_none(span: &SpanData, key: &'static str) -> Option<String> {
    value(span.attributes.iter(), key)
}

pub fn attribute(span: &SpanData, key: &'static str) -> String {
    attribute_or_none(span, key).unwrap_or_else(|| panic!("{key} is on {}", span.name))
}

pub struct Limits {
    pub max: Duration,
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max: PATIENCE,
            in_flight: 16,
        }
    }
}

/// A server with the layers of every service, on a port of its own.
pub struct TestServer {
    service: &'static str,
    address: SocketAddr,
    channel: Channel,
    /// Told each time a handler begins to wait.
    pub entered: Arc<Notify>,
    /// Lets a handler that waits go on.
    pub gate: Arc<Notify>,
}

impl TestServer {
    pub async fn start(service: &'static str, limits: Limits) -> Self {
        shared();
        let (entered, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = Handler {
            entered: entered.clone(),
            gate: gate.clone(),
            pause: limits.max.min(PAUSE) * 3,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (_, health) = tonic_health::server::health_reporter();
        let router = Server::builder()
            .layer(TraceLayer::new(service))
            .layer(DeadlineLayer::new(limits.max))
            .layer(ShedLayer::new(limits.in_flight))
            .add_service(health)
            .add_service(ChangeFeedServiceServer::new(handler.clone()))
            .add_service(PushServiceServer::new(handler));
        tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        Self {
            service,
            address,
            channel: endpoint.connect().await.expect("connected"),
            entered,
            gate,
        }
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn client(&self) -> ChangeFeedServiceClient<ClientTrace<Channel>> {
        ChangeFeedServiceClient::new(self.traced())
    }

    /// A client that knows nothing of traces.
    pub fn plain_client(&self) -> ChangeFeedServiceClient<Channel> {
        ChangeFeedServiceClient::new(self.channel())
    }

    pub fn push_client(&self) -> PushServiceClient<ClientTrace<Channel>> {
        PushServiceClient::new(self.traced())
    }

    /// Opens a stream that answers once, waits for the gate, answers once more and ends with ABORTED.
    pub async fn push(&self) -> Streaming<PushRecordsResponse> {
        let nothing = tokio_stream::empty::<PushRecordsRequest>();
        let answers = self.push_client().push_records(nothing).await;
        answers.expect("opened").into_inner()
    }

    /// Calls a path that no client of ours knows; the status is in the headers of the answer.
    pub async fn call_path(&self, path: &str) -> Code {
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .expect("a request");
        let response = self.channel().oneshot(request).await.expect("answered");
        let status = Status::from_header_map(response.headers());
        status.expect("a status").code()
    }

    /// Server spans of this service that have ended.
    pub fn spans(&self) -> Vec<SpanData> {
        let spans = shared().capture.spans().into_iter();
        let ours = spans.filter(|span| {
            attribute_or_none(span, "nonrecours.service").as_deref() == Some(self.service)
        });
        ours.collect()
    }

    fn traced(&self) -> ClientTrace<Channel> {
        ServiceBuilder::new()
            .layer(ClientTraceLayer)
            .service(self.channel())
    }
}

/// Longest wait of the slow stream before its second answer.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Handler {
    entered: Arc<Notify>,
    gate: Arc<Notify>,
    pause: Duration,
}

#[tonic::async_trait]
impl ChangeFeedService for Handler {
    async fn pull_changes(
        &self,
        _: Request<PullChangesRequest>,
    ) -> Result<Response<PullChangesResponse>, Status> {
        self.entered.notify_one();
        self.gate.notified().await;
        Ok(Response::new(PullChangesResponse::default()))
    }

    async fn list_history(
        &self,
        request: Request<ListHistoryRequest>,
    ) -> Result<Response<ListHistoryResponse>, Status> {
        let span = tracing::info_span!(target: "nonrecours::test", "handler");
        let name = request.into_inner().name;
        async {
            match name.as_str() {
                "present" => Ok(Response::new(ListHistoryResponse::default())),
                "missing" => Err(Failure::not_found(&name).into()),
                "broken" => Err(Failure::bug("asked for").into()),
                "panics" => panic!("asked for"),
                _ => {
                    self.entered.notify_one();
                    std::future::pending().await
                }
            }
        }
        .instrument(span)
        .await
    }
}

#[tonic::async_trait]
impl PushService for Handler {
    type PushRecordsStream =
        Pin<Box<dyn Stream<Item = Result<PushRecordsResponse, Status>> + Send>>;

    async fn push_records(
        &self,
        request: Request<Streaming<PushRecordsRequest>>,
    ) -> Result<Response<Self::PushRecordsStream>, Status> {
        let is_slow = request.metadata().contains_key("slow");
        let (gate, pause) = (self.gate.clone(), self.pause);
        let second = async move {
            if is_slow {
                tokio::time::sleep(pause).await;
            } else {
                gate.notified().await;
            }
            Ok(PushRecordsResponse::default())
        };
        let answers = tokio_stream::once(Ok(PushRecordsResponse::default()))
            .chain(once(second))
            .chain(tokio_stream::once(Err(Failure::concurrent_update().into())));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn push_records_once(
        &self,
        _: Request<PushRecordsOnceRequest>,
    ) -> Result<Response<PushRecordsResponse>, Status> {
        Ok(Response::new(PushRecordsResponse::default()))
    }

    async fn get_push_progress(
        &self,
        _: Request<GetPushProgressRequest>,
    ) -> Result<Response<PushProgress>, Status> {
        Ok(Response::new(PushProgress::default()))
    }
}

fn once<T>(future: impl Future<Output = T>) -> impl Stream<Item = T> {
    futures_util::stream::once(future)
}
