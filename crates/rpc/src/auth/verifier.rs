//! From a token to a caller.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use nonrecours_kernel::{Caller, Clock};
use serde::{Deserialize, de::DeserializeOwned};
use time::Duration;

use super::{
    AuthConfig, AuthError, MAX_TOKEN_BYTES,
    claims::Claims,
    jwks::{Jwks, JwksError},
};

/// How far the issuer's clock may be from ours.
pub const LEEWAY: Duration = Duration::seconds(60);

/// Verifies access tokens against the public keys of one issuer. Clones share the keys.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    audience: String,
    keys: Arc<Jwks>,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Loads the issuer's keys, with a bounded number of attempts: at start the issuer may be slower than we are.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn new(config: AuthConfig, clock: Arc<dyn Clock>) -> Result<Self, JwksError> {
        let keys = Jwks::load(config.jwks, Arc::clone(&clock)).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                issuer: config.issuer,
                audience: config.audience,
                keys,
                clock,
            }),
        })
    }

    /// The caller whom a compact JWS speaks for.
    ///
    /// Signature first, claims after: nobody learns anything from claims they could not have signed. The algorithm is
    /// that of the key, EdDSA, ES256 or RS256; the header only has to agree.
    pub async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Malformed("too long"));
        }
        let (message, signature) = split(token)?;
        let (header, payload) = split(message)?;
        if header.contains('.') {
            return Err(AuthError::Malformed("not three parts"));
        }
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: an extension that must be understood, and we understand none.
            return Err(AuthError::Malformed("critical extension"));
        }
        let algorithm = match header.alg.as_str() {
            "EdDSA" => Algorithm::EdDSA,
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            _ => return Err(AuthError::AlgorithmRefused),
        };
        let kid = header.kid.ok_or(AuthError::UnknownKey)?;
        let inner = &*self.inner;
        let key = inner.keys.key(&kid).await.ok_or(AuthError::UnknownKey)?;
        if key.algorithm != algorithm {
            return Err(AuthError::AlgorithmRefused);
        }
        match crypto::verify(signature, message.as_bytes(), &key.public, key.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(AuthError::BadSignature),
        }
        let claims: Claims = decode(payload)?;
        claims.check(&inner.issuer, &inner.audience, inner.clock.now())?;
        claims.into_caller()
    }
}

/// The JOSE header (RFC 7515 §4.1), as far as it is read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

fn split(text: &str) -> Result<(&str, &str), AuthError> {
    text.rsplit_once('.')
        .ok_or(AuthError::Malformed("not three parts"))
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, AuthError> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| AuthError::Malformed("not base64url"))?;
    serde_json::from_slice(&json).map_err(|_| AuthError::Malformed("not the expected JSON"))
}
