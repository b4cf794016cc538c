//! The development issuer: signs access tokens with a key made at start, and publishes the public half.
//!
//! It stands in for the territory's identity provider where there is none: `nonrecours up`, the demonstration and
//! the tests. It asks nobody for a password, so it never runs beside real data. The key lives in memory only, and a
//! restart makes every earlier token worthless, unless it is kept in a file.
//!
//! The development authority does the same for certificates.

mod authority;
mod clients;
mod key;
mod server;

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use jsonwebtoken::{Header, encode};
use nonrecours_kernel::{Clock, OperatorId, Role};
use serde_json::{Value, json};
use time::Duration;

pub use authority::DevAuthority;
pub use clients::Machine;
pub use key::Signing;

use key::Key;

/// Life of a token when nothing else is asked for.
pub const DEFAULT_TTL: Duration = Duration::hours(1);

/// Path of the issuer's metadata (RFC 8414, OpenID Connect Discovery).
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Path of the public keys (RFC 7517).
pub const JWKS_PATH: &str = "/jwks.json";

/// Path of the page that gives tokens: by GET to anybody, `?role=…`, with `&operator=<id>` for the roles of an operator, and
/// `&subject=…`; by POST to a machine for its secret (`grant_type=client_credentials`).
pub const TOKEN_PATH: &str = "/token";

/// Why the issuer could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    Randomness(#[source] rand::rand_core::OsError),
    /// The signature library refused the key or the claims.
    #[error("the token cannot be signed")]
    Signature(#[from] jsonwebtoken::errors::Error),
    /// The certificate cannot be made.
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The public keys cannot be put into JSON.
    #[error("the public keys cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A file cannot be written.
    #[error("a file of the issuer cannot be written")]
    File(#[from] io::Error),
}

/// What a token says of its bearer.
#[derive(Clone, Debug)]
pub struct TokenSpec {
    /// Stable identifier of the person or service: claim `sub`.
    pub subject: String,
    /// Name shown in histories: claim `name`; absent when none.
    pub name: Option<String>,
    /// Claim `roles`.
    pub roles: Vec<Role>,
    /// Claim `operator`, for the people of an operator.
    pub operator: Option<OperatorId>,
    /// Time until the token expires, from the issuer's clock.
    pub ttl: Duration,
}

impl TokenSpec {
    /// A token of [`DEFAULT_TTL`] with these roles, no name and no operator.
    pub fn new(subject: impl Into<String>, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            subject: subject.into(),
            name: None,
            roles: roles.into_iter().collect(),
            operator: None,
            ttl: DEFAULT_TTL,
        }
    }
}

/// An issuer with one key of its own.
pub struct DevIssuer {
    url: String,
    audience: String,
    clock: Arc<dyn Clock>,
    key: Key,
    machines: Vec<Machine>,
}

impl DevIssuer {
    /// An issuer with a fresh Ed25519 key. `url` is the claim `iss` of its tokens and the base of its addresses.
    pub fn generate(
        url: impl Into<String>,
        audience: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        Self::generate_with(Signing::Ed25519, url, audience, clock)
    }

    /// An issuer with a fresh key of the given kind.
    pub fn generate_with(
        signing: Signing,
        url: impl Into<String>,
        audience: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        Ok(Self {
            url: url.into().trim_end_matches('/').to_owned(),
            audience: audience.into(),
            clock,
            key: Key::generate(signing)?,
            machines: Vec::new(),
        })
    }

    /// An issuer whose key is kept in this file, made when it is not there: a restart changes nothing for anybody.
    pub fn kept(
        path: &Path,
        url: impl Into<String>,
        audience: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerError> {
        Ok(Self {
            url: url.into().trim_end_matches('/').to_owned(),
            audience: audience.into(),
            clock,
            key: Key::kept(path)?,
            machines: Vec::new(),
        })
    }

    /// Gives the key another identifier than its thumbprint: that of another issuer's key, to play an impostor.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.key.kid = kid.into();
        self
    }

    /// Knows these machines, and gives them tokens for their secrets.
    #[must_use]
    pub fn with_machines(mut self, machines: Vec<Machine>) -> Self {
        self.machines = machines;
        self
    }

    /// Identifier of the key: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.key.kid
    }

    /// Claim `iss` of the tokens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A signed access token, valid from the issuer's present.
    pub fn token(&self, spec: &TokenSpec) -> Result<String, IssuerError> {
        let now = self.clock.now();
        let roles: Vec<&str> = spec.roles.iter().map(|role| role.as_str()).collect();
        let mut claims = json!({
            "iss": self.url,
            "aud": self.audience,
            "sub": spec.subject,
            "roles": roles,
            "iat": now.unix_timestamp(),
            "nbf": now.unix_timestamp(),
            "exp": (now + spec.ttl).unix_timestamp(),
        });
        if let Some(name) = &spec.name {
            claims["name"] = json!(name);
        }
        if let Some(operator) = spec.operator {
            claims["operator"] = json!(operator.to_string());
        }
        self.token_with_claims(&claims)
    }

    /// Signs any claims, sensible or not.
    pub fn token_with_claims(&self, claims: &Value) -> Result<String, IssuerError> {
        let mut header = Header::new(self.key.signing.algorithm());
        header.kid = Some(self.key.kid.clone());
        Ok(encode(&header, claims, &self.key.private)?)
    }

    /// The public keys as a JWK Set (RFC 7517).
    pub fn jwks(&self) -> Result<Value, IssuerError> {
        Ok(json!({ "keys": [self.key.public()?] }))
    }

    /// Writes the public keys to a file, at once for whoever reads it: never half a set.
    pub fn write_jwks(&self, path: &Path) -> Result<(), IssuerError> {
        let keys = serde_json::to_vec_pretty(&self.jwks()?)?;
        Ok(write_whole(path, &keys, PUBLIC)?)
    }
}

/// Mode of a file for everybody, and of one for its owner.
const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;

/// Writes a file at once for whoever reads it.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&partial)?;
    file.write_all(bytes)?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
    use nonrecours_kernel::ManualClock;
    use time::macros::datetime;

    use super::*;

    fn issuer(signing: Signing) -> DevIssuer {
        let clock = Arc::new(ManualClock::at(datetime!(2025-10-06 08:00 UTC)));
        DevIssuer::generate_with(signing, "http://127.0.0.1:1/", "nonrecours", clock).unwrap()
    }

    fn claims(issuer: &DevIssuer, token: &str, algorithm: Algorithm) -> Value {
        let set: JwkSet = serde_json::from_value(issuer.jwks().unwrap()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_audience(&["nonrecours"]);
        let key = DecodingKey::from_jwk(set.find(issuer.kid()).unwrap()).unwrap();
        decode::<Value>(token, &key, &validation).unwrap().claims
    }

    #[test]
    fn a_token_says_what_was_asked_and_is_signed_by_the_published_key() {
        for (signing, algorithm) in [
            (Signing::Ed25519, Algorithm::EdDSA),
            (Signing::P256, Algorithm::ES256),
        ] {
            let issuer = issuer(signing);
            let operator = "0199b4f2-0d00-7000-8000-000000000001";
            let token = issuer
                .token(&TokenSpec {
                    name: Some("Camille Martin".to_owned()),
                    operator: Some(operator.parse().unwrap()),
                    ttl: Duration::minutes(5),
                    ..TokenSpec::new("camille", [Role::OperatorAgent])
                })
                .unwrap();
            let now = datetime!(2025-10-06 08:00 UTC).unix_timestamp();
            assert_eq!(
                claims(&issuer, &token, algorithm),
                json!({
                    "iss": "http://127.0.0.1:1",
                    "aud": "nonrecours",
                    "sub": "camille",
                    "name": "Camille Martin",
                    "roles": ["operator_agent"],
                    "operator": operator,
                    "iat": now,
                    "nbf": now,
                    "exp": now + 300,
                })
            );
        }
    }

    #[test]
    fn two_issuers_have_two_keys_and_publish_no_private_half() {
        let (one, other) = (issuer(Signing::P256), issuer(Signing::P256));
        assert_ne!(one.kid(), other.kid());
        let jwks = one.jwks().unwrap();
        assert_eq!(jwks["keys"][0]["use"], "sig");
        assert_eq!(jwks["keys"][0]["kid"], one.kid());
        assert!(jwks["keys"][0].get("d").is_none());
    }

    #[test]
    fn the_file_holds_the_published_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        let issuer = issuer(Signing::Ed25519);
        issuer.write_jwks(&path).unwrap();
        let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(written, issuer.jwks().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn kept_keys_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(nonrecours_kernel::SystemClock);
        let (key, authority) = (folder.path().join("issuer.key"), folder.path().join("ca"));
        let kept = || {
            let issuer = DevIssuer::kept(&key, "https://i.test", "a", Arc::clone(&clock)).unwrap();
            DevAuthority::kept(&authority, Arc::clone(&clock)).unwrap();
            (
                issuer.kid().to_owned(),
                fs::read_to_string(&authority).unwrap(),
            )
        };
        assert_eq!(kept(), kept());
        for file in [&key, &authority] {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
            fs::write(file, "half").unwrap();
        }
        assert!(DevIssuer::kept(&key, "https://i.test", "a", Arc::clone(&clock)).is_err());
        assert!(DevAuthority::kept(&authority, clock).is_err());
    }
}
