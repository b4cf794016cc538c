//! One running service: its database, its server, and what it does in the background.

use std::{future::Future, sync::Arc, time::Duration};

use nonrecours_feed::{Follower, Handler};
use nonrecours_kernel::{Clock, IdSource};
use nonrecours_pg::{Db, MigrateError};
use nonrecours_rpc::{
    Server, ServerConfig,
    audit::Audit,
    auth::{TokenSource, Verifier, VerifierError},
    client::{self, PeerChannel},
    server::ServeError,
    tls::{ClientTls, Peers, ServerTls, TlsError},
};
use sqlx::migrate::Migrator;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{HostConfig, HostSettings},
    security,
};

/// How often old answers are forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// How long background work may take to end once the server has drained.
const BACKGROUND_END: Duration = Duration::from_secs(5);

/// What a process passes in: tests and the demo pass a clock and ids of their own.
#[derive(Clone)]
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where new ids come from.
    pub ids: IdSource,
}

impl Environment {
    /// Ids from the operating system's randomness and the given clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            ids: IdSource::new(Arc::clone(&clock)),
            clock,
        }
    }
}

/// Why a service did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be read.
    #[error("settings")]
    Settings(#[from] std::io::Error),
    /// The database cannot be reached.
    #[error("database")]
    Database(#[from] nonrecours_pg::Error),
    /// The schema is not this program's.
    #[error(transparent)]
    Schema(#[from] MigrateError),
    /// The keys of the token issuer cannot be had, or the file of the claims cannot be used.
    #[error("token verification")]
    Verifier(#[from] VerifierError),
    /// Certificates, keys or authorities cannot be used.
    #[error("TLS")]
    Tls(#[from] TlsError),
    /// The address of a peer is not one.
    #[error("peer address")]
    Peer(#[from] client::AddressError),
    /// The place where files are kept cannot be used.
    #[error("files")]
    Files(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server failed.
    #[error("server")]
    Serve(#[from] ServeError),
}

/// A service that has its database and is about to serve.
pub struct Host {
    /// Its short name.
    pub service: &'static str,
    /// Its database.
    pub db: Db,
    /// Clock and ids.
    pub environment: Environment,
    /// Cancelled when the service is to end.
    pub shutdown: CancellationToken,
    server: ServerConfig,
    verifier: Verifier,
    peer_token: TokenSource,
    server_tls: Option<ServerTls>,
    client_tls: ClientTls,
    peers: Peers,
    background: JoinSet<()>,
}

impl Host {
    /// Connects to the database, checks its schema, loads the issuer's keys and its own certificate.
    pub async fn start(
        service: &'static str,
        config: HostConfig,
        environment: Environment,
        migrator: &Migrator,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        let db = Db::connect(&config.database, Arc::clone(&environment.clock)).await?;
        db.check_schema(migrator).await?;
        let HostSettings {
            server,
            auth,
            peer_token,
            tls,
            ..
        } = config.settings;
        let clock = &environment.clock;
        let verifier = Verifier::new(auth, Arc::clone(clock)).await?;
        Ok(Self {
            service,
            db,
            shutdown,
            server,
            peer_token: peer_token.source(),
            server_tls: tls.server(clock, verifier.audit()).await?,
            client_tls: tls.client(clock).await?,
            peers: tls.peers()?,
            verifier,
            environment,
            background: JoinSet::new(),
        })
    }

    /// Where what matters to security is noted.
    pub fn audit(&self) -> &Audit {
        self.verifier.audit()
    }

    /// The way to a peer: connected when first used, with this service's certificate, token and trace context.
    pub fn peer(&self, url: &str) -> Result<PeerChannel, StartError> {
        Ok(client::connect(
            url,
            self.peer_token.clone(),
            self.client_tls.clone(),
        )?)
    }

    /// Follows the feed of a peer in the background until shutdown.
    pub fn follow<H: Handler>(&mut self, source: &'static str, channel: PeerChannel, handler: H) {
        let follower = Follower {
            service: self.service,
            source,
            db: self.db.clone(),
            channel,
            handler,
        };
        self.background.spawn(follower.run(self.shutdown.clone()));
    }

    /// Runs something in the background, which ends by itself at shutdown.
    pub fn run(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(work);
    }

    /// Does something in the background: at once, then every so often until shutdown. What fails is logged, and done again
    /// the next time. Other instances do it too: the work itself must bear that.
    pub fn every<F, W>(&mut self, what: &'static str, period: Duration, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = Result<(), nonrecours_pg::Error>> + Send,
    {
        let shutdown = self.shutdown.clone();
        self.background.spawn(async move {
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    done = work() => if let Err(error) = done {
                        tracing::warn!(%error, what, "background work failed; it is done again later");
                    },
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(period) => {}
                }
            }
        });
    }

    /// Serves until shutdown with the rpcs that `rpcs` adds; drains; ends the background work; closes the database.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        rpcs: impl FnOnce(Server) -> Server,
    ) -> Result<(), StartError> {
        self.measure();
        let audit = self.audit().clone();
        self.background.spawn(security::run(
            self.db.clone(),
            self.service,
            audit.clone(),
            self.shutdown.clone(),
        ));
        let probed = self.db.clone();
        let server = rpcs(Server::new(self.service, self.server, self.verifier))
            .tls(self.server_tls)
            .peers(self.peers)
            .ready_when(move || {
                let db = probed.clone();
                async move { db.is_ready().await }
            });
        self.background
            .spawn(purge(self.db.clone(), self.shutdown.clone()));
        tracing::info!(service = self.service, address = ?listener.local_addr().ok(), "serving");
        let served = server.serve(listener, self.shutdown.clone()).await;
        // The server may have ended by itself: the background work ends with it.
        self.shutdown.cancel();
        let ended = tokio::time::timeout(BACKGROUND_END, async {
            while self.background.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::warn!(service = self.service, "background work was cut off");
            self.background.shutdown().await;
        }
        security::keep(&self.db, self.service, &audit).await;
        self.db.close().await;
        tracing::info!(service = self.service, "stopped");
        Ok(served?)
    }
}

async fn purge(db: Db, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
        match db.purge_replays().await {
            Ok(purged) => tracing::info!(purged, "forgot old answers"),
            Err(error) => tracing::warn!(%error, "forgetting old answers failed"),
        }
    }
}
