//! The service as a process.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use nonrecours_followup::{
    Config, DEFAULT_LISTEN, MIGRATOR, SERVICE, doctor::examine, erasure::command::ReplayErasures,
    journal::command::VerifyJournal, serve,
};
use nonrecours_host::{Program, doctor::DoctorOptions, run};
use nonrecours_rpc::tls::TlsConfig;

/// Follow-up of persons, rights and sessions.
#[derive(Parser)]
#[command(name = "nonrecours-followup", version)]
#[allow(clippy::large_enum_variant, reason = "made once")]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Serve(Config),
    /// Bring the database to the schema of this program.
    Migrate {
        /// Database under its owner role: a postgres:// URL, or @/path of a file that holds it.
        #[arg(long, env = "FOLLOWUP_OWNER_DATABASE_URL", hide_env_values = true)]
        owner_database_url: String,
    },
    /// Succeeds when the service that listens can do its work.
    Health {
        /// Address it listens on.
        #[arg(long, env = "FOLLOWUP_LISTEN", default_value = DEFAULT_LISTEN)]
        listen: SocketAddr,
        /// The certificate it serves with.
        #[command(flatten)]
        tls: TlsConfig,
    },
    /// Looks at everything that the service stands on and says what is wrong and what to do. Succeeds when nothing is.
    Doctor {
        /// The settings with which it serves.
        #[command(flatten)]
        config: Config,
        /// What is looked at besides.
        #[command(flatten)]
        options: DoctorOptions,
    },
    /// Verify the chain of the journal of accesses; fails, and names the first fault, when it is not as it was sealed.
    VerifyJournal(VerifyJournal),
    /// After a restore: erase again whoever was erased since the backup, from the journal of erasures kept apart.
    ReplayErasures(ReplayErasures),
}

#[tokio::main]
async fn main() -> ExitCode {
    let program = match Command::parse() {
        Command::Serve(config) => Program::Serve(config.listen, config),
        Command::Migrate { owner_database_url } => Program::Migrate(owner_database_url),
        Command::Health { listen, tls } => Program::Health(listen, tls),
        Command::Doctor { config, options } => Program::Doctor(config, options),
        Command::VerifyJournal(command) => return command.run().await,
        Command::ReplayErasures(command) => return command.run().await,
    };
    run(SERVICE, &MIGRATOR, program, serve, examine).await
}
