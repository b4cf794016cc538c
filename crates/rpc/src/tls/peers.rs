//! Which service a certificate speaks for.

use std::{collections::BTreeMap, sync::Arc};

use http::Extensions;
use nonrecours_kernel::{Caller, Role};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::TlsError;
use crate::connections::Connection;

/// The names of the other services in their certificates. Empty: services are known by their tokens.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<BTreeMap<String, ServerName<'static>>>);

impl Peers {
    pub(super) fn new(names: &[String]) -> Result<Self, TlsError> {
        let name = |name: &String| {
            let parsed = ServerName::try_from(name.clone());
            match parsed {
                Ok(dns @ ServerName::DnsName(_)) => Ok((name.clone(), dns)),
                Ok(_) | Err(_) => Err(TlsError::Name(name.clone())),
            }
        };
        let names = names.iter().map(name).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(names)))
    }

    /// Whether certificates, and no token, make a peer.
    pub(crate) fn by_certificate(&self) -> bool {
        !self.0.is_empty()
    }

    /// The peer whose certificate the connection of a request showed; the handshake has verified it.
    pub(crate) fn caller(&self, connection: &Extensions) -> Option<Caller> {
        let shown = connection.get::<Connection>()?.certificates()?;
        let certificate = EndEntityCert::try_from(shown.first()?).ok()?;
        let (name, _) = self
            .0
            .iter()
            .find(|(_, name)| certificate.verify_is_valid_for_subject_name(name).is_ok())?;
        Caller::new(
            format!("service:{name}"),
            name.clone(),
            [Role::PeerService],
            None,
        )
        .ok()
    }
}

/// A name that a chain's own certificate is valid for.
pub(super) fn first_name(chain: &[CertificateDer<'_>]) -> Result<String, TlsError> {
    let own = chain.first().ok_or(TlsError::Nameless)?;
    let certificate = EndEntityCert::try_from(own).map_err(|_| TlsError::Nameless)?;
    let mut names = certificate.valid_dns_names();
    names
        .find(|name| !name.starts_with('*'))
        .map(str::to_owned)
        .ok_or(TlsError::Nameless)
}
