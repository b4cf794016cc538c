//! The whole suite in one process: three services on loopback, each with its own database, and a development issuer.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use nonrecours_files::FilesConfig;
use nonrecours_host::{DatabaseConfig, Environment, HostSettings, StartError};
use nonrecours_issuer::{DevAuthority, DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, Role};
use nonrecours_localpg::{LocalPg, Options};
use nonrecours_pg::DEFAULT_MAX_CONNECTIONS;
use nonrecours_rpc::{
    ServerConfig,
    auth::{AuthConfig, JwksSource, PeerTokenConfig},
    tls::TlsConfig,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use tempfile::TempDir;
use time::Duration;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Audience of the suite's tokens.
pub(crate) const AUDIENCE: &str = "nonrecours";
/// Issuer of the suite's tokens.
const ISSUER: &str = "http://nonrecours.localhost/issuer";
/// The demonstration moves its clock by months: the tokens of the services outlive it.
const PEER_TOKEN_TTL: Duration = Duration::days(400);
/// And their certificates, which others verify by the clock of the machine.
const CERTIFICATE_LIFE: Duration = Duration::days(3000);
/// The services.
const SERVICES: [&str; 3] = ["conventions", "followup", "payments"];

/// Where the three databases are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Databases {
    /// On the servers that `*_DATABASE_URL` and `*_OWNER_DATABASE_URL` name; on a private one where they name none.
    FromEnvironment,
    /// On a private PostgreSQL, whatever the environment says.
    Private,
}

/// How to run the suite.
pub struct SuiteOptions {
    /// Where the databases are.
    pub databases: Databases,
    /// The clock of all three services.
    pub clock: Arc<dyn Clock>,
    /// Where the private PostgreSQL keeps its data, and the services their files; `None`: temporary folders, gone at the
    /// end.
    pub data: Option<PathBuf>,
    /// Where PostgreSQL's programs are; `None`: looked for.
    pub postgres_programs: Option<PathBuf>,
    /// Ports of conventions, followup and payments; 0: any free one.
    pub ports: [u16; 3],
    /// Whether they speak TLS and know each other by certificates, as in a deployment; else plain HTTP/2 and tokens.
    pub certificates: bool,
}

/// A running suite. Call [`stop`](Self::stop) to end it in order.
pub struct Suite {
    /// Addresses of conventions, followup and payments.
    pub addresses: Addresses,
    /// Signs tokens that the suite accepts.
    pub issuer: Arc<DevIssuer>,
    /// The clock of all three.
    pub clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    services: Vec<(&'static str, JoinHandle<Result<(), StartError>>)>,
    postgres: Option<LocalPg>,
    certificates: bool,
    folder: TempDir,
}

/// Where the three services listen, as `http://127.0.0.1:port` or `https://…`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Addresses {
    /// Conventions.
    pub conventions: String,
    /// Follow-up.
    pub followup: String,
    /// Payments.
    pub payments: String,
    /// File of the authorities that sign their certificates, PEM; otherwise those of the system.
    #[serde(default)]
    pub authorities: Option<PathBuf>,
}

/// The databases of one service: of its owner, who migrates, and of the application, which is bound by row security.
struct Urls {
    owner: String,
    app: String,
}

impl Suite {
    /// Starts PostgreSQL unless each service has a database set, migrates, and serves.
    pub async fn start(options: SuiteOptions) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the development keys")?;
        let kept = options.data.as_deref().unwrap_or(folder.path());
        fs::create_dir_all(kept).with_context(|| kept.display().to_string())?;
        let files = FilesConfig::folder(kept.join("files"));
        let keys_file = key_ring(options.databases, kept)?;
        let issuer = Arc::new(DevIssuer::generate(
            ISSUER,
            AUDIENCE,
            Arc::clone(&options.clock),
        )?);
        issuer.write_jwks(&folder.path().join("jwks.json"))?;

        let authorities = if options.certificates {
            Some(certify(folder.path(), &options.clock)?)
        } else {
            None
        };

        let mut postgres = None;
        let mut urls = Vec::new();
        for name in SERVICES {
            let configured = match options.databases {
                Databases::FromEnvironment => configured(name)?,
                Databases::Private => None,
            };
            urls.push(match configured {
                Some(urls) => urls,
                None => private(&mut postgres, name, &options).await?,
            });
        }
        let migrators: [&Migrator; 3] = [
            &nonrecours_conventions::MIGRATOR,
            &nonrecours_followup::MIGRATOR,
            &nonrecours_payments::MIGRATOR,
        ];
        let mut listeners = Vec::new();
        for ((urls, migrator), port) in urls.iter().zip(migrators).zip(options.ports) {
            nonrecours_pg::migrate(&urls.owner, migrator, options.clock.as_ref()).await?;
            let listener = TcpListener::bind(("127.0.0.1", port))
                .await
                .with_context(|| format!("port {port} of the loopback"))?;
            listeners.push(listener);
        }
        let address = |index: usize| -> anyhow::Result<String> {
            let listener: &TcpListener = listeners.get(index).context("three listeners")?;
            let address = listener.local_addr()?;
            Ok(match authorities {
                Some(_) => format!("https://localhost:{}", address.port()),
                None => format!("http://{address}"),
            })
        };
        let addresses = Addresses {
            conventions: address(0)?,
            followup: address(1)?,
            payments: address(2)?,
            authorities: authorities.clone(),
        };

        let mut suite = Self {
            addresses: addresses.clone(),
            issuer,
            clock: options.clock,
            shutdown: CancellationToken::new(),
            services: Vec::new(),
            postgres,
            certificates: options.certificates,
            folder,
        };
        let [conventions, followup, payments] =
            <[Urls; 3]>::try_from(urls).map_err(|_| anyhow::anyhow!("three databases"))?;
        let [on_conventions, on_followup, on_payments] = <[TcpListener; 3]>::try_from(listeners)
            .map_err(|_| anyhow::anyhow!("three listeners"))?;
        let config = nonrecours_conventions::Config {
            listen: on_conventions.local_addr()?,
            database_url: conventions.app,
            followup_url: addresses.followup.clone(),
            payments_url: addresses.payments.clone(),
            typeset_program: None,
            files,
            host: suite.settings("conventions")?,
        };
        suite.run("conventions", |environment, shutdown| {
            nonrecours_conventions::serve(config, environment, on_conventions, shutdown)
        });
        let config = nonrecours_followup::Config {
            listen: on_followup.local_addr()?,
            database_url: followup.app,
            keys_file,
            journal_retention_months: nonrecours_followup::journal::keep::DEFAULT_RETENTION_MONTHS,
            thresholds: nonrecours_followup::indicator::thresholds::Thresholds::DEFAULT,
            conventions_url: addresses.conventions.clone(),
            host: suite.settings("followup")?,
        };
        suite.run("followup", |environment, shutdown| {
            nonrecours_followup::serve(config, environment, on_followup, shutdown)
        });
        let config = nonrecours_payments::Config {
            listen: on_payments.local_addr()?,
            database_url: payments.app,
            conventions_url: addresses.conventions.clone(),
            accounts: nonrecours_payments::DEFAULT_ACCOUNTS.parse()?,
            host: suite.settings("payments")?,
        };
        suite.run("payments", |environment, shutdown| {
            nonrecours_payments::serve(config, environment, on_payments, shutdown)
        });
        Ok(suite)
    }

    /// Waits until a service ends by itself, which none should: says which, and why.
    pub async fn failed(&mut self) -> anyhow::Error {
        loop {
            for (name, service) in &mut self.services {
                if service.is_finished() {
                    return match service.await {
                        Ok(Ok(())) => anyhow::anyhow!("{name} stopped"),
                        Ok(Err(error)) => anyhow::Error::new(error).context(*name),
                        Err(error) => anyhow::Error::new(error).context(*name),
                    };
                }
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    /// Drains the services, then stops PostgreSQL. Says the first thing that did not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let mut result = Ok(());
        for (name, service) in self.services.drain(..) {
            let ended = match service.await {
                Ok(ended) => ended.map_err(anyhow::Error::new),
                Err(error) => Err(anyhow::Error::new(error)),
            };
            result = result.and(ended.context(name));
        }
        if let Some(postgres) = self.postgres.take() {
            result = result.and(postgres.stop().await.context("PostgreSQL"));
        }
        result
    }

    fn run<S>(
        &mut self,
        name: &'static str,
        serve: impl FnOnce(Environment, CancellationToken) -> S,
    ) where
        S: Future<Output = Result<(), StartError>> + Send + 'static,
    {
        let environment = Environment::new(Arc::clone(&self.clock));
        let serving = serve(environment, self.shutdown.clone());
        self.services.push((name, tokio::spawn(serving)));
    }

    fn settings(&self, service: &str) -> anyhow::Result<HostSettings> {
        // Who is known by a certificate shows no token.
        let peer_token_file = if self.certificates {
            None
        } else {
            Some(self.peer_token(service)?)
        };
        Ok(HostSettings {
            database: DatabaseConfig {
                max_connections: DEFAULT_MAX_CONNECTIONS,
            },
            server: ServerConfig::default(),
            auth: AuthConfig {
                issuer: ISSUER.to_owned(),
                audience: AUDIENCE.to_owned(),
                jwks: Some(JwksSource::File(self.folder.path().join("jwks.json"))),
                claims: None,
            },
            peer_token: PeerTokenConfig { peer_token_file },
            tls: self.tls(service),
        })
    }

    fn peer_token(&self, service: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.path().join(format!("{service}.token"));
        let token = self.issuer.token(&TokenSpec {
            ttl: PEER_TOKEN_TTL,
            ..TokenSpec::new(format!("service:{service}"), [Role::PeerService])
        })?;
        fs::write(&file, token)?;
        Ok(file)
    }

    /// The certificate of a service and whom it knows by theirs; nothing without certificates, on the loopback only.
    pub fn tls(&self, service: &str) -> TlsConfig {
        if !self.certificates {
            return TlsConfig::default();
        }
        let file = |name: &str| Some(self.folder.path().join(name));
        TlsConfig {
            tls_certificate: file(&format!("{service}.pem")),
            tls_key: file(&format!("{service}.key")),
            tls_authorities: file(AUTHORITIES),
            tls_peers: SERVICES.map(str::to_owned).to_vec(),
        }
    }
}

/// The authority of a suite with certificates.
const AUTHORITIES: &str = "authority.pem";

/// A certificate for each service, as itself and as it is reached; the file of the authority that signed them.
fn certify(folder: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<PathBuf> {
    let authority = DevAuthority::generate(Arc::clone(clock))?;
    let file = folder.join(AUTHORITIES);
    authority.write(&file)?;
    for service in SERVICES {
        authority.sign(folder, service, &[service, "localhost"], CERTIFICATE_LIFE)?;
    }
    Ok(file)
}

/// How often the services are looked at while nothing happens.
const WATCH_EVERY: std::time::Duration = std::time::Duration::from_millis(200);

/// The key ring of `followup`: with a database of the environment, the one that it names; else one in this folder, made
/// when it is not there.
fn key_ring(databases: Databases, folder: &Path) -> anyhow::Result<PathBuf> {
    if databases == Databases::FromEnvironment && configured("followup")?.is_some() {
        return std::env::var_os("FOLLOWUP_KEYS_FILE")
            .map(PathBuf::from)
            .context("set FOLLOWUP_KEYS_FILE with FOLLOWUP_DATABASE_URL: what is sealed there needs its keys again");
    }
    let file = folder.join("followup-keys.json");
    if !file.exists() {
        nonrecours_followup::vault::KeyRing::create(&file, "first").context("a key ring")?;
    }
    Ok(file)
}

/// The database that the environment sets for a service, if it does.
fn configured(service: &str) -> anyhow::Result<Option<Urls>> {
    let upper = service.to_uppercase();
    let (app, owner) = (
        format!("{upper}_DATABASE_URL"),
        format!("{upper}_OWNER_DATABASE_URL"),
    );
    match (std::env::var(&app).ok(), std::env::var(&owner).ok()) {
        (None, None) => Ok(None),
        (Some(app), Some(owner)) => Ok(Some(Urls { owner, app })),
        _ => anyhow::bail!("set {app} and {owner} together: the second is the role that migrates"),
    }
}

async fn private(
    postgres: &mut Option<LocalPg>,
    service: &str,
    options: &SuiteOptions,
) -> anyhow::Result<Urls> {
    if postgres.is_none() {
        *postgres = Some(
            LocalPg::start(Options {
                data_dir: options.data.clone(),
                durable: true,
                binaries: options.postgres_programs.clone(),
            })
            .await?,
        );
    }
    let admin = postgres.as_ref().context("PostgreSQL runs")?.admin();
    let urls = nonrecours_localpg::create_service_database(&admin, service, service).await?;
    Ok(Urls {
        owner: urls.owner_url,
        app: urls.app_url,
    })
}
