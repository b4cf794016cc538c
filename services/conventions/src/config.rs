//! Settings of the service, from the command line or the environment.

use std::{io, net::SocketAddr, path::PathBuf};

use clap::Args;
use nonrecours_files::FilesConfig;
use nonrecours_host::{DatabaseConfig, HostConfig};
use nonrecours_rpc::{
    ServerConfig,
    auth::{AuthConfig, PeerTokenConfig},
};

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
    /// Database connections.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Limits of the server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Whose tokens are accepted.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// The token that this service shows to the others.
    #[command(flatten)]
    pub peer_token: PeerTokenConfig,
}

impl Config {
    /// What the host needs of it. Fails when the file of the database URL cannot be read.
    pub(crate) fn host(&self) -> io::Result<HostConfig> {
        Ok(HostConfig {
            database: self.database.options(&self.database_url)?,
            server: self.server.clone(),
            auth: self.auth.clone(),
            peer_token: self.peer_token.clone().source(),
        })
    }
}
