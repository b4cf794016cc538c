//! What an issuer says of itself (OpenID Connect Discovery 1.0 §4, RFC 8414).

use http::{Uri, uri::InvalidUri};
use serde::Deserialize;

use super::fetch::{self, FetchError};

/// Where the metadata of an issuer are, under its own address.
const PATH: &str = "/.well-known/openid-configuration";

/// Why an issuer's metadata are not used.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer's identifier is not an address.
    #[error("the issuer is not an http or https address: its metadata have no place")]
    NoAddress,
    /// They could not be fetched.
    #[error("the issuer's metadata: {0}")]
    Fetch(#[from] FetchError),
    /// They are not what the standard says.
    #[error("the issuer's metadata are not as expected")]
    Format(#[source] serde_json::Error),
    /// They are those of another issuer (§4.3: the two must be identical).
    #[error("the metadata are those of another issuer: {0}")]
    OtherIssuer(String),
    /// An address in them is none.
    #[error("the issuer's metadata: {0}")]
    Address(#[from] InvalidUri),
    /// The issuer is reached under TLS, and an address in its metadata would not be.
    #[error("the issuer's metadata lead out of TLS: {0}")]
    WithoutTls(Uri),
}

/// The addresses of an issuer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Its keys.
    pub(super) jwks_uri: Uri,
    /// Where clients get their tokens, if it tells.
    pub(super) token_endpoint: Option<Uri>,
}

/// Asks an issuer by its identifier.
pub(super) async fn read(issuer: &str) -> Result<Metadata, DiscoveryError> {
    if !is_address(issuer) {
        return Err(DiscoveryError::NoAddress);
    }
    let address = format!("{}{PATH}", issuer.trim_end_matches('/'));
    parse(issuer, &fetch::get(address.parse()?).await?)
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    token_endpoint: Option<String>,
}

fn parse(issuer: &str, json: &[u8]) -> Result<Metadata, DiscoveryError> {
    let document: Document = serde_json::from_slice(json).map_err(DiscoveryError::Format)?;
    if document.issuer != issuer {
        return Err(DiscoveryError::OtherIssuer(document.issuer));
    }
    let address = |text: &str| {
        let uri: Uri = text.parse()?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if issuer.starts_with("http://") => Ok(uri),
            _ => Err(DiscoveryError::WithoutTls(uri)),
        }
    };
    Ok(Metadata {
        jwks_uri: address(&document.jwks_uri)?,
        token_endpoint: document
            .token_endpoint
            .as_deref()
            .map(address)
            .transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, document: &str) -> Result<Metadata, String> {
        parse(issuer, document.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn metadata_are_those_of_the_issuer_and_stay_under_tls() {
        let issuer = "https://id.test/realms/nr";
        let of = |issuer: &str, keys: &str, tokens: &str| {
            format!(
                r#"{{"issuer":"{issuer}","jwks_uri":"{keys}","token_endpoint":"{tokens}","other":1}}"#
            )
        };
        let good = of(issuer, "https://id.test/keys", "https://id.test/token");
        let metadata = read(issuer, &good).unwrap();
        assert_eq!(metadata.jwks_uri, "https://id.test/keys");
        assert_eq!(metadata.token_endpoint.unwrap(), "https://id.test/token");
        for (document, said) in [
            (
                of("https://id.test", "https://id.test/k", "https://id.test/t"),
                "another issuer",
            ),
            (
                of(issuer, "http://id.test/k", "https://id.test/t"),
                "out of TLS",
            ),
            (
                of(issuer, "https://id.test/k", "http://id.test/t"),
                "out of TLS",
            ),
            (of(issuer, "/k", "https://id.test/t"), "out of TLS"),
            (of(issuer, "", "https://id.test/t"), "empty string"),
            ("[]".to_owned(), "not as expected"),
        ] {
            let refused = read(issuer, &document).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        let plain = of(
            "http://127.0.0.1:1",
            "http://127.0.0.1:1/k",
            "http://127.0.0.1:1/t",
        );
        assert!(read("http://127.0.0.1:1", &plain).is_ok());
    }

    #[tokio::test]
    async fn an_issuer_that_is_no_address_has_no_metadata() {
        let refused = super::read("nonrecours").await;
        assert!(matches!(refused, Err(DiscoveryError::NoAddress)));
    }
}
