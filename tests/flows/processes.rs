//! The three services as processes of their own, on a private PostgreSQL, known to each other by their certificates, with
//! signals sent to them.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use nonrecours_cli::{journey::Cast, suite::Addresses};
use nonrecours_followup::vault::KeyRing;
use nonrecours_issuer::{DevAuthority, DevIssuer};
use nonrecours_kernel::{Clock, SystemClock};
use nonrecours_localpg::{LocalPg, Options};
use nonrecours_rpc::{
    client,
    tls::{ClientTls, TlsConfig},
};
use nonrecours_testkit::Proxy;
use sqlx::migrate::Migrator;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tonic::transport::Channel;

pub const SERVICES: [&str; 3] = ["conventions", "followup", "payments"];
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "nonrecours";
/// Life of the certificates of the services.
const CERTIFICATES: time::Duration = time::Duration::days(1);

/// Where services listen, and listen again once they were killed: below the ports that the system gives to connections (from
/// 32768 on), so that nobody is given one between its choice and the service's start.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that nobody else in this run is given.
fn free_port() -> TcpListener {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    let free = (0..count).find_map(|_| {
        let place = std::process::id().wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(place).unwrap();
        TcpListener::bind(("127.0.0.1", port)).ok()
    });
    free.expect("a free port")
}

/// How the processes are laid out.
#[derive(Default)]
pub struct Layout {
    /// Instances of each service besides the first.
    pub further: usize,
    /// Where PostgreSQL keeps its data, as safely as in operation; a temporary folder otherwise, and faster.
    pub data: Option<PathBuf>,
    /// Whether everybody reaches everybody by ways that can be cut.
    pub proxied: bool,
    /// Settings of every service besides.
    pub settings: Vec<(&'static str, String)>,
}

/// The ways between clients, services and PostgreSQL.
pub struct Ways {
    /// From clients to the instances of each service, in turn.
    pub clients: BTreeMap<&'static str, Proxy>,
    /// From the other services.
    pub peers: BTreeMap<&'static str, Proxy>,
    /// To PostgreSQL.
    pub database: Proxy,
}

pub struct Processes {
    pub cast: Cast,
    pub ways: Option<Ways>,
    postgres: Option<LocalPg>,
    folder: TempDir,
    settings: BTreeMap<String, String>,
    listens: BTreeMap<&'static str, Vec<SocketAddr>>,
    running: BTreeMap<(&'static str, usize), Child>,
}

impl Processes {
    /// Migrates three databases and starts the three services.
    pub async fn start() -> Self {
        Self::lay_out(Layout::default()).await
    }

    /// The same in another layout: every instance of every service.
    pub async fn lay_out(layout: Layout) -> Self {
        let instances = layout.further + 1;
        let mut processes = Self::prepare_layout(layout).await;
        for service in SERVICES {
            for number in 0..instances {
                processes.run_instance(service, number);
            }
        }
        processes
    }

    /// Databases, keys and settings, without any service.
    pub async fn prepare() -> Self {
        Self::prepare_layout(Layout::default()).await
    }

    async fn prepare_layout(layout: Layout) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = tempfile::tempdir().unwrap();
        let issuer = Arc::new(DevIssuer::generate(ISSUER, AUDIENCE, Arc::clone(&clock)).unwrap());
        issuer.write_jwks(&folder.path().join("jwks.json")).unwrap();
        let authority = DevAuthority::generate(Arc::clone(&clock)).unwrap();
        let authorities = folder.path().join("authority.pem");
        authority.write(&authorities).unwrap();
        KeyRing::create(&folder.path().join("keys.json"), "first").unwrap();
        let postgres = LocalPg::start(Options {
            durable: layout.data.is_some(),
            data_dir: layout.data,
            binaries: None,
        })
        .await
        .unwrap();
        let migrators: [&Migrator; 3] = [
            &nonrecours_conventions::MIGRATOR,
            &nonrecours_followup::MIGRATOR,
            &nonrecours_payments::MIGRATOR,
        ];
        let mut settings = BTreeMap::from([
            ("AUTH_ISSUER".to_owned(), ISSUER.to_owned()),
            ("AUTH_AUDIENCE".to_owned(), AUDIENCE.to_owned()),
            (
                "FILES_LOCATION".to_owned(),
                folder.path().join("files").display().to_string(),
            ),
            (
                "AUTH_JWKS".to_owned(),
                folder.path().join("jwks.json").display().to_string(),
            ),
            (
                "TLS_AUTHORITIES".to_owned(),
                authorities.display().to_string(),
            ),
            ("TLS_PEERS".to_owned(), SERVICES.join(",")),
            (
                "FOLLOWUP_KEYS_FILE".to_owned(),
                folder.path().join("keys.json").display().to_string(),
            ),
        ]);
        let given = layout.settings.into_iter();
        settings.extend(given.map(|(name, value)| (name.to_owned(), value)));
        // Held together until all are taken, so that they differ.
        let held: Vec<Vec<TcpListener>> = SERVICES
            .map(|_| {
                let instances = 0..=layout.further;
                instances.map(|_| free_port()).collect::<Vec<_>>()
            })
            .into();
        let mut listens = BTreeMap::new();
        for ((service, migrator), listeners) in SERVICES.into_iter().zip(migrators).zip(held) {
            let urls =
                nonrecours_localpg::create_service_database(&postgres.admin(), service, service)
                    .await
                    .unwrap();
            nonrecours_pg::migrate(&urls.owner_url, migrator, clock.as_ref())
                .await
                .unwrap();
            let addresses: Vec<SocketAddr> = listeners
                .iter()
                .map(|listener| listener.local_addr().unwrap())
                .collect();
            let upper = service.to_uppercase();
            settings.insert(format!("{upper}_DATABASE_URL"), urls.app_url);
            settings.insert(format!("{upper}_OWNER_DATABASE_URL"), urls.owner_url);
            settings.insert(format!("{upper}_URL"), url_of(addresses[0]));
            listens.insert(service, addresses);
            authority
                .sign(
                    folder.path(),
                    service,
                    &[service, "localhost"],
                    CERTIFICATES,
                )
                .unwrap();
        }
        let address = |service: &str| settings[&format!("{service}_URL")].clone();
        let mut addresses = Addresses {
            conventions: address("CONVENTIONS"),
            followup: address("FOLLOWUP"),
            payments: address("PAYMENTS"),
            authorities: Some(authorities),
        };
        let ways = if layout.proxied {
            let ways = Ways::between(&listens, &settings).await;
            for service in SERVICES {
                let upper = service.to_uppercase();
                let database = settings.get_mut(&format!("{upper}_DATABASE_URL")).unwrap();
                *database = moved(database, ways.database.address());
                let peers = url_of(ways.peers[service].address());
                settings.insert(format!("{upper}_URL"), peers);
            }
            let client = |service: &str| url_of(ways.clients[service].address());
            addresses.conventions = client("conventions");
            addresses.followup = client("followup");
            addresses.payments = client("payments");
            Some(ways)
        } else {
            None
        };
        Self {
            cast: Cast {
                addresses,
                issuer,
                clock,
            },
            ways,
            postgres: Some(postgres),
            folder,
            settings,
            listens,
            running: BTreeMap::new(),
        }
    }

    /// Sets something for the programs that are run from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// The program of a service, with its settings.
    pub fn command(&self, service: &'static str, verb: &str) -> Command {
        self.command_of(service, 0, verb)
    }

    fn command_of(&self, service: &'static str, number: usize, verb: &str) -> Command {
        let listen = self.listens[service][number];
        let mut command = Command::new(program(service));
        command
            .arg(verb)
            .env_clear()
            .env("RUST_LOG", "info")
            .envs(&self.settings)
            .env(
                format!("{}_LISTEN", service.to_uppercase()),
                listen.to_string(),
            )
            .env("TLS_CERTIFICATE", self.file(&format!("{service}.pem")))
            .env("TLS_KEY", self.file(&format!("{service}.key")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log(service, number))
            .kill_on_drop(true);
        command
    }

    /// `nonrecours doctor` for the whole suite, with the certificate of one service.
    pub fn doctor(&self) -> Command {
        let mut command = Command::new(program("followup").with_file_name("nonrecours"));
        command
            .arg("doctor")
            .env_clear()
            .envs(&self.settings)
            .env("TLS_CERTIFICATE", self.file("followup.pem"))
            .env("TLS_KEY", self.file("followup.key"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// A script of `deploy`, with the same settings.
    pub fn script(&self, name: &str) -> Command {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(root.join("deploy").join(name));
        let programs = program("followup");
        command
            .envs(&self.settings)
            .env("PROGRAMS", programs.parent().unwrap())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Stops the services, and leaves PostgreSQL for another cluster with empty databases.
    pub async fn move_to_another_cluster(&mut self) {
        for child in self.running.values_mut() {
            child.kill().await.unwrap();
        }
        self.running.clear();
        let postgres = LocalPg::start(Options::default()).await.unwrap();
        for service in SERVICES {
            let urls =
                nonrecours_localpg::create_service_database(&postgres.admin(), service, service)
                    .await
                    .unwrap();
            let upper = service.to_uppercase();
            self.settings
                .insert(format!("{upper}_DATABASE_URL"), urls.app_url);
            self.settings
                .insert(format!("{upper}_OWNER_DATABASE_URL"), urls.owner_url);
        }
        self.postgres = Some(postgres);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection to a service, without any token or certificate.
    pub fn anonymous(&self, service: &str) -> Channel {
        client::channel(&self.url(service), None, self.tls()).unwrap()
    }

    /// What the services' certificates are verified by.
    pub fn tls(&self) -> ClientTls {
        ClientTls::trusting(self.cast.addresses.authorities.clone())
    }

    /// What a service shows to the others, and verifies them by.
    pub async fn tls_of(&self, service: &str) -> ClientTls {
        let config = TlsConfig {
            tls_certificate: Some(self.file(&format!("{service}.pem"))),
            tls_key: Some(self.file(&format!("{service}.key"))),
            tls_authorities: self.cast.addresses.authorities.clone(),
            tls_peers: Vec::new(),
        };
        config.client(&self.cast.clock).await.unwrap()
    }

    /// Where a service writes its log, across restarts.
    fn log(&self, service: &str, number: usize) -> std::fs::File {
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.file(&format!("{service}-{number}.log")))
            .unwrap()
    }

    /// What an instance of a service logged.
    pub fn logged_by(&self, service: &str, number: usize) -> String {
        let path = self.file(&format!("{service}-{number}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// What the services logged, each line after the name of its service.
    pub fn logged(&self) -> Vec<String> {
        let logs = self.listens.iter().flat_map(|(service, addresses)| {
            let log = move |number| (service, self.logged_by(service, number));
            (0..addresses.len()).map(log)
        });
        logs.flat_map(|(service, text)| {
            let line = |line: &str| format!("{service}: {line}");
            text.lines().map(line).collect::<Vec<_>>()
        })
        .collect()
    }

    /// What they logged as faults of their own.
    pub fn faults(&self) -> String {
        let mut logged = self.logged();
        logged.retain(|line| line.contains("ERROR"));
        logged.join("\n")
    }

    /// Starts a service.
    pub fn run(&mut self, service: &'static str) {
        self.run_instance(service, 0);
    }

    /// Starts an instance of a service.
    pub fn run_instance(&mut self, service: &'static str, number: usize) {
        let child = self.command_of(service, number, "serve").spawn().unwrap();
        self.running.insert((service, number), child);
    }

    /// Kills a service without a word (SIGKILL) and starts it again.
    pub async fn kill_and_restart(&mut self, service: &'static str) {
        self.kill_instance(service, 0).await;
        self.run(service);
    }

    /// Kills an instance of a service without a word.
    pub async fn kill_instance(&mut self, service: &'static str, number: usize) {
        let mut child = self.running.remove(&(service, number)).unwrap();
        child.kill().await.unwrap();
    }

    /// The process of a service.
    pub fn child(&mut self, service: &'static str) -> &mut Child {
        self.running.get_mut(&(service, 0)).unwrap()
    }

    /// URL of a service.
    pub fn url(&self, service: &str) -> String {
        self.settings[&format!("{}_URL", service.to_uppercase())].clone()
    }

    /// PostgreSQL.
    pub fn postgres(&self) -> &LocalPg {
        self.postgres.as_ref().unwrap()
    }

    /// The ways, in a layout that has them.
    pub fn ways(&self) -> &Ways {
        self.ways.as_ref().unwrap()
    }

    /// Kills PostgreSQL without a word, all of it.
    pub async fn kill_postgres(&mut self) -> PathBuf {
        let postgres = self.postgres.take().unwrap();
        let home = postgres.home().to_owned();
        let status = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
        let pid = status.lines().next().unwrap().to_owned();
        // Its children see that it has gone, and end.
        assert!(kill("KILL", &pid).await, "PostgreSQL was running");
        home
    }

    /// Starts PostgreSQL again on the data that it left. The way to it leads there.
    pub async fn restart_postgres(&mut self, home: PathBuf) {
        let postgres = LocalPg::start(Options {
            durable: true,
            data_dir: Some(home),
            binaries: None,
        })
        .await
        .unwrap();
        let address = address_of(&postgres.superuser_url("postgres"));
        self.ways().database.aim(vec![address]);
        self.postgres = Some(postgres);
    }
}

impl Ways {
    async fn between(
        listens: &BTreeMap<&'static str, Vec<SocketAddr>>,
        settings: &BTreeMap<String, String>,
    ) -> Self {
        let (mut clients, mut peers) = (BTreeMap::new(), BTreeMap::new());
        for (service, addresses) in listens {
            clients.insert(*service, Proxy::to(addresses.clone()).await);
            peers.insert(*service, Proxy::to(addresses.clone()).await);
        }
        let server = address_of(&settings["CONVENTIONS_DATABASE_URL"]);
        Self {
            clients,
            peers,
            database: Proxy::to(vec![server]).await,
        }
    }
}

fn url_of(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

/// Where the server of a database URL of ours listens.
fn address_of(url: &str) -> SocketAddr {
    let (_, rest) = url.rsplit_once('@').unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// The same database by another way.
fn moved(url: &str, address: SocketAddr) -> String {
    url.replace(&address_of(url).to_string(), &address.to_string())
}

/// Where the build left the program: beside the folder of this test.
pub fn program(service: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = folder.join(format!("nonrecours-{service}"));
    assert!(
        program.exists(),
        "{} is missing: `cargo build --workspace --bins` makes it",
        program.display()
    );
    program
}

/// Sends a signal by its name.
pub async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("still running").to_string();
    assert!(kill(name, &pid).await);
}

async fn kill(name: &str, pid: &str) -> bool {
    let sent = Command::new("kill").args(["-s", name, pid]).status().await;
    sent.unwrap().success()
}
