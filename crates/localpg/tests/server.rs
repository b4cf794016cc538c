//! The life of a private PostgreSQL: what it answers, what it keeps, what it leaves behind.

// The helpers of a test are tests too; clippy sees only what is marked #[test].
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nonrecours_localpg::{Error, LocalPg, Options};
use sqlx::{Connection, PgConnection, Row};

/// How long something that must happen by itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn throwaway() -> Options {
    Options::default()
}

fn kept(folder: &Path) -> Options {
    Options {
        data_dir: Some(folder.to_owned()),
        ..Options::default()
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn ask(url: &str, sql: &'static str) -> String {
    let row = sqlx::query(sql).fetch_one(&mut connect(url).await).await;
    row.unwrap().get(0)
}

/// The process of the server itself, by its own status file.
fn postmaster(home: &Path) -> u32 {
    let status = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    status.lines().next().unwrap().parse().unwrap()
}

fn alive(pid: u32) -> bool {
    let signal_nothing = Command::new("kill")
        .args(["-0", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    signal_nothing.unwrap().success()
}

/// The fifth field of Linux's status line, the third after the parenthesised name.
fn process_group(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = status.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(2).unwrap().to_owned()
}

async fn eventually(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(
            started.elapsed() < PATIENCE,
            "still not after {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A temporary folder that the account running the server can enter, root's tests included.
fn shared_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test]
async fn a_temporary_server_answers_and_leaves_nothing_behind() {
    let server = LocalPg::start(throwaway()).await.unwrap();
    let url = server.superuser_url("postgres");
    assert_eq!(ask(&url, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(ask(&url, "SHOW unix_socket_directories").await, "");
    assert_eq!(ask(&url, "SHOW server_encoding").await, "UTF8");
    assert_eq!(ask(&url, "SHOW TimeZone").await, "UTC");
    assert_eq!(ask(&url, "SHOW max_connections").await, "200");
    assert_eq!(ask(&url, "SELECT upper('évolué')").await, "ÉVOLUÉ");

    let (home, pid) = (server.home().to_owned(), postmaster(server.home()));
    assert!(alive(pid));
    // Ctrl-C goes to the group of the terminal; the server is not in it.
    assert_ne!(process_group(pid), process_group(std::process::id()));
    // A connected client does not hold the server back.
    let mut idle = connect(&url).await;
    server.stop().await.unwrap();
    assert!(!alive(pid), "the server survived stop()");
    assert!(!home.exists(), "{} survived stop()", home.display());
    assert!(idle.ping().await.is_err());
}

#[tokio::test]
async fn the_password_is_required() {
    let server = LocalPg::start(throwaway()).await.unwrap();
    let wrong = server.url("postgres", "wrong", "postgres");
    let refused = PgConnection::connect(&wrong).await.unwrap_err();
    let code = refused.as_database_error().and_then(|error| error.code());
    assert_eq!(code.as_deref(), Some("28P01"), "{refused}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_a_server_stops_it_too() {
    let server = LocalPg::start(throwaway()).await.unwrap();
    let (home, pid) = (server.home().to_owned(), postmaster(server.home()));
    drop(server);
    eventually("the server ends and its folder is gone", || {
        !alive(pid) && !home.exists()
    })
    .await;
}

#[tokio::test]
async fn two_servers_live_side_by_side() {
    let (one, two) = tokio::join!(LocalPg::start(throwaway()), LocalPg::start(throwaway()));
    let (one, two) = (one.unwrap(), two.unwrap());
    let mut connection = connect(&one.superuser_url("postgres")).await;
    sqlx::query("CREATE DATABASE only_in_one")
        .execute(&mut connection)
        .await
        .unwrap();
    drop(connection);
    ask(&one.superuser_url("only_in_one"), "SELECT 'here'").await;
    assert!(
        PgConnection::connect(&two.superuser_url("only_in_one"))
            .await
            .is_err()
    );
    one.stop().await.unwrap();
    assert_eq!(
        ask(&two.superuser_url("postgres"), "SELECT 'still here'").await,
        "still here"
    );
    two.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_folder_keeps_data_and_passwords() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    let durable = || Options {
        durable: true,
        ..kept(&data)
    };
    let server = LocalPg::start(durable()).await.unwrap();
    let first_url = server.superuser_url("postgres");
    assert_eq!(ask(&first_url, "SHOW fsync").await, "on");
    let mut connection = connect(&first_url).await;
    sqlx::query("CREATE TABLE kept AS SELECT 'a fact' AS fact")
        .execute(&mut connection)
        .await
        .unwrap();
    server.stop().await.unwrap();
    assert!(data.join("data/PG_VERSION").exists());

    let server = LocalPg::start(durable()).await.unwrap();
    assert_eq!(
        ask(&server.superuser_url("postgres"), "SELECT fact FROM kept").await,
        "a fact"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_folder_serves_one_server_at_a_time_and_the_next_waits() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    let first = LocalPg::start(kept(&data)).await.unwrap();
    let pid = postmaster(first.home());
    // Dropped, not stopped: the second start finds the folder still in use, and waits for it.
    drop(first);
    let second = LocalPg::start(kept(&data)).await.unwrap();
    assert!(!alive(pid), "two servers on one folder");
    assert_ne!(postmaster(second.home()), pid);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_does_not_spoil_the_folder() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    LocalPg::start(kept(&data))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    // Half a cluster, as a kill during initdb leaves it.
    std::fs::rename(data.join("data"), data.join("data.new")).unwrap();
    std::fs::remove_dir_all(data.join("data.new/global")).unwrap();

    let server = LocalPg::start(kept(&data)).await.unwrap();
    assert_eq!(
        ask(&server.superuser_url("postgres"), "SELECT 'whole'").await,
        "whole"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    LocalPg::start(kept(&data))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    std::fs::write(data.join("data/PG_VERSION"), "9.6\n").unwrap();

    let error = LocalPg::start(kept(&data)).await.unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
    assert!(
        error.to_string().contains("incompatible with server"),
        "{error}"
    );
    assert!(!data.join("data/postmaster.pid").exists());
}

#[tokio::test]
async fn missing_binaries_are_an_error_before_anything_is_created() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    let options = Options {
        binaries: Some(folder.path().join("nowhere")),
        ..kept(&data)
    };
    let error = LocalPg::start(options).await.unwrap_err();
    assert!(matches!(error, Error::BinariesUnusable { .. }), "{error}");
    assert!(!data.exists());
}

/// The helper program, serving; and the addresses it wrote.
async fn helper(folder: &Path, data: Option<&Path>) -> (Child, PathBuf) {
    let env_file = folder.join("addresses");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nonrecours-localpg"));
    command.arg("--env-file").arg(&env_file);
    if let Some(data) = data {
        command.arg("--data-dir").arg(data);
    }
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    eventually("the helper serves", || env_file.exists()).await;
    (child, env_file)
}

fn address(env_file: &Path, variable: &str) -> String {
    let text = std::fs::read_to_string(env_file).unwrap();
    let prefix = format!("export {variable}='");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap();
    line.trim_end_matches('\'').to_owned()
}

#[tokio::test]
async fn a_parent_killed_outright_leaves_no_server_and_no_folder() {
    let folder = shared_folder();
    let (mut parent, env_file) = helper(folder.path(), None).await;
    let admin = address(&env_file, "ADMIN_DATABASE_URL");
    let cluster = PathBuf::from(ask(&admin, "SHOW data_directory").await);
    let home = cluster.parent().unwrap();
    let pid = postmaster(home);
    // An open transaction must not delay the end.
    let mut busy = connect(&admin).await;
    sqlx::query("BEGIN").execute(&mut busy).await.unwrap();

    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the server ends and its folder is gone", || {
        !alive(pid) && !home.exists()
    })
    .await;
}

#[tokio::test]
async fn a_parent_killed_outright_keeps_the_data_it_was_asked_to_keep() {
    let folder = shared_folder();
    let data = folder.path().join("data");
    let (mut parent, env_file) = helper(folder.path(), Some(&data)).await;
    let mut connection = connect(&address(&env_file, "CONVENTIONS_DATABASE_URL")).await;
    sqlx::query("CREATE TABLE kept AS SELECT 'a fact' AS fact")
        .execute(&mut connection)
        .await
        .unwrap();
    let pid = postmaster(&data);
    parent.kill().unwrap();
    parent.wait().unwrap();

    // The next start does not race the end of the previous one.
    let server = LocalPg::start(kept(&data)).await.unwrap();
    assert!(!alive(pid));
    assert_eq!(
        ask(
            &server.superuser_url("conventions"),
            "SELECT fact FROM kept"
        )
        .await,
        "a fact"
    );
    server.stop().await.unwrap();
}

#[test]
fn the_helper_runs_a_command_with_the_addresses_and_returns_its_status() {
    let script = r#"for url in "$CONVENTIONS_DATABASE_URL" "$FOLLOWUP_DATABASE_URL" "$PAYMENTS_DATABASE_URL" "$PG_DATABASE_URL"
        do echo "${url%%:*} ${url##*/}"; done; exit 7"#;
    let output = Command::new(env!("CARGO_BIN_EXE_nonrecours-localpg"))
        .args(["sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let databases: Vec<_> = printed
        .lines()
        .filter_map(|line| line.split(['?', ' ']).nth(1))
        .collect();
    assert_eq!(
        databases,
        ["conventions", "followup", "payments", "mechanics"]
    );
}
