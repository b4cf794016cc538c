//! Settings of the service, from the command line or the environment.

use std::{io, net::SocketAddr, path::PathBuf};

use clap::Args;
use nonrecours_host::{HostConfig, HostSettings};

use crate::{
    indicator::thresholds::Thresholds,
    journal::keep::{DEFAULT_RETENTION_MONTHS, MAX_RETENTION_MONTHS, MIN_RETENTION_MONTHS},
};

/// Address that `serve` listens on, and that `health` asks, unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:50052";

/// Settings of `followup`.
#[derive(Args, Clone)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "FOLLOWUP_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Database under the application role: a postgres:// URL, or @/path of a file that holds it.
    #[arg(long, env = "FOLLOWUP_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// File of the key ring, outside the database; read again when it changes.
    #[arg(long, env = "FOLLOWUP_KEYS_FILE")]
    pub keys_file: PathBuf,
    /// Address of the service `conventions`.
    #[arg(long, env = "CONVENTIONS_URL")]
    pub conventions_url: String,
    /// How long entries of the journal of accesses are kept, months.
    #[arg(
        long,
        env = "FOLLOWUP_JOURNAL_RETENTION_MONTHS",
        default_value_t = DEFAULT_RETENTION_MONTHS,
        value_parser = clap::value_parser!(i32).range(i64::from(MIN_RETENTION_MONTHS)..=i64::from(MAX_RETENTION_MONTHS))
    )]
    pub journal_retention_months: i32,
    /// From how many persons on indicators are told.
    #[command(flatten)]
    pub thresholds: Thresholds,
    /// What every service has.
    #[command(flatten)]
    pub host: HostSettings,
}

impl Config {
    /// What the host needs of it. Fails when the file of the database URL cannot be read.
    pub fn host(&self) -> io::Result<HostConfig> {
        self.host.with_database(&self.database_url)
    }
}
