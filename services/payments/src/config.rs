//! Settings of the service.

use std::{io, net::SocketAddr};

use clap::Args;
use nonrecours_host::{HostConfig, HostSettings};

use crate::ledger_export::{Chart, DEFAULT as DEFAULT_ACCOUNTS};

/// Where the service listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:50053";

/// What `payments` needs to serve.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "PAYMENTS_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Database, under the application role; `@path` reads it from a file.
    #[arg(long, env = "PAYMENTS_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Address of `conventions`, whose changes open and complete the plans.
    #[arg(long, env = "CONVENTIONS_URL")]
    pub conventions_url: String,
    /// Account numbers of the exported ledger, one for each account of it: `ACCOUNT=NUMBER`, parted by commas.
    #[arg(long, env = "PAYMENTS_ACCOUNTS", default_value = DEFAULT_ACCOUNTS)]
    pub accounts: Chart,
    /// What every service has.
    #[command(flatten)]
    pub host: HostSettings,
}

impl Config {
    /// What the host needs of them.
    pub(crate) fn host(&self) -> io::Result<HostConfig> {
        self.host.with_database(&self.database_url)
    }
}
