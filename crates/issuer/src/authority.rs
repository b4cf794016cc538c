//! The development authority: signs the certificates by which the services know each other where nobody else does.

use std::{fs, io, path::Path, sync::Arc};

use nonrecours_kernel::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use time::Duration;

use crate::{IssuerError, PUBLIC, SECRET, write_whole};

/// How far the clock of who verifies may be behind ours.
const LEEWAY: Duration = Duration::hours(1);
/// Life of the authority: no certificate of it counts any longer.
const LIFE: Duration = Duration::days(3650);

/// An authority whose key lives in memory only, so that a restart makes every earlier certificate worthless, unless it is kept
/// in a file.
pub struct DevAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    clock: Arc<dyn Clock>,
}

impl DevAuthority {
    /// An authority with a key of its own.
    pub fn generate(clock: Arc<dyn Clock>) -> Result<Self, IssuerError> {
        Self::of(KeyPair::generate()?, clock)
    }

    /// An authority whose key is kept in this file (PEM), made when it is not there: what it signed before a restart goes on
    /// counting.
    pub fn kept(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, IssuerError> {
        let key = match fs::read_to_string(path) {
            Ok(pem) => KeyPair::from_pem(&pem)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_whole(path, key.serialize_pem().as_bytes(), SECRET)?;
                key
            }
            Err(error) => return Err(error.into()),
        };
        Self::of(key, clock)
    }

    fn of(key: KeyPair, clock: Arc<dyn Clock>) -> Result<Self, IssuerError> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "nonrecours development authority");
        params.not_before = clock.now() - LEEWAY;
        params.not_after = clock.now() + LIFE;
        let issuer = CertifiedIssuer::self_signed(params, key)?;
        Ok(Self { issuer, clock })
    }

    /// Writes the authority's certificate, in PEM.
    pub fn write(&self, path: &Path) -> Result<(), IssuerError> {
        Ok(write_whole(path, self.issuer.pem().as_bytes(), PUBLIC)?)
    }

    /// Signs a certificate for DNS names and writes it, `<folder>/<name>.pem` and its key `<name>.key`, in PEM: the key
    /// first, so that who sees a new certificate has its key.
    pub fn sign(
        &self,
        folder: &Path,
        name: &str,
        names: &[&str],
        life: Duration,
    ) -> Result<(), IssuerError> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = self.clock.now() - LEEWAY;
        params.not_after = self.clock.now() + life;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::create_dir_all(folder)?;
        write_whole(
            &folder.join(format!("{name}.key")),
            key.serialize_pem().as_bytes(),
            SECRET,
        )?;
        write_whole(
            &folder.join(format!("{name}.pem")),
            certificate.pem().as_bytes(),
            PUBLIC,
        )?;
        Ok(())
    }
}
