//! Reading the key set, from a file or an address, within limits.

use std::{error::Error, path::Path, time::Duration};

use http::Uri;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::Connect, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{fs::File, io::AsyncReadExt as _, time::timeout};
use tonic::body::Body;

use super::{JwksError, JwksSource};

/// Largest key set that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Longest wait for a key set.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The bytes of the key set.
pub(super) async fn read(source: &JwksSource) -> Result<Vec<u8>, JwksError> {
    let read = async {
        match source {
            JwksSource::File(path) => file(path).await,
            JwksSource::Url(url) if url.scheme_str() == Some("https") => {
                // A client each time: it is used too rarely to keep a connection for.
                let connector = HttpsConnectorBuilder::new()
                    .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                    .map_err(|error| JwksError::Unreachable(error.into()))?
                    .https_only()
                    .enable_http1()
                    .build();
                get(connector, url.clone()).await
            }
            JwksSource::Url(url) => get(HttpConnector::new(), url.clone()).await,
        }
    };
    timeout(FETCH_TIMEOUT, read)
        .await
        .unwrap_or(Err(JwksError::Timeout))
}

async fn file(path: &Path) -> Result<Vec<u8>, JwksError> {
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(JwksError::File)?;
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(JwksError::File)?;
    if bytes.len() > MAX_BYTES {
        return Err(JwksError::TooLarge);
    }
    Ok(bytes)
}

/// GET, redirections not followed: the address of the keys is configuration, nobody else's choice.
async fn get<C>(connector: C, url: Uri) -> Result<Vec<u8>, JwksError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client: Client<C, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let response = client
        .get(url)
        .await
        .map_err(|error| JwksError::Unreachable(error.into()))?;
    if !response.status().is_success() {
        return Err(JwksError::HttpStatus(response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_BYTES);
    let body = body.collect().await.map_err(too_large_or_broken)?;
    Ok(body.to_bytes().into())
}

fn too_large_or_broken(error: Box<dyn Error + Send + Sync>) -> JwksError {
    if error.is::<LengthLimitError>() {
        JwksError::TooLarge
    } else {
        JwksError::Unreachable(error)
    }
}
