//! TLS of the server and of the ways to other services (RFC 8446; TLS 1.2 and 1.3, by rustls on ring).
//!
//! Certificates, keys and authorities are files, read again so that they can be renewed under a running service: a new
//! connection has the new ones. Which service a certificate speaks for is read from its names ([`Peers`]): with
//! authorities set, the services know each other by their certificates instead of a token.

mod certificate;
mod client;
mod files;
mod incoming;
mod peers;
mod server;

use std::{io, path::PathBuf, sync::Arc};

use clap::Args;
use nonrecours_kernel::Clock;
use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::UnixTime,
    time_provider::TimeProvider,
};
use time::OffsetDateTime;

pub use certificate::Certificate;
pub use client::ClientTls;
pub(crate) use incoming::incoming;
pub use peers::Peers;
pub use server::ServerTls;

use crate::{audit::Audit, reread::REREAD_INTERVAL};

/// The protocol of gRPC, as TLS names it (ALPN, RFC 7301).
const HTTP2: &[u8] = b"h2";

/// How the connections of a service are protected.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsConfig {
    /// Certificate of this service and its chain, PEM: served, and shown to the other services. None: no TLS.
    #[arg(long, env = "TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, env = "TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Authorities that sign the certificates of the other services and of clients, PEM. None: other services are
    /// verified by the authorities of the system, and clients are not asked for a certificate.
    #[arg(long, env = "TLS_AUTHORITIES")]
    pub tls_authorities: Option<PathBuf>,
    /// DNS names in the certificates of the other services, with commas: who shows such a certificate is one of them,
    /// and no token makes one any more.
    #[arg(
        long,
        env = "TLS_PEERS",
        value_delimiter = ',',
        requires = "tls_authorities"
    )]
    pub tls_peers: Vec<String>,
}

impl TlsConfig {
    /// The server's side; none when the service has no certificate. What it refuses, and what changes, is noted.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be.
    pub async fn server(
        &self,
        clock: &Arc<dyn Clock>,
        audit: &Audit,
    ) -> Result<Option<ServerTls>, TlsError> {
        match self.identity() {
            Some(identity) => {
                let authorities = self.tls_authorities.clone();
                let (clock, audit) = (Arc::clone(clock), audit.clone());
                let tls = ServerTls::new(identity, authorities, clock, audit, REREAD_INTERVAL);
                tls.current().await?;
                Ok(Some(tls))
            }
            None => Ok(None),
        }
    }

    /// The way to the other services.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be.
    pub async fn client(&self, clock: &Arc<dyn Clock>) -> Result<ClientTls, TlsError> {
        let tls = ClientTls::new(
            self.identity(),
            self.tls_authorities.clone(),
            Arc::clone(clock),
        );
        if self.tls_certificate.is_some() || self.tls_authorities.is_some() {
            tls.current().await?;
        }
        Ok(tls)
    }

    /// The certificate of this service, as it is at an instant; none without one.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be.
    pub async fn certificate(&self, now: OffsetDateTime) -> Result<Option<Certificate>, TlsError> {
        let Some(path) = &self.tls_certificate else {
            return Ok(None);
        };
        let chain = files::certificates(path).await?;
        let authorities = match &self.tls_authorities {
            Some(path) => Some(files::authorities(path).await?),
            None => None,
        };
        certificate::read(&chain, authorities.as_ref(), now).map(Some)
    }

    /// A name in the certificate of this service, by which it can be asked on the loopback; none without a certificate.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub async fn own_name(&self) -> Result<Option<String>, TlsError> {
        match &self.tls_certificate {
            Some(path) => peers::first_name(&files::certificates(path).await?).map(Some),
            None => Ok(None),
        }
    }

    /// Whose certificates make a peer.
    ///
    /// # Errors
    /// When a name is not one of DNS.
    pub fn peers(&self) -> Result<Peers, TlsError> {
        Peers::new(&self.tls_peers)
    }

    fn identity(&self) -> Option<Identity> {
        Some(Identity {
            certificate: self.tls_certificate.clone()?,
            key: self.tls_key.clone()?,
        })
    }
}

/// The files of a certificate and its key.
#[derive(Clone, Debug)]
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// A file does not hold what it should, in PEM.
    #[error("{path} holds no {what} in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The authorities of the system cannot be read.
    #[error("the authorities of the system cannot be read")]
    System(#[source] io::Error),
    /// Certificate, key or authorities do not go together.
    #[error("certificate, key or authorities are refused")]
    Refused(#[from] rustls::Error),
    /// No authority among them can verify clients.
    #[error("authorities are refused")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
    /// Not a certificate.
    #[error("the certificate cannot be understood")]
    Unreadable(#[source] webpki::Error),
    /// Nobody can verify it: no name, or not a certificate.
    #[error("the certificate of the service has no DNS name")]
    Nameless,
    /// Not a DNS name.
    #[error("{0} is not a DNS name")]
    Name(String),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Certificates are valid by the clock of the service.
struct Now(Arc<dyn Clock>);

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Now")
    }
}

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            seconds,
        )))
    }
}

#[cfg(test)]
mod tests;
