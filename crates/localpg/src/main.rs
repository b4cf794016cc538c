//! Development helper: a private PostgreSQL with the databases that `cargo sqlx` and the `query!`
//! macros look at. See `script/dev-db` and `script/sqlx`.
//!
//! ```text
//! nonrecours-localpg [--data-dir DIR] [--env-file FILE] [COMMAND [ARGUMENT]...]
//! ```
//!
//! With a command: runs it with the addresses in its environment, stops the server, ends with the
//! command's status. Without: serves until SIGINT, SIGTERM or SIGHUP. The addresses are those of the
//! owner roles: `CONVENTIONS_DATABASE_URL`, `FOLLOWUP_DATABASE_URL`, `PAYMENTS_DATABASE_URL`,
//! `PG_DATABASE_URL` (the mechanics shared by the three), and `ADMIN_DATABASE_URL` of the superuser.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nonrecours_localpg::{LocalPg, Options, create_service_database};
use tokio::signal::unix::{SignalKind, signal};

/// Service, database, variable. The service "pg" is not one: PostgreSQL reserves the prefix "pg_".
const DATABASES: [(&str, &str, &str); 4] = [
    ("conventions", "conventions", "CONVENTIONS_DATABASE_URL"),
    ("followup", "followup", "FOLLOWUP_DATABASE_URL"),
    ("payments", "payments", "PAYMENTS_DATABASE_URL"),
    ("mechanics", "mechanics", "PG_DATABASE_URL"),
];

#[derive(Default)]
struct Arguments {
    data_dir: Option<PathBuf>,
    env_file: Option<PathBuf>,
    command: Vec<OsString>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nonrecours-localpg: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = arguments(std::env::args_os().skip(1))?;
    let server = LocalPg::start(Options {
        durable: arguments.data_dir.is_some(),
        data_dir: arguments.data_dir,
        binaries: std::env::var_os("NONRECOURS_PG_BIN")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    })
    .await?;

    let mut addresses = vec![("ADMIN_DATABASE_URL", server.superuser_url("postgres"))];
    for (service, database, variable) in DATABASES {
        let urls = create_service_database(&server.admin(), service, database).await?;
        addresses.push((variable, urls.owner_url));
    }
    if let Some(file) = &arguments.env_file {
        write_addresses(file, &addresses)?;
    }
    let code = match arguments.command.split_first() {
        Some((program, rest)) => {
            let mut command = tokio::process::Command::new(program);
            let status = command.args(rest).envs(addresses).status().await?;
            let signalled = || status.signal().map_or(1, |signal| 128 + signal);
            ExitCode::from(u8::try_from(status.code().unwrap_or_else(signalled)).unwrap_or(1))
        }
        None => {
            told_to_stop().await?;
            ExitCode::SUCCESS
        }
    };
    if let Some(file) = &arguments.env_file {
        std::fs::remove_file(file)?;
    }
    server.stop().await?;
    Ok(code)
}

fn arguments(mut given: impl Iterator<Item = OsString>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(argument) = given.next() {
        let option = match argument.to_str() {
            Some("--data-dir") => &mut arguments.data_dir,
            Some("--env-file") => &mut arguments.env_file,
            Some(unknown) if unknown.starts_with('-') => {
                return Err(format!("unknown option {unknown}"));
            }
            _ => {
                arguments.command = std::iter::once(argument).chain(given).collect();
                break;
            }
        };
        let value = given.next().ok_or("an option lacks its value")?;
        *option = Some(PathBuf::from(value));
    }
    Ok(arguments)
}

/// Lines a shell can source. The file appears complete, and readable by its owner only.
fn write_addresses(path: &Path, addresses: &[(&str, String)]) -> Result<(), Box<dyn Error>> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().ok_or("the environment file has no folder")?;
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for (variable, address) in addresses {
        writeln!(file, "export {variable}='{address}'")?;
    }
    file.persist(path)?;
    Ok(())
}

async fn told_to_stop() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
