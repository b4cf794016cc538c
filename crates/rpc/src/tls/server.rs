//! The server's side.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nonrecours_kernel::Clock;
use rustls::{ServerConfig, server::WebPkiClientVerifier};

use super::{HTTP2, Identity, Now, TlsError, files, provider};
use crate::reread::Reread;

/// The certificate that a server shows, and the authorities by which it verifies those it is shown. Clones share them.
#[derive(Clone)]
pub struct ServerTls(Arc<Inner>);

struct Inner {
    identity: Identity,
    authorities: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    made: Reread<Arc<ServerConfig>>,
}

impl ServerTls {
    pub(super) fn new(
        identity: Identity,
        authorities: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        interval: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            identity,
            authorities,
            clock,
            made: Reread::new("certificate of the server", interval),
        }))
    }

    /// What a new connection is accepted with.
    pub(super) async fn current(&self) -> Result<Arc<ServerConfig>, TlsError> {
        self.0.made.get(|| self.0.make()).await
    }
}

impl Inner {
    async fn make(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = files::identity(&self.identity).await?;
        let builder =
            ServerConfig::builder_with_details(provider(), Arc::new(Now(Arc::clone(&self.clock))))
                .with_safe_default_protocol_versions()?;
        let builder = match &self.authorities {
            Some(path) => {
                let roots = Arc::new(files::authorities(path).await?);
                // People and programs with a token need no certificate; one that is shown must be good.
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .allow_unauthenticated()
                    .build()?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Arc::new(config))
    }
}
