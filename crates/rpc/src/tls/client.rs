//! The client's side.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use http::Uri;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::rt::TokioIo;
use nonrecours_kernel::{Clock, SystemClock};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{HTTP2, Identity, Now, TlsError, files, provider};
use crate::reread::{REREAD_INTERVAL, Reread};

/// Where an address without a port leads.
const HTTPS_PORT: u16 = 443;

/// How the other side is verified, and the certificate shown to it. Clones share them. By default: the authorities of
/// the system, no certificate.
#[derive(Clone)]
pub struct ClientTls(Arc<Inner>);

struct Inner {
    identity: Option<Identity>,
    authorities: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    made: Reread<Arc<ClientConfig>>,
}

impl Default for ClientTls {
    fn default() -> Self {
        Self::trusting(None)
    }
}

impl ClientTls {
    /// Verifies by the authorities of a file (PEM), or by those of the system; shows no certificate.
    pub fn trusting(authorities: Option<PathBuf>) -> Self {
        Self::new(None, authorities, Arc::new(SystemClock))
    }

    pub(super) fn new(
        identity: Option<Identity>,
        authorities: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            identity,
            authorities,
            clock,
            made: Reread::new("certificates of the client", REREAD_INTERVAL),
        }))
    }

    /// What a new connection is opened with.
    pub(super) async fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.0.made.get(|| self.0.make()).await
    }

    /// Opens a connection to the host of an address, or to where it is, verified by the name of the host.
    pub(crate) async fn connect(
        &self,
        address: &Uri,
        at: Option<SocketAddr>,
    ) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let host = address.host().unwrap_or_default();
        // An address of IPv6 stands between brackets in a URL only.
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = self.current().await.map_err(io::Error::other)?;
        let tcp = match at {
            Some(at) => TcpStream::connect(at).await?,
            None => TcpStream::connect((host, address.port_u16().unwrap_or(HTTPS_PORT))).await?,
        };
        tcp.set_nodelay(true)?;
        let tls = TlsConnector::from(config).connect(name, tcp).await?;
        Ok(TokioIo::new(tls))
    }
}

impl Inner {
    async fn make(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let builder =
            ClientConfig::builder_with_details(provider(), Arc::new(Now(Arc::clone(&self.clock))))
                .with_safe_default_protocol_versions()?;
        let builder = match &self.authorities {
            Some(path) => builder.with_root_certificates(files::authorities(path).await?),
            None => builder.with_native_roots().map_err(TlsError::System)?,
        };
        let mut config = match &self.identity {
            Some(identity) => {
                let (chain, key) = files::identity(identity).await?;
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Arc::new(config))
    }
}
