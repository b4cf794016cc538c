//! The issuer's pages: two that a verifier reads, and one that gives tokens: to machines for their secrets, and, where that is
//! asked for, to anybody.

use std::{future::Future, io, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use nonrecours_kernel::{OperatorId, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{DISCOVERY_PATH, DevIssuer, IssuerError, JWKS_PATH, TOKEN_PATH, TokenSpec};

/// What is asked of [`TOKEN_PATH`].
#[derive(Deserialize)]
struct Wanted {
    role: String,
    operator: Option<String>,
    subject: Option<String>,
}

impl DevIssuer {
    /// Serves [`DISCOVERY_PATH`] and [`JWKS_PATH`], and [`TOKEN_PATH`] to the machines it knows, until `shutdown` resolves.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), IssuerError> {
        let pages = Arc::clone(&self).pages()?;
        run(listener, pages, shutdown).await
    }

    /// The same, and at [`TOKEN_PATH`] a token of any role to whoever asks.
    pub async fn serve_tokens(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), IssuerError> {
        let tokens = Router::new()
            .route(TOKEN_PATH, get(token))
            .with_state(Arc::clone(&self));
        let pages = self.pages()?;
        run(listener, pages.merge(tokens), shutdown).await
    }

    fn pages(self: Arc<Self>) -> Result<Router, IssuerError> {
        let (discovery, jwks) = (self.discovery(), self.jwks()?);
        Ok(Router::new()
            .route(DISCOVERY_PATH, get(async move || Json(discovery)))
            .route(JWKS_PATH, get(async move || Json(jwks)))
            .route(TOKEN_PATH, post(machine_token))
            .with_state(self))
    }

    /// What a verifier needs of the metadata: there is no sign-in page to tell of.
    fn discovery(&self) -> Value {
        json!({
            "issuer": self.url,
            "jwks_uri": format!("{}{JWKS_PATH}", self.url),
            "token_endpoint": format!("{}{TOKEN_PATH}", self.url),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "id_token_signing_alg_values_supported": [self.key.signing.algorithm()],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        })
    }
}

async fn run(
    listener: TcpListener,
    pages: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), IssuerError> {
    let served: io::Result<()> = axum::serve(listener, pages)
        .with_graceful_shutdown(shutdown)
        .await;
    Ok(served?)
}

/// A token for a machine, or why not, in the standard's words.
async fn machine_token(
    State(issuer): State<Arc<DevIssuer>>,
    headers: HeaderMap,
    form: Bytes,
) -> (StatusCode, Json<Value>) {
    match issuer.grant(&headers, &form) {
        Ok(answer) => (StatusCode::OK, Json(answer)),
        Err((status, error)) => (status, Json(json!({ "error": error }))),
    }
}

/// A token of the wanted role, as text; 400 for what is no role or no operator.
async fn token(
    State(issuer): State<Arc<DevIssuer>>,
    Query(wanted): Query<Wanted>,
) -> Result<String, (StatusCode, String)> {
    let refuse = |what: &str| (StatusCode::BAD_REQUEST, format!("{what}\n"));
    let role: Role = wanted.role.parse().map_err(|_| refuse("no such role"))?;
    let operator: Option<OperatorId> = wanted
        .operator
        .map(|operator| operator.parse())
        .transpose()
        .map_err(|_| refuse("the operator is no id"))?;
    let subject = wanted
        .subject
        .unwrap_or_else(|| format!("{}@nonrecours.example", role.as_str()));
    issuer
        .token(&TokenSpec {
            operator,
            ..TokenSpec::new(subject, [role])
        })
        .map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, String::new()))
}
