//! Tokens for machines: a client's id and secret against an access token (RFC 6749 §4.4), kept and renewed in time.

use std::{error::Error, io, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::{fs::File, io::AsyncReadExt as _, sync::Mutex, time::Instant};
use tonic::body::Body;

use super::{
    TokenError,
    discovery::{self, DiscoveryError},
    fetch::{self, FetchError},
    peer,
};

/// Longest secret, in bytes.
const MAX_SECRET: u64 = 1024;
/// Life of a token whose issuer does not tell it.
const UNTOLD_LIFE: Duration = Duration::from_secs(60);
/// Longest life that is believed: a token is asked for again at three quarters of it.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Pause after the issuer gave none, while the earlier token is still good.
const PAUSE: Duration = Duration::from_secs(5);

/// A machine as its issuer knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineClient {
    /// The issuer: exactly the claim `iss` of its tokens. Its metadata say where tokens are asked for.
    pub issuer: String,
    /// Id of the client.
    pub id: String,
    /// File of its secret; read again each time, so that it can be changed.
    pub secret_file: PathBuf,
}

/// Why a machine has no token.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of the secret cannot be read.
    #[error("the file of the client's secret cannot be read")]
    Secret(#[from] io::Error),
    /// The secret is empty or too long.
    #[error("the file of the client's secret holds no secret")]
    NoSecret,
    /// The issuer's metadata cannot be had.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The issuer gives no tokens to machines.
    #[error("the issuer's metadata name no address for tokens")]
    NoTokenEndpoint,
    /// The issuer refused, or was not reached.
    #[error("the issuer's address for tokens: {0}")]
    Fetch(#[from] FetchError),
    /// What came back is no token.
    #[error("the issuer's answer is no access token")]
    Format,
}

/// The token of a machine, as long as it is good.
pub(super) struct ClientToken {
    client: MachineClient,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: HeaderValue,
    renew: Instant,
    end: Instant,
}

/// A successful answer (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    token_type: String,
    expires_in: Option<u64>,
}

impl ClientToken {
    pub(super) fn new(client: MachineClient) -> Self {
        Self {
            client,
            held: Mutex::new(None),
        }
    }

    /// The token in hand; another one at three quarters of its life. Who comes while it is asked for waits for it.
    pub(super) async fn bearer(&self) -> Result<HeaderValue, TokenError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.renew) {
            return Ok(held.token.clone());
        }
        let error = match self.ask().await {
            Ok(new) => return Ok(held.insert(new).token.clone()),
            Err(error) => error,
        };
        match held.as_mut().filter(|held| Instant::now() < held.end) {
            Some(earlier) => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "no new token from the issuer: the earlier one is still good"
                );
                earlier.renew = Instant::now() + PAUSE;
                Ok(earlier.token.clone())
            }
            None => Err(error),
        }
    }

    async fn ask(&self) -> Result<Held, TokenError> {
        let secret = self.secret().await.map_err(TokenError::Issuer)?;
        let asked = Instant::now();
        let asking = async {
            let metadata = discovery::read(&self.client.issuer).await?;
            let endpoint = metadata
                .token_endpoint
                .ok_or(ClientError::NoTokenEndpoint)?;
            let mut request = Request::new(Body::new("grant_type=client_credentials".to_owned()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = endpoint;
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, self.basic(&secret)?);
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
            let json = fetch::send(request).await?;
            // What serde says of a wrong value may quote it.
            serde_json::from_slice::<Answer>(&json).map_err(|_| ClientError::Format)
        };
        let answer: Answer = fetch::within_the_limit(asking).await?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(ClientError::Format.into());
        }
        let life = answer
            .expires_in
            .map_or(UNTOLD_LIFE, Duration::from_secs)
            .min(LONGEST_LIFE);
        Ok(Held {
            token: peer::bearer(answer.access_token.expose_secret())?,
            renew: asked + life * 3 / 4,
            end: asked + life,
        })
    }

    async fn secret(&self) -> Result<SecretString, ClientError> {
        let mut text = String::new();
        let file = File::open(&self.client.secret_file).await?;
        file.take(MAX_SECRET + 1).read_to_string(&mut text).await?;
        let secret = text.trim();
        if secret.is_empty() || text.len() as u64 > MAX_SECRET {
            return Err(ClientError::NoSecret);
        }
        Ok(SecretString::from(secret.to_owned()))
    }

    /// HTTP Basic, both halves encoded as a form would (RFC 6749 §2.3.1).
    fn basic(&self, secret: &SecretString) -> Result<HeaderValue, ClientError> {
        let encoded =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = format!(
            "{}:{}",
            encoded(&self.client.id),
            encoded(secret.expose_secret())
        );
        let value = format!("Basic {}", STANDARD.encode(pair));
        let mut value = HeaderValue::try_from(value).map_err(|_| ClientError::NoSecret)?;
        value.set_sensitive(true);
        Ok(value)
    }
}
