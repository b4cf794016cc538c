//! Serving: the layers in their order, health, reflection, limits, and a graceful end.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};

use clap::Args;
use futures_util::{FutureExt as _, TryStreamExt as _};
use nonrecours_contracts::DESCRIPTOR_SET;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::RoutesBuilder,
    transport::{self, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::Service;

use crate::{
    accept,
    auth::Verifier,
    connections::{ConnectionLayer, Connections, Line},
    layers::{
        access::AccessLayer, deadline::DeadlineLayer, share::ShareLayer, shed::ShedLayer,
        trace::TraceLayer,
    },
    tls::{self, Peers, ServerTls},
};

/// How often readiness is looked at.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long one look may take before the service counts as not ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Streams that one connection may hold open.
const MAX_STREAMS_PER_CONNECTION: u32 = 256;
/// Silence after which a connection is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to say so.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest list of headers of one request, bytes.
const MAX_HEADER_LIST: u32 = 16 * 1024;

/// Limits of a server.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Requests in hand at once in the whole process; more are refused with RESOURCE_EXHAUSTED.
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 512)]
    pub max_in_flight: usize,
    /// Requests in hand at once of one caller; more are refused with RESOURCE_EXHAUSTED, and others are served.
    #[arg(long, env = "CALLER_IN_FLIGHT", default_value_t = 256)]
    pub caller_in_flight: usize,
    /// Requests of one caller in a second, in the long run; more are refused with RESOURCE_EXHAUSTED.
    #[arg(long, env = "CALLER_RATE", default_value_t = 5_000)]
    pub caller_rate: u32,
    /// Longest time to the first answer of a request, milliseconds.
    #[arg(long, env = "REQUEST_TIMEOUT_MS", default_value_t = 30_000)]
    pub request_timeout_ms: u64,
    /// Connections open at once; the newest takes the place of one that has nothing in hand.
    #[arg(long, env = "MAX_OPEN", default_value_t = 4_096)]
    pub max_open: usize,
    /// How long a message of an answer may wait for the other side to take it, milliseconds; its connection is ended then.
    #[arg(long, env = "UNREAD_TIMEOUT_MS", default_value_t = 60_000)]
    pub unread_timeout_ms: u64,
    /// How long requests in hand may take to finish after SIGTERM, milliseconds.
    #[arg(long, env = "DRAIN_TIMEOUT_MS", default_value_t = 20_000)]
    pub drain_timeout_ms: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_in_flight: 512,
            caller_in_flight: 256,
            caller_rate: 5_000,
            request_timeout_ms: 30_000,
            max_open: 4_096,
            unread_timeout_ms: 60_000,
            drain_timeout_ms: 20_000,
        }
    }
}

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors do not make a reflection service.
    #[error("reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("transport")]
    Transport(#[from] transport::Error),
}

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// One service's gRPC server.
pub struct Server {
    service: &'static str,
    config: ServerConfig,
    verifier: Verifier,
    tls: Option<ServerTls>,
    peers: Peers,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    probe: Probe,
}

impl Server {
    /// A server without rpcs yet. `service` is its short name, e.g. `payments`.
    pub fn new(service: &'static str, config: ServerConfig, verifier: Verifier) -> Self {
        Self {
            service,
            config,
            verifier,
            tls: None,
            peers: Peers::default(),
            routes: RoutesBuilder::default(),
            names: Vec::new(),
            probe: Arc::new(|| Box::pin(async { true })),
        }
    }

    /// Takes connections under TLS, none under plain HTTP/2.
    #[must_use]
    pub fn tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls;
        self
    }

    /// Knows these peers by their certificates.
    #[must_use]
    pub fn peers(mut self, peers: Peers) -> Self {
        self.peers = peers;
        self
    }

    /// Adds a gRPC service.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "the verb of RoutesBuilder")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Says how to find out whether the service can do its work: asked now and then, shown by its health.
    #[must_use]
    pub fn ready_when<F, Ready>(mut self, probe: F) -> Self
    where
        F: Fn() -> Ready + Send + Sync + 'static,
        Ready: Future<Output = bool> + Send + 'static,
    {
        self.probe = Arc::new(move || Box::pin(probe()));
        self
    }

    /// Serves until `shutdown`, then finishes what is in hand, for at most the drain time.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let names = &self.names;
        // Each server tells of its own services, though the descriptors are those of the whole suite.
        let reflection = || {
            names.iter().fold(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
                    .with_service_name("grpc.health.v1.Health"),
                |builder, name| builder.with_service_name(*name),
            )
        };
        let (v1, v1alpha) = (reflection().build_v1()?, reflection().build_v1alpha()?);
        self.routes
            .add_service(health)
            .add_service(v1)
            // Python's grpcio-reflection and older grpcurl ask for v1alpha.
            .add_service(v1alpha);

        let mut names = self.names;
        names.push("");
        // Known from the start, and not ready before the first look.
        set(&reporter, &names, false).await;
        let probing = tokio::spawn(report(reporter, names, self.probe, shutdown.clone()));

        let router = transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
            .http2_max_header_list_size(MAX_HEADER_LIST)
            .layer(ConnectionLayer)
            .layer(TraceLayer::new(self.service))
            .layer(DeadlineLayer::new(Duration::from_millis(
                self.config.request_timeout_ms,
            )))
            .layer(ShedLayer::new(self.config.max_in_flight))
            .layer(AccessLayer::new(self.verifier, self.peers))
            .layer(ShareLayer::new(
                self.config.caller_rate,
                self.config.caller_in_flight,
            ))
            .add_routes(self.routes.routes());
        let incoming = accept::paced(TcpIncoming::from(listener).with_nodelay(Some(true)));
        let connections = Connections::new(
            self.config.max_open,
            Duration::from_millis(self.config.unread_timeout_ms),
        );
        let ended = shutdown.clone().cancelled_owned();
        let serving = match self.tls {
            None => {
                let plain = connections
                    .seated(incoming)
                    .map_ok(|(tcp, seat)| Line::plain(tcp, seat));
                router.serve_with_incoming_shutdown(plain, ended).boxed()
            }
            Some(tls) => {
                let shaken = tls::incoming(incoming, tls, connections);
                router.serve_with_incoming_shutdown(shaken, ended).boxed()
            }
        };

        let drain = Duration::from_millis(self.config.drain_timeout_ms);
        let result = tokio::select! {
            result = serving => result.map_err(ServeError::from),
            () = async { shutdown.cancelled().await; tokio::time::sleep(drain).await } => {
                tracing::warn!(service = self.service, "requests were still in hand at the end of the drain time");
                Ok(())
            }
        };
        shutdown.cancel();
        // The probe ends with the token; a panic of its own would have shown as NOT_SERVING already.
        let _ = probing.await;
        result
    }
}

/// Keeps the health of every name up to date until shutdown, when all stop serving at once.
async fn report(
    reporter: HealthReporter,
    names: Vec<&'static str>,
    probe: Probe,
    shutdown: CancellationToken,
) {
    let mut shown = None;
    loop {
        let ready = tokio::time::timeout(PROBE_TIMEOUT, probe())
            .await
            .unwrap_or(false);
        if shown != Some(ready) {
            shown = Some(ready);
            set(&reporter, &names, ready).await;
            tracing::info!(ready, "readiness changed");
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(PROBE_EVERY) => {}
        }
    }
    set(&reporter, &names, false).await;
}

async fn set(reporter: &HealthReporter, names: &[&'static str], ready: bool) {
    let status = if ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for name in names {
        reporter.set_service_status(*name, status).await;
    }
}
