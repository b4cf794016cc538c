//! Reading certificates, keys and authorities.

use std::path::Path;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{fs::File, io::AsyncReadExt as _};

use super::{Identity, TlsError};

/// Largest file that is read, in bytes: more than the authorities of an operating system.
const MAX_BYTES: u64 = 1024 * 1024;

/// The certificate with its chain, and its key.
pub(super) async fn identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificates(&identity.certificate).await?;
    let key = read(&identity.key).await?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| pem(&identity.key, "key"))?;
    Ok((chain, key))
}

/// The authorities of a file.
pub(super) async fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    store(certificates(path).await?)
}

/// These certificates, as authorities.
pub(super) fn store(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The certificates of a file: one at least.
pub(super) async fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path).await?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| pem(path, "certificate"))
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = async {
        let mut bytes = Vec::new();
        let file = File::open(path).await?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    read.await.map_err(|cause| TlsError::File {
        path: path.into(),
        cause,
    })
}

fn pem(path: &Path, what: &'static str) -> TlsError {
    TlsError::Pem {
        path: path.into(),
        what,
    }
}
