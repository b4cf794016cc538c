//! What `doctor` must say of every service, whatever it is for: each service's tests play it with its own settings.

use std::{collections::BTreeMap, sync::Arc};

use nonrecours_host::{
    DatabaseConfig, HostSettings,
    doctor::{Finding, Level, Surroundings, report},
};
use nonrecours_kernel::{Clock, ManualClock, SystemClock};
use nonrecours_pg::Link;
use nonrecours_rpc::{
    ServerConfig,
    audit::{Audit, Kind},
    tls::TlsConfig,
};
use nonrecours_testkit::{ScriptedFeed, Serving, TestDb, Tokens};
use sqlx::{AssertSqlSafe, migrate::Migrator};
use time::Duration;

/// A service that is looked at.
pub trait Patient {
    const SERVICE: &'static str;
    /// The services that it asks: whether it follows them.
    const PEERS: &'static [(&'static str, bool)];
    fn migrator() -> &'static Migrator;
    /// What its doctor finds with these settings.
    async fn examine(settings: Settings, around: Surroundings) -> Vec<Finding>;
}

/// What it is given.
#[derive(Clone)]
pub struct Settings {
    pub database_url: String,
    /// Where each peer is.
    pub urls: BTreeMap<&'static str, String>,
    pub host: HostSettings,
}

/// A deployment of today, with nothing wrong: PostgreSQL has a clock of its own.
struct Deployment {
    settings: Settings,
    around: Surroundings,
    database: TestDb,
    feeds: BTreeMap<&'static str, ScriptedFeed>,
    peers: BTreeMap<&'static str, Serving>,
    _tokens: Tokens,
}

impl Deployment {
    async fn of<P: Patient>() -> Self {
        let database = TestDb::create(P::SERVICE, P::migrator()).await;
        let tokens = Tokens::new(SystemClock);
        let (mut feeds, mut peers, mut urls) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (peer, _) in P::PEERS {
            let feed = ScriptedFeed::default();
            let serving = feed.serve().await;
            urls.insert(*peer, serving.url());
            feeds.insert(*peer, feed);
            peers.insert(*peer, serving);
        }
        Self {
            settings: Settings {
                database_url: database.app_url().to_owned(),
                urls,
                host: HostSettings {
                    database: DatabaseConfig { max_connections: 2 },
                    server: ServerConfig::default(),
                    auth: tokens.auth(),
                    peer_token: tokens.peer_token(P::SERVICE),
                    tls: TlsConfig::default(),
                },
            },
            around: Surroundings {
                clock: Arc::new(SystemClock),
                postgres_data: None,
                security_anchor: None,
            },
            database,
            feeds,
            peers,
            _tokens: tokens,
        }
    }

    /// All that is not well.
    async fn wrong<P: Patient>(&self) -> Vec<Finding> {
        let mut findings = P::examine(self.settings.clone(), self.around.clone()).await;
        let (text, _) = report(&findings);
        findings.retain(|found| found.level != Level::Well && found.level != Level::Unknown);
        for found in &findings {
            assert!(!found.advice.is_empty(), "{text}");
        }
        findings
    }

    /// The same, which is one thing.
    async fn only<P: Patient>(&self) -> Finding {
        let mut found = self.wrong::<P>().await;
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    async fn as_owner(&self, statement: &str) {
        let owner = self.database.owner().await;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&owner)
            .await
            .unwrap();
    }
}

/// Nothing is wrong, and every subject has been looked at.
pub async fn all_is_well<P: Patient>() {
    let deployment = Deployment::of::<P>().await;
    let found = P::examine(deployment.settings.clone(), deployment.around.clone()).await;
    let (text, is_well) = report(&found);
    assert!(is_well, "{text}");
    for subject in [
        "base",
        "droits",
        "horloge",
        "migrations",
        "journal",
        "émetteur",
        "flux",
    ] {
        let of_it = found.iter().filter(|found| found.subject == subject);
        assert_eq!(of_it.count(), 1, "{subject}: {text}");
    }
    let peers = found.iter().filter(|found| found.subject == "pairs");
    assert_eq!(peers.count(), P::PEERS.len(), "{text}");
}

/// Every table that the service only adds to is known as such: a right to change it is told.
pub async fn a_history_that_could_be_changed_is_told<P: Patient>() {
    let deployment = Deployment::of::<P>().await;
    let role = format!("{}_app", P::SERVICE);
    let owner = deployment.database.owner().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = current_schema()::text::regnamespace AND relkind = 'r'
           AND has_table_privilege($1, oid, 'INSERT') AND NOT has_any_column_privilege($1, oid, 'UPDATE')
           AND NOT has_table_privilege($1, oid, 'DELETE')
         ORDER BY relname",
    )
    .bind(&role)
    .fetch_all(&owner)
    .await
    .unwrap();
    for table in tables {
        for privilege in ["UPDATE", "DELETE"] {
            deployment
                .as_owner(&format!("GRANT {privilege} ON {table} TO {role}"))
                .await;
            let found = deployment.only::<P>().await;
            let says = format!("le rôle {role} peut plus qu'il ne doit : {privilege} ON {table}");
            assert_eq!((found.level, found.says), (Level::Fault, says));
            deployment
                .as_owner(&format!("REVOKE {privilege} ON {table} FROM {role}"))
                .await;
        }
    }
}

/// The role, its rows, and the schema.
pub async fn a_database_that_is_not_as_it_should_be_is_told<P: Patient>() {
    let mut deployment = Deployment::of::<P>().await;
    let role = format!("{}_app", P::SERVICE);
    deployment
        .as_owner(&format!("REVOKE INSERT ON request_replay FROM {role}"))
        .await;
    let found = deployment.only::<P>().await;
    assert_eq!(
        found.says,
        format!("il manque au rôle {role} : INSERT ON request_replay")
    );
    deployment
        .as_owner(&format!(
            "GRANT INSERT ON request_replay TO {role}; ALTER TABLE outbox DISABLE ROW LEVEL SECURITY"
        ))
        .await;
    let found = deployment.only::<P>().await;
    assert_eq!(found.says, "tables sans sécurité par ligne : outbox");
    deployment
        .as_owner(
            "ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
             DELETE FROM _migrations WHERE version = (SELECT max(version) FROM _migrations)",
        )
        .await;
    let found = deployment.only::<P>().await;
    assert_eq!((found.subject, found.level), ("migrations", Level::Fault));
    let command = format!("nonrecours-{} migrate", P::SERVICE);
    assert!(found.advice.contains(&command), "{found:?}");

    // The owner's address given to the service: it could undo everything.
    deployment.settings.database_url = deployment.database.owner_url().to_owned();
    let found = deployment.wrong::<P>().await;
    let rights = found.iter().find(|found| found.subject == "droits");
    assert!(rights.unwrap().says.contains("OWNER OF"), "{found:?}");
    // Nobody there: the rest is looked at all the same.
    deployment.settings.database_url = "postgres://nobody@127.0.0.1:1/nothing".to_owned();
    assert_eq!(deployment.only::<P>().await.subject, "base");
}

/// Each peer that is away, and what waits of one that is followed.
pub async fn another_service_that_is_away_or_whose_feed_waits_is_told<P: Patient>() {
    use nonrecours_contracts::conventions::Convention;

    let mut deployment = Deployment::of::<P>().await;
    // Made long ago, and never taken into account.
    for feed in deployment.feeds.values() {
        feed.push(
            "operators/x",
            1,
            "convention.drafted",
            &Convention::default(),
        );
    }
    let followed: Vec<_> = P::PEERS.iter().filter(|(_, followed)| *followed).collect();
    let found = deployment.wrong::<P>().await;
    assert_eq!(found.len(), followed.len(), "{found:?}");
    for (found, (peer, _)) in found.iter().zip(&followed) {
        assert_eq!((found.subject, found.level), ("flux", Level::Fault));
        assert!(found.says.contains(peer), "{found:?}");
    }
    for (peer, _) in P::PEERS {
        deployment.peers.remove(peer).unwrap().stop().await;
        let found = deployment.wrong::<P>().await;
        let told = found.iter().find(|found| {
            found.subject == "pairs" && found.says.starts_with(&format!("{peer} (http://"))
        });
        let told = told.unwrap();
        assert_eq!(told.level, Level::Fault);
        assert!(told.says.contains("ne répond pas"), "{told:?}");
    }
}

/// The issuer, the clock, and the chain of what matters to security.
pub async fn what_everybody_stands_on_is_looked_at<P: Patient>() {
    let mut deployment = Deployment::of::<P>().await;
    let jwks = deployment.settings.host.auth.jwks.take();
    deployment.settings.host.auth.jwks = Some("http://127.0.0.1:1/jwks".parse().unwrap());
    let found = deployment.only::<P>().await;
    assert_eq!((found.subject, found.level), ("émetteur", Level::Fault));
    deployment.settings.host.auth.jwks = jwks;

    for (skew, level) in [
        (Duration::seconds(20), Level::Warning),
        (Duration::seconds(-90), Level::Fault),
    ] {
        deployment.around.clock = Arc::new(ManualClock::at(SystemClock.now() + skew));
        let found = deployment.only::<P>().await;
        assert_eq!((found.subject, found.level), ("horloge", level));
    }
    deployment.around.clock = Arc::new(SystemClock);

    let db = deployment.database.db(SystemClock).await;
    let audit = Audit::new(Arc::new(SystemClock));
    audit.note(Kind::RoleMissing, "", "camille", "a.B/C");
    let head: Link = db
        .keep_security_events(P::SERVICE, &audit.take())
        .await
        .unwrap();
    deployment.around.security_anchor = Some(head);
    let wrong = deployment.wrong::<P>().await;
    assert!(wrong.is_empty(), "{wrong:?}");
    deployment
        .as_owner("UPDATE security_event SET subject = 'dominique'")
        .await;
    let found = deployment.only::<P>().await;
    assert_eq!((found.subject, found.level), ("journal", Level::Fault));
}
