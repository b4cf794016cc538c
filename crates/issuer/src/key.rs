//! A signing key, made from the system's randomness.

use std::{fs, io, path::Path};

use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use rand::{TryRngCore as _, rngs::OsRng};
use serde_json::Value;

use crate::{IssuerError, SECRET, write_whole};

/// PKCS#8 of an Ed25519 private key, up to its 32 secret bytes (RFC 8410 §7).
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// PKCS#8 of a P-256 private key without its public half, up to its 32 secret bytes (RFC 5915, RFC 5480).
const P256_PKCS8: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// Kind of key, which settles the algorithm of the signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Ed25519: `EdDSA` (RFC 8037).
    Ed25519,
    /// NIST P-256: `ES256` (RFC 7518 §3.4).
    P256,
}

impl Signing {
    pub(crate) const fn algorithm(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::EdDSA,
            Self::P256 => Algorithm::ES256,
        }
    }
}

pub(crate) struct Key {
    pub(crate) signing: Signing,
    pub(crate) private: EncodingKey,
    pub(crate) kid: String,
}

impl Key {
    pub(crate) fn generate(signing: Signing) -> Result<Self, IssuerError> {
        Self::of(signing, random()?)
    }

    /// The Ed25519 key of a file of its 32 secret bytes; a fresh one, written there, when there is no such file.
    pub(crate) fn kept(path: &Path) -> Result<Self, IssuerError> {
        let secret = match fs::read(path) {
            Ok(bytes) => bytes
                .try_into()
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = random()?;
                write_whole(path, &secret, SECRET)?;
                secret
            }
            Err(error) => return Err(error.into()),
        };
        Self::of(Signing::Ed25519, secret)
    }

    fn of(signing: Signing, secret: [u8; 32]) -> Result<Self, IssuerError> {
        let private = match signing {
            Signing::Ed25519 => {
                EncodingKey::from_ed_der(&[ED25519_PKCS8.as_slice(), &secret].concat())
            }
            // Not every 32 bytes are a P-256 key: one draw in 2^32 is refused just below.
            Signing::P256 => EncodingKey::from_ec_der(&[P256_PKCS8.as_slice(), &secret].concat()),
        };
        let jwk = Jwk::from_encoding_key(&private, signing.algorithm())?;
        Ok(Self {
            signing,
            private,
            kid: jwk.thumbprint(ThumbprintHash::SHA256)?,
        })
    }

    /// The public half as a JWK (RFC 7517).
    pub(crate) fn public(&self) -> Result<Value, IssuerError> {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.signing.algorithm())?;
        jwk.common.key_id = Some(self.kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(serde_json::to_value(jwk)?)
    }
}

/// A secret key must not be reproducible: this is no place for the seeded source of identifiers.
fn random() -> Result<[u8; 32], IssuerError> {
    let mut secret = [0; 32];
    OsRng
        .try_fill_bytes(&mut secret)
        .map_err(IssuerError::Randomness)?;
    Ok(secret)
}
