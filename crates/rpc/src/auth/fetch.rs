//! Asking the issuer, within limits.

use std::{error::Error, path::Path, time::Duration};

use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::Connect, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{fs::File, io::AsyncReadExt as _, time::timeout};
use tonic::body::Body;

use super::{JwksError, JwksSource, discovery};

/// Largest answer that is read, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Longest wait for what is asked for, metadata included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the issuer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address gives no answer.
    #[error("the address cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The address answers something else than success; redirections are not followed.
    #[error("the address answers {0}")]
    HttpStatus(StatusCode),
    /// No complete answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Larger than any honest answer.
    #[error("the answer is too large")]
    TooLarge,
}

/// The bytes of the key set.
pub(super) async fn keys(source: &JwksSource) -> Result<Vec<u8>, JwksError> {
    let read = async {
        match source {
            JwksSource::File(path) => file(path).await,
            JwksSource::Url(url) => Ok(get(url.clone()).await?),
            JwksSource::Issuer(issuer) => {
                let metadata = discovery::read(issuer).await?;
                Ok(get(metadata.jwks_uri).await?)
            }
        }
    };
    within_the_limit(read).await
}

/// The answer of some steps together, in time.
pub(super) async fn within_the_limit<T, E: From<FetchError>>(
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(FETCH_TIMEOUT, asking)
        .await
        .unwrap_or_else(|_| Err(FetchError::Timeout.into()))
}

async fn file(path: &Path) -> Result<Vec<u8>, JwksError> {
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(JwksError::File)?;
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(JwksError::File)?;
    if bytes.len() > MAX_BYTES {
        return Err(FetchError::TooLarge.into());
    }
    Ok(bytes)
}

/// What an address answers to GET.
pub(super) async fn get(url: Uri) -> Result<Vec<u8>, FetchError> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = url;
    send(request).await
}

/// What an address answers to a request, under TLS when its scheme is https. Redirections are not followed: the address is
/// configuration, or what the issuer itself says; nobody else's choice.
pub(super) async fn send(request: Request<Body>) -> Result<Vec<u8>, FetchError> {
    if request.uri().scheme_str() == Some("https") {
        // A client each time: it is used too rarely to keep a connection for.
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| FetchError::Unreachable(error.into()))?
            .https_only()
            .enable_http1()
            .build();
        send_by(connector, request).await
    } else {
        send_by(HttpConnector::new(), request).await
    }
}

async fn send_by<C>(connector: C, request: Request<Body>) -> Result<Vec<u8>, FetchError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client: Client<C, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let response = client
        .request(request)
        .await
        .map_err(|error| FetchError::Unreachable(error.into()))?;
    if !response.status().is_success() {
        return Err(FetchError::HttpStatus(response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_BYTES);
    let body = body.collect().await.map_err(too_large_or_broken)?;
    Ok(body.to_bytes().into())
}

fn too_large_or_broken(error: Box<dyn Error + Send + Sync>) -> FetchError {
    if error.is::<LengthLimitError>() {
        FetchError::TooLarge
    } else {
        FetchError::Unreachable(error)
    }
}
