//! The server's side.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nonrecours_kernel::{Clock, Digest, Digester};
use rustls::{ServerConfig, server::WebPkiClientVerifier};

use super::{HTTP2, Identity, Now, TlsError, files, provider};
use crate::{
    audit::{Audit, Kind},
    reread::Reread,
};

/// The certificate that a server shows, and the authorities by which it verifies those it is shown. Clones share them.
#[derive(Clone)]
pub struct ServerTls(Arc<Inner>);

struct Inner {
    identity: Identity,
    authorities: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    audit: Audit,
    made: Reread<Arc<ServerConfig>>,
    /// What it was last made from.
    seen: Mutex<Option<Seen>>,
}

/// What a change of the files is told by: digests of the certificate itself, as everybody can compute it, and of the authorities,
/// one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    certificate: Digest,
    authorities: Option<Digest>,
}

impl ServerTls {
    pub(super) fn new(
        identity: Identity,
        authorities: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        audit: Audit,
        interval: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            identity,
            authorities,
            clock,
            audit,
            made: Reread::new("certificate of the server", interval),
            seen: Mutex::default(),
        }))
    }

    pub(super) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// What a new connection is accepted with.
    pub(super) async fn current(&self) -> Result<Arc<ServerConfig>, TlsError> {
        self.0.made.get(|| self.0.make()).await
    }
}

impl Inner {
    async fn make(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = files::identity(&self.identity).await?;
        let mut seen = Seen {
            certificate: Digest::of(chain.first().map_or(&[], |certificate| certificate)),
            authorities: None,
        };
        let builder =
            ServerConfig::builder_with_details(provider(), Arc::new(Now(Arc::clone(&self.clock))))
                .with_safe_default_protocol_versions()?;
        let builder = match &self.authorities {
            Some(path) => {
                let roots = files::certificates(path).await?;
                let mut digester = Digester::default();
                for root in &roots {
                    digester.update(root);
                }
                seen.authorities = Some(digester.finish());
                let roots = Arc::new(files::store(roots)?);
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
        self.note(seen);
        Ok(Arc::new(config))
    }

    /// Notes what is not as it was. What a process starts with is no change.
    fn note(&self, seen: Seen) {
        // Replaced whole: a panic elsewhere cannot have spoilt it.
        let before = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(seen);
        let Some(before) = before else { return };
        let note = |what: &str, digest: Digest| {
            tracing::info!(%digest, "another {what} from now on");
            let cause = format!("{what} {digest}");
            self.audit.note(Kind::CertificateChanged, cause, "", "");
        };
        if seen.certificate != before.certificate {
            note("certificate", seen.certificate);
        }
        if let Some(authorities) = seen.authorities
            && seen.authorities != before.authorities
        {
            note("authorities", authorities);
        }
    }
}
