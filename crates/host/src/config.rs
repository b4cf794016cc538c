//! Settings that every service has.

use std::io;

use clap::Args;
use nonrecours_pg::{DEFAULT_MAX_CONNECTIONS, DbOptions};
use nonrecours_rpc::{
    ServerConfig,
    auth::{AuthConfig, PeerTokenConfig},
    tls::TlsConfig,
};
use secrecy::SecretString;

/// What a host needs to start.
#[derive(Clone)]
pub struct HostConfig {
    /// The service's database, under its application role.
    pub database: DbOptions,
    /// The other settings.
    pub settings: HostSettings,
}

/// Settings that every service has beside its own.
#[derive(Args, Clone, Debug)]
pub struct HostSettings {
    /// Database connections.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Limits of the server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Whose tokens are accepted.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// The token that the service shows to the others.
    #[command(flatten)]
    pub peer_token: PeerTokenConfig,
    /// How its connections are protected.
    #[command(flatten)]
    pub tls: TlsConfig,
}

impl HostSettings {
    /// What the host needs, with the URL of the service's database. Fails when the file of the URL cannot be read.
    pub fn with_database(&self, url: &str) -> io::Result<HostConfig> {
        Ok(HostConfig {
            database: self.database.options(url)?,
            settings: self.clone(),
        })
    }
}

/// How to reach the service's database. The URLs themselves are settings of each service, since three databases may be
/// set in one environment.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// Database connections of this instance at most.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = DEFAULT_MAX_CONNECTIONS)]
    pub max_connections: u32,
}

impl DatabaseConfig {
    /// The options for one URL. A URL that begins with `@` names a file that holds it, as secrets are mounted.
    pub fn options(&self, url: &str) -> io::Result<DbOptions> {
        Ok(DbOptions {
            url: SecretString::from(read(url)?),
            max_connections: self.max_connections,
        })
    }
}

/// Reads a setting that may be `@/path/of/a/file`.
pub(crate) fn read(value: &str) -> io::Result<String> {
    match value.strip_prefix('@') {
        Some(path) => Ok(std::fs::read_to_string(path)?.trim().to_owned()),
        None => Ok(value.to_owned()),
    }
}
