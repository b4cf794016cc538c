//! The issuer's two pages, as a verifier reads them.

use std::{future::Future, io};

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{DISCOVERY_PATH, DevIssuer, IssuerError, JWKS_PATH};

impl DevIssuer {
    /// Serves [`DISCOVERY_PATH`] and [`JWKS_PATH`] until `shutdown` resolves.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), IssuerError> {
        let (discovery, jwks) = (self.discovery(), self.jwks()?);
        let pages = Router::new()
            .route(DISCOVERY_PATH, get(async move || Json(discovery)))
            .route(JWKS_PATH, get(async move || Json(jwks)));
        let served: io::Result<()> = axum::serve(listener, pages)
            .with_graceful_shutdown(shutdown)
            .await;
        Ok(served?)
    }

    /// What a verifier needs of the metadata: there is no sign-in page to tell of.
    fn discovery(&self) -> Value {
        json!({
            "issuer": self.url,
            "jwks_uri": format!("{}{JWKS_PATH}", self.url),
            "id_token_signing_alg_values_supported": [self.key.signing.algorithm()],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        })
    }
}
