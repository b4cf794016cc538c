//! The frame of a service's `main`: telemetry, signals, and the commands `serve`, `migrate`, `health` and `doctor`.

use std::{error::Error, future::Future, net::SocketAddr, process::ExitCode, sync::Arc};

use nonrecours_kernel::{Clock, SystemClock};
use nonrecours_rpc::{
    telemetry::{self, LogFormat, TelemetryConfig},
    tls::TlsConfig,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sqlx::migrate::Migrator;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config,
    doctor::{self, DoctorOptions, Finding, Surroundings},
    health,
    host::{Environment, StartError},
};

/// What a service's command line asks for.
pub enum Program<C> {
    /// Serve on this address with these settings.
    Serve(SocketAddr, C),
    /// Bring the database of this owner URL to the schema of this program.
    Migrate(String),
    /// Ask the service that listens on this address, with these certificates, whether it can do its work: success when it
    /// can.
    Health(SocketAddr, TlsConfig),
    /// Look at everything that the service stands on with these settings: success when there is no fault.
    Doctor(C, DoctorOptions),
}

/// Runs a service as a process: until SIGTERM or SIGINT when serving. Says on standard error what went wrong.
pub async fn run<C, S, E>(
    service: &'static str,
    migrator: &Migrator,
    program: Program<C>,
    serve: impl FnOnce(C, Environment, TcpListener, CancellationToken) -> S,
    examine: impl FnOnce(C, Surroundings) -> E,
) -> ExitCode
where
    S: Future<Output = Result<(), StartError>>,
    E: Future<Output = Vec<Finding>>,
{
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match program {
        Program::Migrate(owner_url) => {
            observed(service, migrate(&owner_url, migrator, clock.as_ref())).await
        }
        Program::Serve(address, config) => {
            take_open_files();
            let serving = listen_and_serve(address, |listener, shutdown| {
                serve(config, Environment::new(clock), listener, shutdown)
            });
            observed(service, serving).await
        }
        // Without telemetry: it is asked every few seconds, and the service answers for itself.
        Program::Health(address, tls) => match health::check(address, &tls, &clock).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{service}: {error}");
                ExitCode::FAILURE
            }
        },
        // Without telemetry: it is read where it is asked.
        Program::Doctor(config, options) => {
            let around = Surroundings::new(clock, options);
            let (report, is_well) = doctor::report(&examine(config, around).await);
            print!("{report}");
            if is_well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Takes as many open files as the process may have, since each connection is one: what it begins with is often a thousand.
/// Where it may not be changed, it stays as it is.
fn take_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        eprintln!(
            "the limit of open files stays at {:?}: {error}",
            limit.current
        );
    }
}

/// Does the work under telemetry that ends with it.
async fn observed(
    service: &'static str,
    work: impl Future<Output = Result<(), StartError>>,
) -> ExitCode {
    let telemetry = match telemetry::init(TelemetryConfig {
        service,
        log: LogFormat::Json,
        capture: None,
    }) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("{service}: telemetry: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = match work.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(service, %error, cause, "the service failed");
            ExitCode::FAILURE
        }
    };
    telemetry.shutdown().await;
    code
}

async fn migrate(
    owner_url: &str,
    migrator: &Migrator,
    clock: &dyn Clock,
) -> Result<(), StartError> {
    nonrecours_pg::migrate(&config::read(owner_url)?, migrator, clock).await?;
    tracing::info!("the database is at the schema of this program");
    Ok(())
}

async fn listen_and_serve<S>(
    address: SocketAddr,
    serve: impl FnOnce(TcpListener, CancellationToken) -> S,
) -> Result<(), StartError>
where
    S: Future<Output = Result<(), StartError>>,
{
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    let listener = TcpListener::bind(address).await?;
    serve(listener, shutdown).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_open_files_are_taken_that_may_be() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let fewer = maximum.map(|maximum| maximum - 1);
        let current = fewer.or(Some(1024));
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
        take_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
