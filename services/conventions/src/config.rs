//! Settings of the service, from the command line or the environment.

use std::{io, net::SocketAddr, path::PathBuf};

use clap::Args;
use nonrecours_files::FilesConfig;
use nonrecours_host::{HostConfig, HostSettings};

/// Address that `serve` listens on, and that `health` asks, unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:50051";

/// Settings of `conventions`.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "CONVENTIONS_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Database under the application role: a postgres:// URL, or @/path of a file that holds it.
    #[arg(long, env = "CONVENTIONS_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Address of the service `followup`, whose figures go into activity reports.
    #[arg(long, env = "FOLLOWUP_URL")]
    pub followup_url: String,
    /// Address of the service `payments`, which reports what is paid.
    #[arg(long, env = "PAYMENTS_URL")]
    pub payments_url: String,
    /// Typesetting program of the documents; none: nonrecours-typeset beside this program, or in PATH.
    #[arg(long, env = "TYPESET_PROGRAM")]
    pub typeset_program: Option<PathBuf>,
    /// Where files are kept.
    #[command(flatten)]
    pub files: FilesConfig,
    /// What every service has.
    #[command(flatten)]
    pub host: HostSettings,
}

impl Config {
    /// What the host needs of it. Fails when the file of the database URL cannot be read.
    pub(crate) fn host(&self) -> io::Result<HostConfig> {
        self.host.with_database(&self.database_url)
    }
}
