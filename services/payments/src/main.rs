//! The payments service as a program.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use nonrecours_host::{Program, doctor::DoctorOptions, run};
use nonrecours_payments::{Config, DEFAULT_LISTEN, MIGRATOR, SERVICE, doctor::examine, serve};
use nonrecours_rpc::tls::TlsConfig;

/// Payment plans, instalments and ledger of the programme.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Serves until SIGTERM or SIGINT.
    Serve(Box<Config>),
    /// Brings the database to the schema of this program.
    Migrate {
        /// Database, under the owner role; `@path` reads it from a file.
        #[arg(long, env = "PAYMENTS_OWNER_DATABASE_URL", hide_env_values = true)]
        owner_database_url: String,
    },
    /// Succeeds when the service that listens can do its work.
    Health {
        /// Address it listens on.
        #[arg(long, env = "PAYMENTS_LISTEN", default_value = DEFAULT_LISTEN)]
        listen: SocketAddr,
        /// The certificate it serves with.
        #[command(flatten)]
        tls: TlsConfig,
    },
    /// Looks at everything that the service stands on and says what is wrong and what to do. Succeeds when nothing is.
    Doctor {
        /// The settings with which it serves.
        #[command(flatten)]
        config: Box<Config>,
        /// What is looked at besides.
        #[command(flatten)]
        options: DoctorOptions,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let program = match Command::parse() {
        Command::Serve(config) => Program::Serve(config.listen, *config),
        Command::Migrate { owner_database_url } => Program::Migrate(owner_database_url),
        Command::Health { listen, tls } => Program::Health(listen, tls),
        Command::Doctor { config, options } => Program::Doctor(*config, options),
    };
    run(SERVICE, &MIGRATOR, program, serve, examine).await
}
