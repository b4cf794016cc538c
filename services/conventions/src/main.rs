//! The service as a process.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use nonrecours_conventions::{Config, DEFAULT_LISTEN, MIGRATOR, SERVICE, doctor::examine, serve};
use nonrecours_host::{Program, doctor::DoctorOptions, run};
use nonrecours_rpc::tls::TlsConfig;

/// Grant agreements of the programme, from draft to settled.
#[derive(Parser)]
#[command(name = "nonrecours-conventions", version)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve(Box<Config>),
    /// Bring the database to the schema of this program.
    Migrate {
        /// Database under its owner role: a postgres:// URL, or @/path of a file that holds it.
        #[arg(long, env = "CONVENTIONS_OWNER_DATABASE_URL", hide_env_values = true)]
        owner_database_url: String,
    },
    /// Succeeds when the service that listens can do its work.
    Health {
        /// Address it listens on.
        #[arg(long, env = "CONVENTIONS_LISTEN", default_value = DEFAULT_LISTEN)]
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
