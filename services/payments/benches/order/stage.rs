//! What is measured on: a durable PostgreSQL on disk with ordered instalments, and the released program as a process.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nonrecours_contracts::payments::{
    ConfirmInstalmentRequest, instalment_service_client::InstalmentServiceClient,
};
use nonrecours_kernel::{Clock as _, SystemClock, paris_date};
use nonrecours_localpg::{LocalPg, Options, ServiceUrls, create_service_database, find_binaries};
use nonrecours_payments::{MIGRATOR, SERVICE};
use nonrecours_rpc::{
    auth::{JwksSource, TokenSource},
    client::{self, PeerChannel},
    convert::to_date,
    tls::ClientTls,
};
use nonrecours_testkit::{
    AUDIENCE, ISSUER, ManualClock, ScriptedFeed, Serving, Tokens, bench::pgbench::Target,
    request_id,
};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use uuid::Uuid;

use crate::script;

/// How long the service may take to listen, and the log to be written.
const LIMIT: Duration = Duration::from_secs(20);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(20);
/// The database.
const DATABASE: &str = "payments_bench";
/// What ids that are the same for all begin with.
pub const FIXED: &str = "01980000-0000-7000-9";
/// The operator of all.
const OPERATOR: &str = "01980000-0000-7000-9000-000000000001";
/// Conventions and instalments, each before its place.
const CONVENTION: &str = "01980000-0000-7000-8000-";
const INSTALMENT: &str = "01980000-0000-7000-8001-";

/// The stage.
pub struct Stage {
    server: LocalPg,
    urls: ServiceUrls,
    owner: PgPool,
    superuser: PgPool,
    tokens: Tokens,
    service: Service,
    binaries: PathBuf,
    folder: TempDir,
    _source: Serving,
}

/// The place of an instalment: that of one caller.
pub fn place(caller: usize, number: usize) -> usize {
    caller * 1_000_000 + number
}

/// Confirms the transfer of an instalment, today.
pub fn confirm(place: usize) -> ConfirmInstalmentRequest {
    ConfirmInstalmentRequest {
        name: format!(
            "operators/{OPERATOR}/conventions/{CONVENTION}{place:012x}/instalments/{INSTALMENT}{place:012x}"
        ),
        transfer_date: Some(to_date(paris_date(SystemClock.now()))),
        etag: String::new(),
        request_id: request_id(),
    }
}

impl Stage {
    pub async fn set() -> Self {
        let server = LocalPg::start(Options {
            durable: true,
            ..Options::default()
        })
        .await
        .unwrap();
        let urls = create_service_database(&server.admin(), SERVICE, DATABASE)
            .await
            .unwrap();
        nonrecours_pg::migrate(&urls.owner_url, &MIGRATOR, &SystemClock)
            .await
            .unwrap();
        let tokens = Tokens::new(ManualClock::at(SystemClock.now()));
        let source = ScriptedFeed::default().serve().await;
        let folder = tempfile::tempdir().unwrap();
        let superuser = PgPool::connect(&server.superuser_url(DATABASE))
            .await
            .unwrap();
        let stage = Self {
            owner: PgPool::connect(&urls.owner_url).await.unwrap(),
            service: Service::start(&urls, &source.url(), &tokens, folder.path()).await,
            binaries: find_binaries(None).unwrap(),
            superuser,
            server,
            urls,
            tokens,
            folder,
            _source: source,
        };
        // Nothing is measured against a database that could lose it.
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&stage.owner)
                .await
                .unwrap();
            assert_eq!(value, "on", "{setting}");
        }
        stage
    }

    /// Empties what is written, and orders so many instalments for each caller, each under a convention of its own.
    pub async fn seed(&self, callers: usize, each: usize) {
        let places = format!(
            "FROM generate_series(0, {callers} - 1) AS caller, generate_series(1, {each}) AS number,
                  LATERAL (SELECT lpad(to_hex(caller * 1000000 + number), 12, '0') AS place) AS places"
        );
        let statements = [
            "TRUNCATE operator, outbox, request_replay CASCADE".to_owned(),
            format!(
                "INSERT INTO operator (operator_id, legal_name, siren, is_public, revision, update_time)
                 VALUES ('{OPERATOR}', 'Commune de Dainville', '216202630', true, 1, '2025-10-07Z')"
            ),
            format!(
                "INSERT INTO payment_plan (operator_id, convention_id, convention_title, budget_year, grant_amount,
                     advance_without_call, actions_completed, convention_revision, revision, create_time, update_time,
                     term_kinds, term_amounts)
                 SELECT '{OPERATOR}', ('{CONVENTION}' || place)::uuid, 'Convention', 2025, 9200, false, false, 7, 1,
                        '2025-10-07Z', '2025-10-07Z', '{{ADVANCE}}', '{{9200}}' {places}"
            ),
            format!(
                "INSERT INTO instalment (operator_id, convention_id, instalment_id, position, kind, amount, state, iban, bic,
                     holder, call_reference, call_actor, call_actor_name, call_time, certification_actor,
                     certification_actor_name, certification_time, order_actor, order_actor_name, order_time, revision,
                     create_time, update_time)
                 SELECT '{OPERATOR}', ('{CONVENTION}' || place)::uuid, ('{INSTALMENT}' || place)::uuid, 1, 'ADVANCE', 9200,
                        'ORDERED', 'FR903000100152D620000000041', 'BDFEFRPPCCT', 'Commune', '2025-114', 'a', 'A',
                        '2025-10-07Z', 'b', 'B', '2025-10-07Z', 'c', 'C', '2025-10-07Z', 4, '2025-10-07Z', '2025-10-07Z'
                 {places}"
            ),
            format!(
                "INSERT INTO ledger_entry (operator_id, convention_id, ledger_entry_id, instalment_id, debit, credit, amount,
                     label, actor, book_time, instalment_revision)
                 SELECT '{OPERATOR}', ('{CONVENTION}' || place)::uuid, gen_random_uuid(), ('{INSTALMENT}' || place)::uuid,
                        'GRANT_EXPENSE', 'OPERATOR_PAYABLE', 9200, 'Service fait', 'b', '2025-10-07Z', 3 {places}"
            ),
            "ANALYZE".to_owned(),
        ];
        for statement in statements {
            self.run(&self.owner, &statement).await;
        }
        // What is dirty is written out: no measure pays for the one before it.
        self.run(&self.superuser, "CHECKPOINT").await;
    }

    /// One payment by the service, as the server has logged its statements: a script of pgbench.
    pub async fn captured(&self) -> String {
        let role = sqlx::query_scalar::<_, String>("SELECT current_user::text");
        let app = PgPool::connect(&self.urls.app_url).await.unwrap();
        let role = role.fetch_one(&app).await.unwrap();
        app.close().await;
        let logged = "log_statement = 'all', log_error_verbosity = 'default'";
        for setting in logged.split(", ") {
            let (name, value) = setting.split_once(" = ").unwrap();
            let set = format!("ALTER ROLE {role} SET {name} = {value}");
            self.run(&self.superuser, &set).await;
        }
        // Its connections begin anew, with that.
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        );
        self.run(&self.superuser, &end).await;
        let log = self.server.home().join("server.log");
        let mut client = self.instalments();
        let first = place(0, 1);
        let request = confirm(first);
        let id = request.request_id.clone();
        while client.confirm_instalment(request.clone()).await.is_err() {
            tokio::time::sleep(POLL).await;
        }
        for name in ["log_statement", "log_error_verbosity"] {
            let reset = format!("ALTER ROLE {role} RESET {name}");
            self.run(&self.superuser, &reset).await;
        }
        self.run(&self.superuser, &end).await;
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap();
            if let Some(transaction) = transaction(&text, &id) {
                let uuid =
                    |prefix: &str| Uuid::try_parse(&format!("{prefix}{first:012x}")).unwrap();
                let ids = [
                    (uuid(CONVENTION), CONVENTION),
                    (uuid(INSTALMENT), INSTALMENT),
                ];
                return script::of(&transaction, &ids);
            }
            assert!(started.elapsed() < LIMIT, "the log has the transaction");
            tokio::time::sleep(POLL).await;
        }
    }

    /// How many instalments are paid.
    pub async fn paid(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM ledger_entry WHERE credit = 'TREASURY'")
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }

    /// The accountant's software, on a connection of its own.
    pub fn instalments(&self) -> InstalmentServiceClient<PeerChannel> {
        let token = TokenSource::fixed(self.tokens.accountant());
        let channel = client::connect(&self.service.url, token, ClientTls::default());
        InstalmentServiceClient::new(channel.unwrap())
    }

    /// Where pgbench runs: as the service, whom row-level security binds.
    pub fn target(&self) -> Target<'_> {
        Target {
            binaries: &self.binaries,
            folder: self.folder.path(),
            url: &self.urls.app_url,
        }
    }

    async fn run(&self, pool: &PgPool, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(pool)
            .await
            .unwrap();
    }

    pub async fn strike(self) {
        drop(self.service);
        self.owner.close().await;
        self.superuser.close().await;
        self.server.stop().await.unwrap();
    }
}

/// What one connection has logged from BEGIN to COMMIT around this request; nothing before it is all there.
fn transaction(log: &str, request_id: &str) -> Option<String> {
    let process = |line: &str| {
        let (_, rest) = line.split_once(" [")?;
        rest.split_once("] ").map(|(process, _)| process.to_owned())
    };
    let mut lines: Vec<(String, &str)> = Vec::new();
    for line in log.lines() {
        let of = match line.starts_with('\t') {
            true => lines.last().map(|(process, _)| process.clone()),
            false => process(line),
        };
        lines.push((of.unwrap_or_default(), line));
    }
    // The last statement that tells of the request keeps its answer; COMMIT comes after it.
    let kept = lines
        .iter()
        .rposition(|(_, line)| line.contains(request_id))?;
    let of = &lines[kept].0;
    let own = |from: &[(String, &str)]| -> Vec<String> {
        let own = from.iter().filter(|(process, _)| process == of);
        own.map(|(_, line)| (*line).to_owned()).collect()
    };
    let (before, after) = (own(&lines[..=kept]), own(&lines[kept + 1..]));
    let begin = before.iter().rposition(|line| line.contains("BEGIN"))?;
    let commit = after.iter().position(|line| line.contains("COMMIT"))?;
    let lines = before[begin..].iter().chain(&after[..=commit]);
    Some(lines.cloned().collect::<Vec<_>>().join("\n"))
}

/// The released program.
struct Service {
    process: Child,
    url: String,
}

impl Service {
    async fn start(urls: &ServiceUrls, conventions: &str, tokens: &Tokens, folder: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let Some(JwksSource::File(jwks)) = tokens.auth().jwks else {
            panic!("the keys lie in a file");
        };
        let log = std::fs::File::create(folder.join("service.log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_nonrecours-payments"))
            .arg("serve")
            .env("PAYMENTS_LISTEN", address.to_string())
            .env("PAYMENTS_DATABASE_URL", &urls.app_url)
            .env("CONVENTIONS_URL", conventions)
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
            assert!(started.elapsed() < LIMIT, "the service listens");
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
