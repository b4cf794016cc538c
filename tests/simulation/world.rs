//! The three services in this process, each on a runtime of its own that can be killed, with ways between everybody that can
//! be cut.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use nonrecours_cli::{journey::Cast, suite::Addresses};
use nonrecours_files::FilesConfig;
use nonrecours_followup::{
    indicator::thresholds::Thresholds, journal::keep::DEFAULT_RETENTION_MONTHS, vault::KeyRing,
};
use nonrecours_host::{DatabaseConfig, Environment, HostSettings, StartError};
use nonrecours_issuer::{DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, Role};
use nonrecours_rpc::{
    ServerConfig,
    auth::{AuthConfig, JwksSource, PeerTokenConfig},
    tls::TlsConfig,
};
use nonrecours_testkit::{AUDIENCE, ISSUER, Proxy, TestDb};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

use crate::clock::MovedClock;

/// A service of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Conventions,
    Followup,
    Payments,
}

pub const ALL: [Who; 3] = [Who::Conventions, Who::Followup, Who::Payments];

/// Connections of a service: several simulations share a server.
const CONNECTIONS: u32 = 6;
/// A request is given up soon, since much is silent here.
const REQUEST_TIMEOUT_MS: u64 = 3_000;
/// Pause before a service that could not start is started again.
const START_AGAIN: Duration = Duration::from_millis(50);
/// Threads of a service.
const THREADS: usize = 1;

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Self::Conventions => nonrecours_conventions::SERVICE,
            Self::Followup => nonrecours_followup::SERVICE,
            Self::Payments => nonrecours_payments::SERVICE,
        }
    }

    /// Whose feed it follows.
    pub fn source(self) -> Self {
        match self {
            Self::Conventions => Self::Payments,
            Self::Followup | Self::Payments => Self::Conventions,
        }
    }
}

/// What surrounds one service.
pub struct Place {
    pub who: Who,
    /// Between it and its database.
    pub database: Proxy,
    /// From clients to it.
    pub clients: Proxy,
    /// From the other services to it.
    pub peers: Proxy,
    /// Its database as the owner sees it.
    pub owner: PgPool,
    test_db: TestDb,
    url: String,
    running: Option<Running>,
}

/// A service that runs. Dropped, it dies.
struct Running {
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub struct World {
    pub places: [Place; 3],
    pub cast: Cast,
    pub clock: MovedClock,
    issuer: Arc<DevIssuer>,
    folder: TempDir,
}

impl World {
    pub async fn start() -> Self {
        let clock = MovedClock::default();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let issuer = DevIssuer::generate(ISSUER, AUDIENCE, Arc::clone(&shared)).unwrap();
        let issuer = Arc::new(issuer);
        issuer.write_jwks(&folder.path().join("jwks.json")).unwrap();
        KeyRing::create(&folder.path().join("keys.json"), "first").unwrap();
        let places = [
            Place::set(Who::Conventions).await,
            Place::set(Who::Followup).await,
            Place::set(Who::Payments).await,
        ];
        let [conventions, followup, payments] =
            [0, 1, 2].map(|index: usize| url_of(places[index].clients.address()));
        let mut world = Self {
            places,
            cast: Cast {
                addresses: Addresses {
                    conventions,
                    followup,
                    payments,
                    authorities: None,
                },
                issuer: Arc::clone(&issuer),
                clock: shared,
            },
            clock,
            issuer,
            folder,
        };
        for who in ALL {
            world.run(who);
        }
        world
    }

    pub fn place(&self, who: Who) -> &Place {
        &self.places[who as usize]
    }

    /// Kills a service between two of its steps: nothing that it has in hand goes on.
    pub fn kill(&mut self, who: Who) {
        self.places[who as usize].running = None;
    }

    /// Starts a service that does not run, again and again until it has started.
    pub fn run(&mut self, who: Who) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listen = listener.local_addr().unwrap();
        let environment = Environment::new(Arc::clone(&self.cast.clock));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .unwrap();
        let start = self.start_of(who, listen);
        runtime.spawn(async move {
            loop {
                let listener = listener.try_clone().unwrap();
                let listener = TcpListener::from_std(listener).unwrap();
                match start(environment.clone(), listener, CancellationToken::new()).await {
                    Ok(()) => return,
                    Err(_) => tokio::time::sleep(START_AGAIN).await,
                }
            }
        });
        let place = &mut self.places[who as usize];
        place.clients.aim(vec![listen]);
        place.peers.aim(vec![listen]);
        place.running = Some(Running {
            runtime: Some(runtime),
        });
    }

    /// Ends everything, and removes the databases.
    pub async fn end(self) {
        for place in self.places {
            drop(place.running);
            place.owner.close().await;
            place.test_db.remove().await;
        }
    }

    /// What starts a service with its settings.
    fn start_of(&self, who: Who, listen: SocketAddr) -> Start {
        let host = self.settings(who);
        let database_url = self.place(who).url.clone();
        let peer = |who: Who| url_of(self.place(who).peers.address());
        match who {
            Who::Conventions => {
                let config = nonrecours_conventions::Config {
                    listen,
                    database_url,
                    followup_url: peer(Who::Followup),
                    payments_url: peer(Who::Payments),
                    typeset_program: None,
                    files: FilesConfig::folder(self.file("files")),
                    host,
                };
                Box::new(move |environment, listener, shutdown| {
                    let config = config.clone();
                    Box::pin(nonrecours_conventions::serve(
                        config,
                        environment,
                        listener,
                        shutdown,
                    ))
                })
            }
            Who::Followup => {
                let config = nonrecours_followup::Config {
                    listen,
                    database_url,
                    keys_file: self.file("keys.json"),
                    conventions_url: peer(Who::Conventions),
                    journal_retention_months: DEFAULT_RETENTION_MONTHS,
                    thresholds: Thresholds::DEFAULT,
                    host,
                };
                Box::new(move |environment, listener, shutdown| {
                    let config = config.clone();
                    Box::pin(nonrecours_followup::serve(
                        config,
                        environment,
                        listener,
                        shutdown,
                    ))
                })
            }
            Who::Payments => {
                let config = nonrecours_payments::Config {
                    listen,
                    database_url,
                    conventions_url: peer(Who::Conventions),
                    accounts: nonrecours_payments::DEFAULT_ACCOUNTS.parse().unwrap(),
                    host,
                };
                Box::new(move |environment, listener, shutdown| {
                    let config = config.clone();
                    Box::pin(nonrecours_payments::serve(
                        config,
                        environment,
                        listener,
                        shutdown,
                    ))
                })
            }
        }
    }

    fn settings(&self, who: Who) -> HostSettings {
        let token = self.issuer.token(&TokenSpec {
            ttl: time::Duration::days(400),
            ..TokenSpec::new(format!("service:{}", who.name()), [Role::PeerService])
        });
        let peer_token_file = self.file(&format!("{}.token", who.name()));
        std::fs::write(&peer_token_file, token.unwrap()).unwrap();
        HostSettings {
            database: DatabaseConfig {
                max_connections: CONNECTIONS,
            },
            server: ServerConfig {
                request_timeout_ms: REQUEST_TIMEOUT_MS,
                ..ServerConfig::default()
            },
            auth: AuthConfig {
                issuer: ISSUER.to_owned(),
                audience: AUDIENCE.to_owned(),
                jwks: Some(JwksSource::File(self.file("jwks.json"))),
                claims: None,
            },
            peer_token: PeerTokenConfig {
                peer_token_file: Some(peer_token_file),
            },
            tls: TlsConfig::default(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

type Serving = std::pin::Pin<Box<dyn Future<Output = Result<(), StartError>> + Send>>;
type Start = Box<dyn Fn(Environment, TcpListener, CancellationToken) -> Serving + Send + Sync>;

impl Place {
    /// Its database as the service sees it.
    pub async fn app(&self) -> PgPool {
        self.test_db.app().await
    }

    async fn set(who: Who) -> Self {
        let test_db = match who {
            Who::Conventions => {
                TestDb::create("conventions", &nonrecours_conventions::MIGRATOR).await
            }
            Who::Followup => TestDb::create("followup", &nonrecours_followup::MIGRATOR).await,
            Who::Payments => TestDb::create("payments", &nonrecours_payments::MIGRATOR).await,
        };
        let url = test_db.app_url().to_owned();
        let (_, rest) = url.rsplit_once('@').unwrap();
        let server = rest.split('/').next().unwrap();
        let database = Proxy::to(vec![server.parse().unwrap()]).await;
        Self {
            who,
            url: url.replace(server, &database.address().to_string()),
            database,
            // Led to the service when it starts.
            clients: Proxy::to(Vec::new()).await,
            peers: Proxy::to(Vec::new()).await,
            owner: test_db.owner().await,
            test_db,
            running: None,
        }
    }
}

fn url_of(address: SocketAddr) -> String {
    format!("http://{address}")
}
