//! The version before and this one side by side on one database: whatever that one says to PostgreSQL is still understood, and
//! what it writes still accepted, once this one's migrations have run (docs/operations.md, *Upgrade*).
//!
//! What the version before says stands in `tests/released`, written when it was released:
//! `UPDATE_RELEASED=1 cargo test -p nonrecours-tests --test flows upgrade`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use nonrecours_localpg::{LocalPg, Options};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, migrate::Migrator};

use crate::processes::SERVICES;

/// A line of a migration that says why what the version before writes is still accepted under a constraint:
/// `-- rolling: <constraint, or table.column>: <why>`.
const SAID: &str = "-- rolling: ";

struct Released {
    /// Last migration of all services, and of this one.
    common: i64,
    service: i64,
    /// Statements, each with how many parameters it has.
    statements: Vec<(String, usize)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(service: &str) -> PathBuf {
    root().join(format!("tests/released/{service}.json"))
}

impl Released {
    fn read(service: &str) -> Self {
        let read: Value = serde_json::from_slice(&fs::read(file(service)).unwrap()).unwrap();
        let statements = read["statements"].as_array().unwrap();
        Self {
            common: read["common"].as_i64().unwrap(),
            service: read["service"].as_i64().unwrap(),
            statements: statements
                .iter()
                .map(|statement| {
                    let parameters = statement["parameters"].as_u64().unwrap();
                    let sql = statement["sql"].as_str().unwrap().to_owned();
                    (sql, usize::try_from(parameters).unwrap())
                })
                .collect(),
        }
    }

    /// What this version says, for the next one.
    fn write(service: &str, migrator: &Migrator) {
        let folders = [
            "crates/pg".to_owned(),
            "crates/feed".to_owned(),
            format!("services/{service}"),
        ];
        let mut statements: Vec<Value> = folders
            .iter()
            .filter_map(|folder| fs::read_dir(root().join(folder).join(".sqlx")).ok())
            .flatten()
            .map(|entry| {
                let query = fs::read(entry.unwrap().path()).unwrap();
                let query: Value = serde_json::from_slice(&query).unwrap();
                let parameters = query["describe"]["parameters"]["Left"].as_array().unwrap();
                json!({ "parameters": parameters.len(), "sql": query["query"] })
            })
            .collect();
        statements.sort_by_key(|statement| statement["sql"].to_string());
        let last = |migrator: &Migrator| migrator.iter().map(|one| one.version).max().unwrap();
        let released = json!({
            "common": last(&nonrecours_pg::COMMON),
            "service": last(migrator),
            "statements": statements,
        });
        let text = serde_json::to_string_pretty(&released).unwrap();
        fs::write(file(service), text + "\n").unwrap();
    }
}

/// The migrations up to a version.
fn until(migrator: &'static Migrator, version: i64) -> Migrator {
    let earlier = migrator.iter().filter(|one| one.version <= version);
    Migrator {
        migrations: Cow::Owned(earlier.cloned().collect()),
        table_name: migrator.table_name.clone(),
        ..Migrator::DEFAULT
    }
}

/// Whether PostgreSQL plans a statement for a role, and lets it: nothing is executed.
async fn understood(
    connection: &mut PgConnection,
    (sql, parameters): &(String, usize),
) -> Result<(), sqlx::Error> {
    let nulls = vec!["NULL"; *parameters].join(", ");
    let arguments = if nulls.is_empty() {
        nulls
    } else {
        format!("({nulls})")
    };
    let ask = format!("PREPARE asked AS {sql}; EXPLAIN EXECUTE asked{arguments}");
    let answer = sqlx::raw_sql(AssertSqlSafe(ask))
        .execute(&mut *connection)
        .await;
    sqlx::raw_sql("DEALLOCATE ALL").execute(connection).await?;
    answer.map(drop)
}

/// What binds those who write: each column that must have a value from them, each constraint and unique index, by its name.
async fn bounds(owner: &PgPool) -> BTreeMap<(String, String), String> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, table_name || '.' || column_name, 'must be given'
         FROM information_schema.columns
         WHERE table_schema = 'public' AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
           AND is_generated = 'NEVER'
         UNION ALL
         SELECT class.relname::text, constr.conname::text, pg_get_constraintdef(constr.oid)
         FROM pg_constraint AS constr JOIN pg_class AS class ON class.oid = constr.conrelid
         WHERE constr.connamespace = 'public'::regnamespace AND constr.contype IN ('c', 'f', 'p', 'u', 'x')
         UNION ALL
         SELECT tablename::text, indexname::text, indexdef FROM pg_indexes
         WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let bound = |(table, name, rule)| ((table, name), rule);
    found.into_iter().map(bound).collect()
}

async fn tables(owner: &PgPool) -> BTreeSet<String> {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(owner).await.unwrap();
    tables.into_iter().collect()
}

/// What migrations newer than a version say of their constraints: the names before the reasons.
fn said(service: &str, released: &Released) -> BTreeSet<String> {
    let folders = [
        ("crates/pg/migrations".to_owned(), released.common),
        (format!("services/{service}/migrations"), released.service),
    ];
    let mut names = BTreeSet::new();
    for (folder, last) in folders {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.split('_').next().unwrap().parse::<i64>().unwrap() <= last {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter_map(|line| line.strip_prefix(SAID));
            names.extend(lines.filter_map(|line| Some(line.split_once(": ")?.0.to_owned())));
        }
    }
    names
}

async fn faults(service: &'static str, migrator: &'static Migrator) -> Vec<String> {
    let released = Released::read(service);
    let server = LocalPg::start(Options::default()).await.unwrap();
    let urls = nonrecours_localpg::create_service_database(&server.admin(), service, service)
        .await
        .unwrap();
    let owner = PgPool::connect(&urls.owner_url).await.unwrap();
    let common = until(&nonrecours_pg::COMMON, released.common);
    common.run(&owner).await.unwrap();
    until(migrator, released.service).run(&owner).await.unwrap();

    // Most of it is said by the application; the rest by `migrate`, as the owner.
    let mut app = PgConnection::connect(&urls.app_url).await.unwrap();
    let mut own = PgConnection::connect(&urls.owner_url).await.unwrap();
    let mut as_owner = BTreeSet::new();
    for statement in &released.statements {
        if understood(&mut app, statement).await.is_err() {
            understood(&mut own, statement)
                .await
                .unwrap_or_else(|error| panic!("{service}, as it was: {error}\n{}", statement.0));
            as_owner.insert(&statement.0);
        }
    }
    let (then, bound_then) = (tables(&owner).await, bounds(&owner).await);
    nonrecours_pg::migrate(&urls.owner_url, migrator, &nonrecours_testkit::clock())
        .await
        .unwrap();

    let mut faults = Vec::new();
    for statement in &released.statements {
        let connection = if as_owner.contains(&statement.0) {
            &mut own
        } else {
            &mut app
        };
        if let Err(error) = understood(connection, statement).await {
            faults.push(format!("{service}: {error}: {}", statement.0));
        }
    }
    let said = said(service, &released);
    for ((table, name), rule) in bounds(&owner).await {
        let key = (table, name);
        let newer = then.contains(&key.0) && bound_then.get(&key) != Some(&rule);
        if newer && !said.contains(&key.1) {
            faults.push(format!(
                "{service}: {} on {}: {rule}; what the version before writes may be refused: say why not in the migration \
                 (`{SAID}{}: why`)",
                key.1, key.0, key.1
            ));
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_version_before_says_is_understood_and_what_it_writes_accepted() {
    let migrators: [&'static Migrator; 3] = [
        &nonrecours_conventions::MIGRATOR,
        &nonrecours_followup::MIGRATOR,
        &nonrecours_payments::MIGRATOR,
    ];
    let mut all = Vec::new();
    for (service, migrator) in SERVICES.into_iter().zip(migrators) {
        if std::env::var_os("UPDATE_RELEASED").is_some() {
            Released::write(service, migrator);
        }
        all.extend(faults(service, migrator).await);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
