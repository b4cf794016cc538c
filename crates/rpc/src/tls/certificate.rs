//! How long a certificate is good, and who signed it: asked of `webpki`, which verifies, so that no parser of ours is needed.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime},
};
use time::OffsetDateTime;
use webpki::{EndEntityCert, Error, KeyUsage};

use super::{TlsError, provider};

/// A certificate, as far as it says when to renew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// When its life begins.
    pub from: OffsetDateTime,
    /// When it ends.
    pub until: OffsetDateTime,
    /// Whether one of the authorities given has signed it, and it may be shown to others; nothing without authorities.
    pub trusted: Option<bool>,
}

/// An instant after the end of every certificate (RFC 5280 §4.1.2.5: 31 December 9999 is the last that one can name).
const NEVER: u64 = 300_000_000_000;

/// Reads the first certificate of a chain.
pub(super) fn read(
    chain: &[CertificateDer<'_>],
    authorities: Option<&RootCertStore>,
    now: OffsetDateTime,
) -> Result<Certificate, TlsError> {
    let (own, intermediates) = chain.split_first().ok_or(TlsError::Nameless)?;
    let certificate = EndEntityCert::try_from(own).map_err(TlsError::Unreadable)?;
    let verify = |at: u64, anchors: &[_]| {
        let verified = certificate.verify_for_usage(
            provider().signature_verification_algorithms.all,
            anchors,
            intermediates,
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(at)),
            KeyUsage::client_auth(),
            None,
            None,
        );
        verified.map(drop)
    };
    // Verified long before its life, and long after: the refusals say when it begins and ends.
    let from = match verify(0, &[]) {
        Err(Error::CertNotValidYet { not_before, .. }) => instant(not_before),
        Err(Error::CertExpired { .. }) | Ok(()) => Ok(OffsetDateTime::UNIX_EPOCH),
        Err(error) => Err(TlsError::Unreadable(error)),
    }?;
    let until = match verify(NEVER, &[]) {
        Err(Error::CertExpired { not_after, .. }) => instant(not_after),
        Err(error) => Err(TlsError::Unreadable(error)),
        Ok(()) => Err(TlsError::Unreadable(Error::InvalidCertValidity)),
    }?;
    let at = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    Ok(Certificate {
        from,
        until,
        trusted: authorities.map(|authorities| verify(at, &authorities.roots).is_ok()),
    })
}

fn instant(at: UnixTime) -> Result<OffsetDateTime, TlsError> {
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(TlsError::Unreadable(Error::InvalidCertValidity))
}
