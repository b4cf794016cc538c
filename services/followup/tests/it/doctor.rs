//! `doctor` beside a service: what it says when all is well, and of each thing that is not.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use nonrecours_followup::{
    Config, MIGRATOR, SERVICE, doctor::examine, indicator::thresholds::Thresholds,
    journal::keep::DEFAULT_RETENTION_MONTHS, serve, vault::KeyRing,
};
use nonrecours_host::{
    DatabaseConfig, Environment, HostSettings, StartError,
    doctor::{Finding, Level, Surroundings, report},
};
use nonrecours_issuer::DevAuthority;
use nonrecours_kernel::{Clock, ManualClock, SystemClock};
use nonrecours_pg::Link;
use nonrecours_rpc::{ServerConfig, tls::TlsConfig};
use nonrecours_testkit::{ScriptedFeed, Serving, TestDb, Tokens};
use sqlx::AssertSqlSafe;
use time::Duration;
use tonic::Code;

/// An operator, and another.
const MINE: &str = "0199b4f2-0d00-7000-8000-000000000001";
const OTHER: &str = "0199b4f2-0d00-7000-8000-000000000002";

/// A deployment of today, with nothing wrong: PostgreSQL has a clock of its own.
struct Deployment {
    config: Config,
    around: Surroundings,
    database: TestDb,
    folder: tempfile::TempDir,
    feed: ScriptedFeed,
    conventions: Option<Serving>,
    tokens: Tokens,
}

impl Deployment {
    async fn new() -> Self {
        let database = TestDb::create(SERVICE, &MIGRATOR).await;
        let tokens = Tokens::new(SystemClock);
        let feed = ScriptedFeed::default();
        let conventions = feed.serve().await;
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys_file = folder.path().join("keys.json");
        KeyRing::create(&keys_file, "first").unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: database.app_url().to_owned(),
            keys_file,
            journal_retention_months: DEFAULT_RETENTION_MONTHS,
            thresholds: Thresholds::DEFAULT,
            conventions_url: conventions.url(),
            host: HostSettings {
                database: DatabaseConfig { max_connections: 2 },
                server: ServerConfig::default(),
                auth: tokens.auth(),
                peer_token: tokens.peer_token(SERVICE),
                tls: certified(folder.path(), Duration::days(90)),
            },
        };
        Self {
            config,
            around: Surroundings {
                clock,
                postgres_data: Some(folder.path().to_owned()),
                security_anchor: None,
            },
            database,
            folder,
            feed,
            conventions: Some(conventions),
            tokens,
        }
    }

    async fn findings(&self) -> Vec<Finding> {
        let config = self.config.clone();
        let mut findings = examine(config, self.around.clone()).await;
        // How full this machine's disk is, is no matter of the suite.
        findings.retain(|found| found.subject != "disque" || found.level == Level::Unknown);
        findings
    }

    /// All that is not well, which is one thing.
    async fn only(&self) -> Finding {
        let mut findings = self.findings().await;
        let (text, _) = report(&findings);
        findings.retain(|found| found.level != Level::Well);
        assert_eq!(findings.len(), 1, "{text}");
        let found = findings.remove(0);
        assert!(!found.advice.is_empty(), "{text}");
        found
    }

    async fn as_owner(&self, statement: &str) {
        let owner = self.database.owner().await;
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&owner)
            .await
            .unwrap();
    }
}

/// A certificate of the service that lives on for some time, and lived as long before.
fn certified(folder: &Path, life: Duration) -> TlsConfig {
    let authority = DevAuthority::generate(Arc::new(SystemClock)).unwrap();
    authority.write(&folder.join("authority.pem")).unwrap();
    authority
        .sign(folder, SERVICE, &[SERVICE, "localhost"], life)
        .unwrap();
    TlsConfig {
        tls_certificate: Some(folder.join(format!("{SERVICE}.pem"))),
        tls_key: Some(folder.join(format!("{SERVICE}.key"))),
        tls_authorities: Some(folder.join("authority.pem")),
        tls_peers: vec!["conventions".to_owned()],
    }
}

#[tokio::test]
async fn when_all_is_well_every_subject_says_so() {
    let deployment = Deployment::new().await;
    let findings = deployment.findings().await;
    let (text, is_well) = report(&findings);
    assert!(is_well && text.ends_with("Tout va bien.\n"), "{text}");
    let subjects: Vec<_> = findings.iter().map(|found| found.subject).collect();
    assert_eq!(
        subjects,
        [
            "base",
            "droits",
            "horloge",
            "migrations",
            "journal",
            "émetteur",
            "certificat",
            "pairs",
            "flux",
            "clés",
            "seuils"
        ],
        "{text}"
    );
}

#[tokio::test]
async fn thresholds_that_tell_the_public_more_are_told_and_the_service_does_not_start() {
    let mut deployment = Deployment::new().await;
    deployment.config.thresholds = Thresholds {
        internal: 12,
        public: 11,
    };
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("seuils", Level::Fault));
    assert!(
        found.says.contains("(11)") && found.says.contains("(12)"),
        "{found:?}"
    );

    let environment = Environment {
        clock: Arc::new(SystemClock),
        ids: nonrecours_testkit::ids(&nonrecours_testkit::clock(), 1),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stopped = tokio_util::sync::CancellationToken::new();
    let refused = serve(deployment.config, environment, listener, stopped).await;
    assert!(
        matches!(refused, Err(StartError::Settings(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_database_that_is_down_is_told_and_the_rest_is_looked_at() {
    let mut deployment = Deployment::new().await;
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    deployment.config.database_url = format!("postgres://nobody@{address}/nothing");
    let findings = deployment.findings().await;
    let faults: Vec<_> = findings
        .iter()
        .filter(|found| found.level == Level::Fault)
        .map(|found| found.subject)
        .collect();
    assert_eq!(faults, ["base"]);
    assert!(findings.iter().any(|found| found.subject == "pairs"));

    deployment.config.database_url = "@/nowhere/url".to_owned();
    let findings = deployment.findings().await;
    assert_eq!(findings[0].subject, "réglages");
}

#[tokio::test]
async fn a_migration_that_is_missing_is_told() {
    let deployment = Deployment::new().await;
    let removed = "DELETE FROM _migrations WHERE version = (SELECT max(version) FROM _migrations)";
    deployment.as_owner(removed).await;
    let findings = deployment.findings().await;
    let found = findings
        .iter()
        .find(|found| found.level == Level::Fault)
        .unwrap();
    assert_eq!(found.subject, "migrations");
    assert!(
        found.advice.contains("nonrecours-followup migrate"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_role_that_may_do_too_much_or_too_little_is_told() {
    let deployment = Deployment::new().await;
    deployment
        .as_owner("GRANT UPDATE ON outbox, indicator_release TO followup_app")
        .await;
    deployment
        .as_owner("REVOKE INSERT ON request_replay FROM followup_app")
        .await;
    deployment
        .as_owner("ALTER TABLE beneficiary DISABLE ROW LEVEL SECURITY")
        .await;
    let findings = deployment.findings().await;
    let said: Vec<_> = findings
        .iter()
        .filter(|found| found.level == Level::Fault)
        .map(|found| (found.subject, found.says.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "droits",
                "le rôle followup_app peut plus qu'il ne doit : UPDATE ON indicator_release, UPDATE ON outbox"
            ),
            (
                "droits",
                "il manque au rôle followup_app : INSERT ON request_replay"
            ),
            ("droits", "tables sans sécurité par ligne : beneficiary"),
        ]
    );

    // The owner's address given to the service: it could undo everything.
    let mut deployment = Deployment::new().await;
    deployment.config.database_url = deployment.database.owner_url().to_owned();
    let findings = deployment.findings().await;
    let found = findings
        .iter()
        .find(|found| found.subject == "droits")
        .unwrap();
    assert_eq!(found.level, Level::Fault);
    assert!(found.says.contains("CREATE ON SCHEMA"), "{found:?}");
    assert!(found.says.contains("OWNER OF"), "{found:?}");
}

#[tokio::test]
async fn a_key_that_is_missing_is_told() {
    let mut deployment = Deployment::new().await;
    let here = deployment.config.keys_file.clone();
    fs::set_permissions(&here, fs::Permissions::from_mode(0o644)).unwrap();
    let found = deployment.only().await;
    assert_eq!(found.subject, "clés");
    assert!(found.says.contains("ouvert à tous"), "{found:?}");
    fs::set_permissions(&here, fs::Permissions::from_mode(0o600)).unwrap();

    // A person whose key was wrapped with one that the ring has no more.
    for (person, key) in [(1, "first"), (2, "lost"), (3, "lost"), (4, "older")] {
        let insert = format!(
            "INSERT INTO person_key VALUES ('{:032}', '{person:032}', '{key}', \
             decode(repeat('00', 61), 'hex'), '2026-01-01')",
            1
        );
        deployment.as_owner(&insert).await;
    }
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("clés", Level::Fault));
    assert_eq!(found.says, "il manque au trousseau : lost, older");

    deployment.config.keys_file = deployment.folder.path().join("none.json");
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("clés", Level::Fault));
}

#[tokio::test]
async fn an_issuer_that_is_not_reached_is_told() {
    let mut deployment = Deployment::new().await;
    deployment.config.host.auth.jwks = Some("http://127.0.0.1:1/jwks".parse().unwrap());
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("émetteur", Level::Fault));
    deployment.config.host.auth.jwks = None;
    assert_eq!(
        deployment.only().await.subject,
        "émetteur",
        "no metadata either"
    );
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let mut deployment = Deployment::new().await;
    for (skew, level) in [
        (Duration::seconds(20), Level::Warning),
        (Duration::seconds(-90), Level::Fault),
    ] {
        deployment.around.clock = Arc::new(ManualClock::at(SystemClock.now() + skew));
        let found = deployment.only().await;
        assert_eq!(
            (found.subject, found.level),
            ("horloge", level),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_near_its_end_is_told() {
    let mut deployment = Deployment::new().await;
    // Signed with an hour behind it: ten minutes are less than a fifth of its life.
    deployment.config.host.tls = certified(deployment.folder.path(), Duration::minutes(10));
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("certificat", Level::Warning));
    deployment.config.host.tls = certified(deployment.folder.path(), Duration::minutes(-1));
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("certificat", Level::Fault));
    assert!(found.says.starts_with("expiré"), "{found:?}");

    deployment.config.host.tls = certified(deployment.folder.path(), Duration::days(90));
    let other = DevAuthority::generate(Arc::new(SystemClock)).unwrap();
    let authorities = deployment.folder.path().join("authority.pem");
    other.write(&authorities).unwrap();
    let found = deployment.only().await;
    assert!(found.says.contains("TLS_AUTHORITIES"), "{found:?}");
}

#[tokio::test]
async fn another_service_that_is_away_or_whose_feed_waits_is_told() {
    use nonrecours_contracts::conventions::Convention;

    let mut deployment = Deployment::new().await;
    // Made long ago, and never followed.
    deployment.feed.push(
        "operators/x",
        1,
        "convention.drafted",
        &Convention::default(),
    );
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("flux", Level::Fault));

    deployment.conventions.take().unwrap().stop().await;
    let found = deployment.only().await;
    assert_eq!((found.subject, found.level), ("pairs", Level::Fault));
    assert!(found.says.contains("ne répond pas"), "{found:?}");
}

#[tokio::test]
async fn refusals_are_kept_in_a_chain_that_shows_what_was_altered() {
    use nonrecours_contracts::followup::{
        GetBeneficiaryRequest, beneficiary_service_client::BeneficiaryServiceClient,
    };

    let mut deployment = Deployment::new().await;
    // Plain, as the clients of this test are.
    let config = Config {
        host: HostSettings {
            tls: TlsConfig::default(),
            ..deployment.config.host.clone()
        },
        ..deployment.config.clone()
    };
    let environment = Environment::new(Arc::clone(&deployment.around.clock));
    let serving =
        Serving::start(|listener, shutdown| serve(config, environment, listener, shutdown)).await;
    let ask = async |token: String| {
        let mut client = BeneficiaryServiceClient::new(serving.channel(token));
        let asked = GetBeneficiaryRequest {
            name: format!("operators/{OTHER}/beneficiaries/{OTHER}"),
        };
        client.get_beneficiary(asked).await.unwrap_err().code()
    };
    for _ in 0..50 {
        assert_eq!(ask("none".to_owned()).await, Code::Unauthenticated);
    }
    let tokens = &deployment.tokens;
    assert_eq!(ask(tokens.accountant()).await, Code::PermissionDenied);
    let agent = tokens.agent(MINE.parse().unwrap());
    assert_eq!(ask(agent).await, Code::PermissionDenied);
    // What was counted is kept at the latest when the service ends.
    serving.stop().await;

    let owner = deployment.database.owner().await;
    let kept: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT kind, subject, rpc, sum(count)::bigint FROM security_event GROUP BY 1, 2, 3 ORDER BY 1",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    let rpc = "nonrecours.followup.v1.BeneficiaryService/GetBeneficiary".to_owned();
    let event = |kind: &str, subject: &str, count| {
        (kind.to_owned(), subject.to_owned(), rpc.clone(), count)
    };
    assert_eq!(
        kept,
        [
            event("OUT_OF_REACH", &format!("agent-{MINE}"), 1),
            event("ROLE_MISSING", "accountant", 1),
            event("TOKEN_REFUSED", "", 50),
        ]
    );
    let findings = deployment.findings().await;
    let journal = |findings: &[Finding]| {
        let found = findings.iter().find(|found| found.subject == "journal");
        found.unwrap().clone()
    };
    let intact = journal(&findings);
    assert_eq!(intact.level, Level::Well, "{intact:?}");
    let (_, anchor) = intact.says.split_once("repère ").unwrap();
    let anchor: Link = anchor.parse().unwrap();
    deployment.around.security_anchor = Some(anchor);
    assert_eq!(journal(&deployment.findings().await).level, Level::Well);

    // The end cut off leaves a sound chain: the anchor finds it.
    deployment
        .as_owner(
            "DELETE FROM security_event WHERE number = (SELECT max(number) FROM security_event)",
        )
        .await;
    let found = journal(&deployment.findings().await);
    assert!(
        found.says.contains(&format!("sécurité {}", anchor.number)),
        "{found:?}"
    );
    deployment.around.security_anchor = None;
    assert_eq!(journal(&deployment.findings().await).level, Level::Well);
    // Anything else shows by itself.
    deployment
        .as_owner("UPDATE security_event SET count = 1 WHERE number = 1")
        .await;
    let found = journal(&deployment.findings().await);
    assert_eq!(found.level, Level::Fault);
    assert!(found.says.contains("sécurité 1"), "{found:?}");
}
