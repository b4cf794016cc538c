//! The HTTP client of the S3 store: the one the graph has already, with TLS by ring.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector as Connect, HttpError, HttpErrorKind, HttpRequest,
        HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
    },
};
use tokio::time::timeout;

use crate::OpenError;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the head of an answer, the request with its body sent before: 64 MiB at 20 Mbit/s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

type Https = HttpsConnector<HttpConnector>;

/// How connections are made; by TLS only, unless `plain`.
pub(crate) fn connector(plain: bool) -> Result<Https, OpenError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(OpenError::Certificates)?;
    let schemes = if plain {
        tls.https_or_http()
    } else {
        tls.https_only()
    };
    Ok(schemes.enable_http1().wrap_connector(tcp))
}

/// Gives the client to the store.
#[derive(Debug)]
pub(crate) struct Connector(pub Https);

impl Connect for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = Client::builder(TokioExecutor::new()).build(self.0.clone());
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(Client<Https, HttpRequestBody>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = timeout(ANSWER_TIMEOUT, self.0.request(request))
            .await
            .map_err(|cause| HttpError::new(HttpErrorKind::Timeout, cause))?
            .map_err(failed)?;
        // Redirections are not followed: where files go is configuration, nobody else's choice.
        Ok(response.map(|body| {
            let cut = |cause| HttpError::new(HttpErrorKind::Interrupted, cause);
            HttpResponseBody::new(body.map_err(cut))
        }))
    }
}

fn failed(cause: Error) -> HttpError {
    let kind = if cause.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Request
    };
    HttpError::new(kind, cause)
}
