//! Authentication: who is calling, by a signed access token (JWT, RFC 7519), and which roles an rpc asks for.
//!
//! A [`Verifier`] turns a token into a [`Caller`](nonrecours_kernel::Caller); the
//! [access layer](crate::layers::access) does so for every call and compares the caller's roles with the
//! [`access_table`]; a [`TokenSource`] gives the token that this service presents to the others.

mod claims;
mod client;
mod discovery;
mod error;
mod fetch;
mod jwks;
mod keys;
mod mapping;
mod peer;
mod table;
mod verified;
mod verifier;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

pub use client::{ClientError, MachineClient};
pub use discovery::DiscoveryError;
pub use error::AuthError;
pub use fetch::FetchError;
pub use jwks::{JwksError, JwksSource, REFRESH_INTERVAL, REFRESH_MAX_AGE};
pub use mapping::MappingError;
pub use peer::{PeerTokenConfig, TokenError, TokenLayer, TokenSource, WithToken};
pub use table::{access_table, journalled_table};
pub use verifier::{LEEWAY, Verifier, VerifierError};

/// Longest token that is looked at, received or sent, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Whose tokens a service accepts.
#[derive(Clone, Debug, clap::Args)]
pub struct AuthConfig {
    /// Issuer whose tokens are accepted: the exact value of the claim `iss`.
    #[arg(long = "auth-issuer", env = "AUTH_ISSUER", value_parser = NonEmptyStringValueParser::new())]
    pub issuer: String,
    /// Audience a token must name (claim `aud`).
    #[arg(
        long = "auth-audience",
        env = "AUTH_AUDIENCE",
        default_value = "nonrecours",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub audience: String,
    /// Public keys of the issuer, a JWK Set (RFC 7517): an https or http address, or the path of a file. None: where the
    /// issuer's metadata say (OpenID Connect Discovery).
    #[arg(long = "auth-jwks", env = "AUTH_JWKS")]
    pub jwks: Option<JwksSource>,
    /// File that says which claims of a token name the person, the roles and the operator (JSON); read again when it
    /// changes. None: the claims `name`, `roles` and `operator`.
    #[arg(long = "auth-claims", env = "AUTH_CLAIMS_FILE")]
    pub claims: Option<PathBuf>,
}
