//! What the roles of a service may and may not do.

// The helpers of a test are tests too; clippy sees only what is marked #[test].
#![allow(clippy::unwrap_used)]

use nonrecours_localpg::{
    Error, LocalPg, Options, ServiceUrls, create_from_template, create_service_database,
    drop_database,
};
use sqlx::{Connection, PgConnection, Row};

async fn run(url: &str, sql: &'static str) -> Result<(), String> {
    let mut connection = PgConnection::connect(url)
        .await
        .map_err(|error| code(&error))?;
    let done = sqlx::raw_sql(sql).execute(&mut connection).await;
    // Orderly, so that a template is free of sessions when this returns.
    connection.close().await.unwrap();
    done.map(|_| ()).map_err(|error| code(&error))
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| error.to_string(), |code| code.into_owned())
}

async fn text(url: &str, sql: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap()
        .get(0)
}

/// The refusals expected below.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const NO_SUCH_DATABASE: &str = "3D000";

#[tokio::test]
async fn a_service_reaches_its_own_database_under_a_role_that_owns_nothing() {
    let server = LocalPg::start(Options::default()).await.unwrap();
    let admin = server.admin();
    let conventions = create_service_database(&admin, "conventions", "conventions")
        .await
        .unwrap();
    let payments = create_service_database(&admin, "payments", "payments")
        .await
        .unwrap();

    let owner = conventions.owner_url.as_str();
    run(
        owner,
        "CREATE TABLE fact (id int PRIMARY KEY); INSERT INTO fact VALUES (1)",
    )
    .await
    .unwrap();
    let app = conventions.app_url.as_str();
    let denied = Err(INSUFFICIENT_PRIVILEGE.to_owned());
    assert_eq!(
        run(app, "SELECT * FROM fact").await,
        denied,
        "nothing is granted by default"
    );
    assert_eq!(run(app, "CREATE TABLE mine (id int)").await, denied);
    run(owner, "GRANT SELECT ON fact TO conventions_app")
        .await
        .unwrap();
    run(app, "SELECT * FROM fact").await.unwrap();

    // The second wall holds for the application, whatever its queries say.
    run(owner, "ALTER TABLE fact ENABLE ROW LEVEL SECURITY")
        .await
        .unwrap();
    assert_eq!(text(app, "SELECT count(*)::text FROM fact").await, "0");
    assert_eq!(text(owner, "SELECT count(*)::text FROM fact").await, "1");

    // Another service's roles do not even connect.
    for url in [&payments.owner_url, &payments.app_url] {
        let elsewhere = url.replace("/payments?", "/conventions?");
        assert_eq!(run(&elsewhere, "SELECT 1").await, denied);
    }
    let privileged = "SELECT count(*)::text FROM pg_roles WHERE rolname ~ '^(conventions|payments)_' \
                      AND (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication)";
    assert_eq!(
        text(&server.superuser_url("postgres"), privileged).await,
        "0"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn creating_again_changes_nothing_even_all_at_once() {
    let server = LocalPg::start(Options::default()).await.unwrap();
    let admin = server.admin();
    let attempts = (0..8).map(|_| {
        let admin = admin.clone();
        tokio::spawn(async move { create_service_database(&admin, "followup", "followup").await })
    });
    let attempts: Vec<_> = attempts.collect();
    let mut all: Vec<ServiceUrls> = Vec::new();
    for attempt in attempts {
        all.push(attempt.await.unwrap().unwrap());
    }
    for urls in &all {
        assert_eq!(urls.app_url, all[0].app_url);
        assert_eq!(urls.owner_url, all[0].owner_url);
        run(&urls.app_url, "SELECT 1").await.unwrap();
        run(&urls.owner_url, "SELECT 1").await.unwrap();
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_copy_has_the_template_s_tables_and_grants_and_lives_apart() {
    let server = LocalPg::start(Options::default()).await.unwrap();
    let admin = server.admin();
    let template = create_service_database(&admin, "payments", "payments_template")
        .await
        .unwrap();
    let schema = "CREATE TABLE entry (id int); GRANT SELECT, INSERT ON entry TO payments_app";
    run(&template.owner_url, schema).await.unwrap();

    let one = create_from_template(&admin, "payments", "payments_template", "test_1")
        .await
        .unwrap();
    // A keyword is a name like any other.
    let two = create_from_template(&admin, "payments", "payments_template", "table")
        .await
        .unwrap();
    run(&one.app_url, "INSERT INTO entry VALUES (1)")
        .await
        .unwrap();
    assert_eq!(
        text(&one.app_url, "SELECT count(*)::text FROM entry").await,
        "1"
    );
    assert_eq!(
        text(&two.app_url, "SELECT count(*)::text FROM entry").await,
        "0"
    );
    run(&two.owner_url, "ALTER TABLE entry ADD COLUMN label text")
        .await
        .unwrap();

    let stranger = create_service_database(&admin, "followup", "followup")
        .await
        .unwrap();
    let elsewhere = stranger.app_url.replace("/followup?", "/test_1?");
    assert_eq!(
        run(&elsewhere, "SELECT 1").await,
        Err(INSUFFICIENT_PRIVILEGE.to_owned())
    );

    let _held_open = PgConnection::connect(&one.app_url).await.unwrap();
    drop_database(&admin, "test_1").await.unwrap();
    drop_database(&admin, "test_1").await.unwrap();
    assert_eq!(
        run(&one.app_url, "SELECT 1").await,
        Err(NO_SUCH_DATABASE.to_owned())
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn names_that_could_be_sql_are_refused() {
    let server = LocalPg::start(Options::default()).await.unwrap();
    let admin = server.admin();
    let bad = r#"x" WITH OWNER postgres; --"#;
    let refusals = [
        create_service_database(&admin, bad, "x").await.err(),
        create_service_database(&admin, "x", bad).await.err(),
        create_from_template(&admin, "x", bad, "x").await.err(),
        drop_database(&admin, bad).await.err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Name { name }) if name == bad));
    }
    server.stop().await.unwrap();
}
