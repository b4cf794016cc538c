//! The three services as processes of their own, on a private PostgreSQL, known to each other by their certificates, with
//! signals sent to them.

use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, process::Stdio, sync::Arc};

use nonrecours_cli::{journey::Cast, suite::Addresses};
use nonrecours_followup::vault::KeyRing;
use nonrecours_issuer::{DevAuthority, DevIssuer};
use nonrecours_kernel::{Clock, SystemClock};
use nonrecours_localpg::{LocalPg, Options};
use nonrecours_rpc::{
    client,
    tls::{ClientTls, TlsConfig},
};
use sqlx::migrate::Migrator;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tonic::transport::Channel;

pub const SERVICES: [&str; 3] = ["conventions", "followup", "payments"];
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "nonrecours";
/// Life of the certificates of the services.
const CERTIFICATES: time::Duration = time::Duration::days(1);

pub struct Processes {
    pub cast: Cast,
    postgres: LocalPg,
    folder: TempDir,
    settings: BTreeMap<String, String>,
    running: BTreeMap<&'static str, Child>,
}

impl Processes {
    /// Migrates three databases and starts the three services.
    pub async fn start() -> Self {
        let mut processes = Self::prepare().await;
        for service in SERVICES {
            processes.run(service);
        }
        processes
    }

    /// Databases, keys and settings, without any service.
    pub async fn prepare() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let folder = tempfile::tempdir().unwrap();
        let issuer = Arc::new(DevIssuer::generate(ISSUER, AUDIENCE, Arc::clone(&clock)).unwrap());
        issuer.write_jwks(&folder.path().join("jwks.json")).unwrap();
        let authority = DevAuthority::generate(Arc::clone(&clock)).unwrap();
        let authorities = folder.path().join("authority.pem");
        authority.write(&authorities).unwrap();
        KeyRing::create(&folder.path().join("keys.json"), "first").unwrap();
        let postgres = LocalPg::start(Options::default()).await.unwrap();
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
        // Held together until all are taken, so that the three differ.
        let held: Vec<_> = SERVICES
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .into();
        for ((service, migrator), listener) in SERVICES.iter().zip(migrators).zip(held) {
            let urls =
                nonrecours_localpg::create_service_database(&postgres.admin(), service, service)
                    .await
                    .unwrap();
            nonrecours_pg::migrate(&urls.owner_url, migrator, clock.as_ref())
                .await
                .unwrap();
            let address = listener.local_addr().unwrap();
            let upper = service.to_uppercase();
            settings.insert(format!("{upper}_DATABASE_URL"), urls.app_url);
            settings.insert(format!("{upper}_OWNER_DATABASE_URL"), urls.owner_url);
            settings.insert(format!("{upper}_LISTEN"), address.to_string());
            settings.insert(
                format!("{upper}_URL"),
                format!("https://localhost:{}", address.port()),
            );
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
        let cast = Cast {
            addresses: Addresses {
                conventions: address("CONVENTIONS"),
                followup: address("FOLLOWUP"),
                payments: address("PAYMENTS"),
                authorities: Some(authorities),
            },
            issuer,
            clock,
        };
        Self {
            cast,
            postgres,
            folder,
            settings,
            running: BTreeMap::new(),
        }
    }

    /// Sets something for the programs that are run from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// The program of a service, with its settings.
    pub fn command(&self, service: &str, verb: &str) -> Command {
        let mut command = Command::new(program(service));
        command
            .arg(verb)
            .env_clear()
            .env("RUST_LOG", "info")
            .envs(&self.settings)
            .env("TLS_CERTIFICATE", self.file(&format!("{service}.pem")))
            .env("TLS_KEY", self.file(&format!("{service}.key")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log(service))
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
        self.postgres = postgres;
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
    fn log(&self, service: &str) -> std::fs::File {
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.file(&format!("{service}.log")))
            .unwrap()
    }

    /// What the services logged, each line after the name of its service.
    pub fn logged(&self) -> Vec<String> {
        let log = |service: &str| {
            let path = self.file(&format!("{service}.log"));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines = text.lines().map(|line| format!("{service}: {line}"));
            lines.collect::<Vec<_>>()
        };
        SERVICES.into_iter().flat_map(log).collect()
    }

    /// What they logged as faults of their own.
    pub fn faults(&self) -> String {
        let mut logged = self.logged();
        logged.retain(|line| line.contains("ERROR"));
        logged.join("\n")
    }

    /// Starts a service.
    pub fn run(&mut self, service: &'static str) {
        let child = self.command(service, "serve").spawn().unwrap();
        self.running.insert(service, child);
    }

    /// Kills a service without a word (SIGKILL) and starts it again.
    pub async fn kill_and_restart(&mut self, service: &'static str) {
        let mut child = self.running.remove(service).unwrap();
        child.kill().await.unwrap();
        self.run(service);
    }

    /// The process of a service.
    pub fn child(&mut self, service: &'static str) -> &mut Child {
        self.running.get_mut(service).unwrap()
    }

    /// URL of a service.
    pub fn url(&self, service: &str) -> String {
        self.settings[&format!("{}_URL", service.to_uppercase())].clone()
    }

    /// PostgreSQL.
    pub fn postgres(&self) -> &LocalPg {
        &self.postgres
    }
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
    let sent = Command::new("kill")
        .args(["-s", name, &pid])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
}
