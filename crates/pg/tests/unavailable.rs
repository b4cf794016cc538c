//! What PostgreSQL says when it can do no more at present, provoked on a real one: the caller is told when to come back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{sync::LazyLock, time::Duration};

use nonrecours_kernel::Scope;
use nonrecours_pg::{Db, Error, Tx};
use nonrecours_rpc::{Failure, details::Details};
use nonrecours_testkit::{TestDb, clock};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, migrate::Migrator};
use tonic::{Code, Status};

const SERVICE: &str = "mechanics";

/// A service without tables of its own.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(Vec::new());
    migrator.dangerous_set_table_name("_migrations");
    migrator
});

/// Longest wait for what must come.
const LIMIT: Duration = Duration::from_secs(20);

async fn database() -> (TestDb, Db) {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    (database, db)
}

async fn begin(db: &Db) -> Tx {
    db.begin(&Scope::of_service(SERVICE)).await.unwrap()
}

async fn run(tx: &mut Tx, statement: &str) -> Result<(), sqlx::Error> {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(tx.conn()).await.map(drop)
}

/// What PostgreSQL said, and what the caller is told.
fn told(error: sqlx::Error) -> (String, Status) {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.unwrap_or_default().into_owned();
    (code, Status::from(Failure::from(Error::from(error))))
}

fn assert_comes_back(code: &str, (said, status): (String, Status)) {
    assert_eq!(said, code);
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let details = Details::of(&status);
    assert_eq!(details.reason, "UNAVAILABLE");
    assert!(details.retry.is_some(), "{status:?}");
    assert!(!details.french.is_empty());
}

#[tokio::test]
async fn a_statement_that_lasts_too_long_may_be_sent_again() {
    let (_database, db) = database().await;
    let mut tx = begin(&db).await;
    run(&mut tx, "SET LOCAL statement_timeout = 20")
        .await
        .unwrap();
    let cancelled = run(&mut tx, "SELECT pg_sleep(60)").await.unwrap_err();
    assert_comes_back("57014", told(cancelled));
}

#[tokio::test]
async fn a_transaction_that_was_idle_too_long_may_be_done_again() {
    let (database, db) = database().await;
    let mut tx = begin(&db).await;
    let session: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    run(
        &mut tx,
        "SET LOCAL idle_in_transaction_session_timeout = 20",
    )
    .await
    .unwrap();
    ended(&database.owner().await, session).await;
    let ended = run(&mut tx, "SELECT 1").await.unwrap_err();
    assert_comes_back("25P03", told(ended));
}

/// Waits until a session is gone.
async fn ended(owner: &PgPool, session: i32) {
    let gone = async {
        loop {
            let there: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)")
                    .bind(session)
                    .fetch_one(owner)
                    .await
                    .unwrap();
            if !there {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("it ends");
}

#[tokio::test]
async fn a_database_that_only_reads_as_in_a_failover_takes_writes_again_later() {
    let (database, _) = database().await;
    let owner = database.owner().await;
    // As a replica that is not promoted yet.
    let standing_by =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
                                                  current_database()); END $$";
    sqlx::raw_sql(standing_by).execute(&owner).await.unwrap();
    let db = database.db(clock()).await;
    let refused = db.keep_security_events(SERVICE, &refusal()).await;
    let Err(Error::Unavailable(cause)) = refused else {
        panic!("{refused:?}");
    };
    assert_comes_back("25006", told(cause));
}

/// Something to write.
fn refusal() -> Vec<nonrecours_rpc::audit::Counted> {
    use nonrecours_rpc::audit::{Audit, Kind};
    let audit = Audit::new(std::sync::Arc::new(clock()));
    audit.note(Kind::RoleMissing, "", "camille", "a.B/C");
    audit.take()
}

#[tokio::test]
async fn a_server_with_too_many_connections_takes_some_again_later() {
    let (database, db) = database().await;
    let owner = database.owner().await;
    let full = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()); END $$";
    sqlx::raw_sql(full).execute(&owner).await.unwrap();
    let refused = PgConnection::connect(database.app_url()).await;
    assert_comes_back("53300", told(refused.unwrap_err()));
    // The pool has one connection; for another it tries as long as it may.
    let _held = begin(&db).await;
    let waited = db.begin(&Scope::of_service(SERVICE)).await;
    assert!(matches!(waited, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_server_without_room_or_memory_has_some_again_later() {
    let (_database, db) = database().await;
    // The full disk itself is among the faults that processes are played with; memory and temporary files run out for nobody
    // without harm to the others.
    for code in ["53000", "53100", "53200", "53400"] {
        let mut tx = begin(&db).await;
        let raised = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
        let refused = run(&mut tx, &raised).await.unwrap_err();
        assert_comes_back(code, told(refused));
    }
}

#[tokio::test]
async fn who_is_cut_off_by_an_administrator_may_send_the_same_again() {
    let (database, db) = database().await;
    let mut tx = begin(&db).await;
    let owner = database.owner().await;
    let session: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let ending = tokio::spawn(async move {
        let refused = run(&mut tx, "SELECT pg_sleep(60)").await;
        refused.unwrap_err()
    });
    // A role ends the sessions of its own kind only.
    let app = database.app().await;
    let asleep = "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity
                  WHERE pid = $1 AND wait_event = 'PgSleep'";
    let cutting = async {
        loop {
            let cut = sqlx::query_scalar(asleep).bind(session);
            if cut.fetch_one(&app).await.unwrap() {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, cutting)
        .await
        .expect("it is cut");
    ended(&owner, session).await;
    assert_comes_back("57P01", told(ending.await.unwrap()));
}
