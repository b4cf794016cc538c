//! From a token to a caller.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use nonrecours_kernel::{Caller, Clock};
use serde::{Deserialize, de::DeserializeOwned};
use time::Duration;

use super::{
    AuthConfig, AuthError, MAX_TOKEN_BYTES,
    claims::Claims,
    jwks::{self, Jwks, JwksError, JwksSource},
    mapping::{self, MappingError},
    verified::Verified,
};
use crate::audit::Audit;

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
    mapping: mapping::Source,
    verified: Verified,
    clock: Arc<dyn Clock>,
    audit: Audit,
}

/// Why tokens cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// No keys of the issuer.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// The file that says what the claims mean cannot be used.
    #[error(transparent)]
    Claims(#[from] MappingError),
}

impl AuthConfig {
    /// Where the issuer's keys are: as set, else as its metadata say.
    fn source(&self) -> JwksSource {
        let issuer = || JwksSource::Issuer(self.issuer.clone());
        self.jwks.clone().unwrap_or_else(issuer)
    }

    /// Reads once what a verifier needs, and tells how many keys the issuer has.
    ///
    /// # Errors
    /// As [`Verifier::new`], at the first attempt.
    pub async fn probe(&self) -> Result<usize, VerifierError> {
        mapping::Source::new(self.claims.clone()).get().await?;
        Ok(jwks::read(&self.source()).await?.len())
    }
}

impl Verifier {
    /// Loads the issuer's keys, with a bounded number of attempts: at start the issuer may be slower than we are.
    ///
    /// # Errors
    /// That of the last attempt; that of the file of the claims at once.
    pub async fn new(config: AuthConfig, clock: Arc<dyn Clock>) -> Result<Self, VerifierError> {
        let mapping = mapping::Source::new(config.claims.clone());
        mapping.get().await?;
        let audit = Audit::new(Arc::clone(&clock));
        let keys = Jwks::load(config.source(), Arc::clone(&clock), audit.clone()).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                issuer: config.issuer,
                audience: config.audience,
                keys,
                mapping,
                verified: Verified::new(),
                clock,
                audit,
            }),
        })
    }

    /// Where refusals are noted.
    pub fn audit(&self) -> &Audit {
        &self.inner.audit
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
        inner.verified.check(token, message, signature, &key)?;
        let claims: Claims = decode(payload)?;
        claims.check(&inner.issuer, &inner.audience, inner.clock.now())?;
        let mapping = inner.mapping.get().await;
        // Read once at the start: what is wrong with the file since leaves that in use.
        let mapping = mapping.map_err(|_| AuthError::Malformed("no mapping of claims"))?;
        claims.into_caller(&mapping)
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
