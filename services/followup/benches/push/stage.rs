//! What every measure runs on: a durable PostgreSQL on disk, and the released program as a process of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use nonrecours_contracts::followup::push_service_client::PushServiceClient;
use nonrecours_followup::{
    MIGRATOR, SERVICE,
    convention::{Convention, Terms, store as conventions},
    vault::Vault,
};
use nonrecours_kernel::{
    Clock as _, ConventionId, ConventionName, IdSource, OperatorId, Role, Scope, SystemClock,
};
use nonrecours_localpg::{LocalPg, Options, ServiceUrls, find_binaries};
use nonrecours_pg::{Db, DbOptions};
use nonrecours_rpc::{
    auth::{JwksSource, TokenSource},
    client::{self, PeerChannel},
    tls::ClientTls,
};
use nonrecours_testkit::bench::pgbench::Target;
use nonrecours_testkit::{AUDIENCE, ISSUER, ManualClock, ScriptedFeed, Serving, Tokens};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use uuid::Uuid;

/// How long the service may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(20);
/// How often the tables are emptied when somebody is in the way.
const MAX_CLEARINGS: u32 = 5;
/// `deadlock_detected`.
const DEADLOCK: &str = "40P01";
/// Tables that a push writes to.
const WRITTEN: &str = "beneficiary, entitlement, step, note, note_text, session, person_key, identity, pseudonym, \
                       renewal_alert, referral, outbox, indicator_rollup, access_entry, push_batch";

/// The stage.
pub struct Stage {
    pub server: LocalPg,
    pub urls: ServiceUrls,
    /// As the owner, whom row-level security does not bind.
    pub owner: PgPool,
    /// As the service, in this process: for the layers below gRPC.
    pub db: Db,
    pub ids: IdSource,
    pub vault: Vault,
    pub convention: ConventionName,
    pub binaries: PathBuf,
    tokens: Tokens,
    service: Service,
    _source: Serving,
    folder: TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        let server = LocalPg::start(Options {
            durable: true,
            ..Options::default()
        })
        .await
        .unwrap();
        let urls =
            nonrecours_localpg::create_service_database(&server.admin(), SERVICE, "followup_bench")
                .await
                .unwrap();
        nonrecours_pg::migrate(&urls.owner_url, &MIGRATOR, &SystemClock)
            .await
            .unwrap();
        let tokens = Tokens::new(ManualClock::at(SystemClock.now()));
        let source = ScriptedFeed::default().serve().await;
        let folder = tempfile::tempdir().unwrap();
        let keys_file = folder.path().join("keys.json");
        std::fs::write(&keys_file, key_ring()).unwrap();
        let db = Db::connect(&DbOptions::new(&*urls.app_url), Arc::new(SystemClock))
            .await
            .unwrap();
        let stage = Self {
            owner: PgPool::connect(&urls.owner_url).await.unwrap(),
            db,
            ids: IdSource::new(Arc::new(SystemClock)),
            vault: Vault::load(&keys_file).unwrap(),
            convention: ConventionName {
                operator: OperatorId::from_uuid(Uuid::from_u128(1 << 64 | 1)),
                convention: ConventionId::from_uuid(Uuid::from_u128(1 << 64 | 2)),
            },
            binaries: find_binaries(None).unwrap(),
            service: Service::start(&urls, &keys_file, &source.url(), &tokens, folder.path()).await,
            server,
            urls,
            tokens,
            _source: source,
            folder,
        };
        stage.check_durable().await;
        stage.learn().await;
        stage
    }

    /// Nothing is measured against a database that could lose it.
    async fn check_durable(&self) {
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&self.owner)
                .await
                .unwrap();
            assert_eq!(value, "on", "{setting}");
        }
    }

    /// Tells the service of the one convention.
    async fn learn(&self) {
        let mut tx = self.db.begin(&Scope::of_service("bench")).await.unwrap();
        let convention = Convention {
            name: self.convention,
            revision: 1,
            in_force: true,
            terms: Terms::default(),
        };
        conventions::learn(&mut tx, &convention).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Empties the tables that are written, and lets the server settle: each measure starts from the same state. The service's
    /// own watches, which read some of them in another order, may be in the way.
    pub async fn clear(&self) {
        for _ in 1..MAX_CLEARINGS {
            match self.empty().await {
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DEADLOCK) => {}
                emptied => {
                    emptied.unwrap();
                    return self.settle().await;
                }
            }
        }
        self.empty().await.unwrap();
        self.settle().await;
    }

    async fn empty(&self) -> sqlx::Result<()> {
        let statement = AssertSqlSafe(format!("TRUNCATE {WRITTEN} CASCADE"));
        sqlx::raw_sql(statement)
            .execute(&self.owner)
            .await
            .map(drop)
    }

    /// Writes out what is dirty, so that no measure pays for the one before it.
    pub async fn settle(&self) {
        let superuser = PgPool::connect(&self.server.superuser_url("followup_bench"))
            .await
            .unwrap();
        sqlx::query("CHECKPOINT").execute(&superuser).await.unwrap();
        superuser.close().await;
    }

    /// Runs a statement as the owner.
    pub async fn run(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&self.owner)
            .await
            .unwrap();
    }

    pub async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// The operator's software, on a connection of its own.
    pub fn agent(&self) -> PeerChannel {
        let token = self.tokens.agent(self.convention.operator);
        client::connect(
            &self.service.url,
            TokenSource::fixed(token),
            ClientTls::default(),
        )
        .unwrap()
    }

    /// One of several programs of the operator, on a connection of its own.
    pub fn pushes_of(&self, number: usize) -> PushServiceClient<PeerChannel> {
        let operator = Some(self.convention.operator);
        let subject = format!("software-{number}");
        let token = TokenSource::fixed(self.tokens.token(
            &subject,
            &[Role::OperatorAgent],
            operator,
        ));
        let channel = client::connect(&self.service.url, token, ClientTls::default());
        PushServiceClient::new(channel.unwrap())
    }

    pub fn pushes(&self) -> PushServiceClient<PeerChannel> {
        PushServiceClient::new(self.agent())
    }

    /// Processor time that the service has taken so far, user and system. From `/proc/<pid>/stat`, to 10 ms.
    pub fn service_cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.service.process.id()));
        let stat = stat.unwrap();
        // After the name, which ends with the last parenthesis: utime and stime are the 12th and 13th fields.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
        let ticks: u64 = fields[12..14]
            .iter()
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum();
        // USER_HZ is 100 on every Linux.
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory of the service, KiB: `VmRSS`.
    pub fn service_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.service.process.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Where pgbench runs: as the owner.
    pub fn target(&self) -> Target<'_> {
        Target {
            binaries: &self.binaries,
            folder: self.folder.path(),
            url: &self.urls.owner_url,
        }
    }

    pub async fn strike(self) {
        drop(self.service);
        self.owner.close().await;
        self.db.close().await;
        self.server.stop().await.unwrap();
    }
}

/// The released program.
struct Service {
    process: Child,
    url: String,
}

impl Service {
    async fn start(
        urls: &ServiceUrls,
        keys_file: &Path,
        conventions_url: &str,
        tokens: &Tokens,
        folder: &Path,
    ) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let Some(JwksSource::File(jwks)) = tokens.auth().jwks else {
            panic!("the keys lie in a file");
        };
        let log = std::fs::File::create(folder.join("service.log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_nonrecours-followup"))
            .arg("serve")
            .env("FOLLOWUP_LISTEN", address.to_string())
            .env("FOLLOWUP_DATABASE_URL", &urls.app_url)
            .env("FOLLOWUP_KEYS_FILE", keys_file)
            .env("CONVENTIONS_URL", conventions_url)
            .env("AUTH_ISSUER", ISSUER)
            .env("AUTH_AUDIENCE", AUDIENCE)
            .env("AUTH_JWKS", jwks)
            .env(
                "PEER_TOKEN_FILE",
                tokens.peer_token(SERVICE).peer_token_file.unwrap(),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let service = Self {
            process,
            url: format!("http://{address}"),
        };
        let started = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(started.elapsed() < START_LIMIT, "the service listens");
            tokio::time::sleep(POLL).await;
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to stop.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn key_ring() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let key = |byte: u8| STANDARD.encode([byte; 32]);
    format!(
        r#"{{"identity": [{{"id": "k1", "key": "{}"}}], "pseudonym": [{{"id": "p1", "key": "{}"}}]}}"#,
        key(1),
        key(2)
    )
}
