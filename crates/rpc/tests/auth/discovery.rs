//! An issuer known by its address alone, and machines that it gives tokens.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    http::StatusCode,
    routing::{get, post},
};
use nonrecours_issuer::{DISCOVERY_PATH, DevIssuer, JWKS_PATH, Machine};
use nonrecours_kernel::{ManualClock, Role};
use nonrecours_rpc::auth::{
    AuthConfig, AuthError, ClientError, MachineClient, REFRESH_INTERVAL, TokenError, TokenSource,
    Verifier,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{AUDIENCE, accountant, clock};

/// An issuer that serves its pages on the loopback.
async fn served(clock: &ManualClock) -> Arc<DevIssuer> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let machine = Machine {
        id: "logiciel".to_owned(),
        secret: "tout à fait secret".to_owned(),
        roles: vec![Role::OperatorAgent],
        operator: Some("0199b4f2-0d00-7000-8000-000000000001".parse().unwrap()),
    };
    let issuer = DevIssuer::generate(&url, AUDIENCE, Arc::new(clock.clone())).unwrap();
    let issuer = Arc::new(issuer.with_machines(vec![machine]));
    tokio::spawn(Arc::clone(&issuer).serve(listener, std::future::pending()));
    issuer
}

/// Settings that name an issuer and nothing else.
fn by_discovery(issuer: &str) -> AuthConfig {
    AuthConfig {
        issuer: issuer.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks: None,
        claims: None,
    }
}

/// Metadata and keys that a test sets.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<(Value, Value)>>);

impl Pages {
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (metadata, keys) = (self.clone(), self.clone());
        let pages = Router::new()
            .route(
                DISCOVERY_PATH,
                get(async move || Json(metadata.0.lock().unwrap().0.clone())),
            )
            .route(
                "/{keys}",
                get(async move || Json(keys.0.lock().unwrap().1.clone())),
            );
        tokio::spawn(async move { axum::serve(listener, pages).await });
        url
    }

    fn set(&self, metadata: Value, keys: Value) {
        *self.0.lock().unwrap() = (metadata, keys);
    }
}

#[tokio::test]
async fn an_issuer_is_known_by_its_address_and_may_move_and_change_its_keys() {
    let clock = clock();
    let pages = Pages::default();
    let url = pages.serve().await;
    let issuer = || DevIssuer::generate(&url, AUDIENCE, Arc::new(clock.clone())).unwrap();
    let (old, new) = (issuer(), issuer());
    let metadata = |keys: &str| json!({ "issuer": url, "jwks_uri": format!("{url}/{keys}") });
    pages.set(metadata("first"), old.jwks().unwrap());
    let config = by_discovery(&url);
    assert_eq!(config.probe().await.unwrap(), 1);
    let verifier = Verifier::new(config, Arc::new(clock.clone()))
        .await
        .unwrap();
    assert!(
        verifier
            .verify(&old.token(&accountant()).unwrap())
            .await
            .is_ok()
    );

    pages.set(metadata("second"), new.jwks().unwrap());
    clock.advance(REFRESH_INTERVAL);
    let token = new.token(&accountant()).unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    let withdrawn = old.token(&accountant()).unwrap();
    assert_eq!(
        verifier.verify(&withdrawn).await.unwrap_err(),
        AuthError::UnknownKey
    );
}

#[tokio::test]
async fn the_metadata_of_another_issuer_are_not_used() {
    let clock = clock();
    let pages = Pages::default();
    let url = pages.serve().await;
    let issuer = DevIssuer::generate(&url, AUDIENCE, Arc::new(clock)).unwrap();
    pages.set(
        json!({ "issuer": "http://elsewhere.test", "jwks_uri": format!("{url}{JWKS_PATH}") }),
        issuer.jwks().unwrap(),
    );
    let refused = by_discovery(&url).probe().await.unwrap_err();
    assert!(refused.to_string().contains("another issuer"), "{refused}");
    let nobody = by_discovery("http://127.0.0.1:1")
        .probe()
        .await
        .unwrap_err();
    assert!(nobody.to_string().contains("cannot be reached"), "{nobody}");
}

#[tokio::test]
async fn a_token_signed_beyond_the_leeway_in_the_future_is_not_valid_yet() {
    let clock = clock();
    let issuer = served(&clock).await;
    let verifier = Verifier::new(by_discovery(issuer.url()), Arc::new(clock.clone()))
        .await
        .unwrap();
    let now = nonrecours_kernel::Clock::now(&clock).unix_timestamp();
    let signed_at = |iat: i64| {
        let claims = json!({
            "iss": issuer.url(), "aud": AUDIENCE, "sub": "x", "roles": ["auditor"],
            "iat": iat, "exp": now + 600,
        });
        issuer.token_with_claims(&claims).unwrap()
    };
    assert!(verifier.verify(&signed_at(now + 60)).await.is_ok());
    assert_eq!(
        verifier.verify(&signed_at(now + 61)).await.unwrap_err(),
        AuthError::NotYetValid
    );
}

#[tokio::test]
async fn claims_are_read_as_a_file_says() {
    let clock = clock();
    let issuer = served(&clock).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claims.json");
    std::fs::write(
        &file,
        include_str!("../../../../examples/claims/proconnect.json"),
    )
    .unwrap();
    let config = AuthConfig {
        claims: Some(file.clone()),
        ..by_discovery(issuer.url())
    };
    let verifier = Verifier::new(config.clone(), Arc::new(clock.clone()))
        .await
        .unwrap();
    let now = nonrecours_kernel::Clock::now(&clock).unix_timestamp();
    let claims = json!({
        "iss": issuer.url(), "aud": AUDIENCE, "sub": "a1b2", "exp": now + 600,
        "given_name": "Camille", "usual_name": "Martin", "siret": "21620263000010",
        "groups": ["nonrecours-direction"],
    });
    let token = issuer.token_with_claims(&claims).unwrap();
    let caller = verifier.verify(&token).await.unwrap();
    assert_eq!(caller.display_name, "Camille Martin");
    assert!(caller.has(Role::OperatorManager) && caller.operator.is_some());

    std::fs::write(&file, "{").unwrap();
    let refused = Verifier::new(config, Arc::new(clock)).await;
    assert!(
        refused.is_err(),
        "a service does not start with half a file"
    );
}

fn secret(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    path
}

fn machine(issuer: &str, secret_file: PathBuf) -> TokenSource {
    TokenSource::client(MachineClient {
        issuer: issuer.to_owned(),
        id: "logiciel".to_owned(),
        secret_file,
    })
}

#[tokio::test]
async fn a_machine_is_let_in_with_the_token_it_got_for_its_secret() {
    let clock = clock();
    let issuer = served(&clock).await;
    let verifier = Verifier::new(by_discovery(issuer.url()), Arc::new(clock))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = machine(issuer.url(), secret(&folder, "tout à fait secret\n"));
    let shown = source.bearer().await.unwrap().unwrap();
    assert!(shown.is_sensitive());
    let token = shown.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let caller = verifier.verify(token).await.unwrap();
    assert_eq!(caller.subject, "client:logiciel");
    assert!(caller.has(Role::OperatorAgent));
    let again = source.bearer().await.unwrap().unwrap();
    assert_eq!(shown, again, "a token is kept while it is good");
}

#[tokio::test]
async fn a_machine_without_the_right_secret_gets_nothing() {
    let clock = clock();
    let issuer = served(&clock).await;
    let folder = tempfile::tempdir().unwrap();
    let wrong = machine(issuer.url(), secret(&folder, "faux"))
        .bearer()
        .await;
    assert!(
        matches!(&wrong, Err(TokenError::Issuer(ClientError::Fetch(_)))),
        "{wrong:?}"
    );
    let empty = machine(issuer.url(), secret(&folder, "\n")).bearer().await;
    assert!(matches!(
        empty,
        Err(TokenError::Issuer(ClientError::NoSecret))
    ));
    let none = machine(issuer.url(), folder.path().join("none"))
        .bearer()
        .await;
    assert!(matches!(
        none,
        Err(TokenError::Issuer(ClientError::Secret(_)))
    ));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_outlives_an_issuer_that_is_away() {
    // Each token is a number; they live an hour, and are renewed after three quarters of it.
    let given = Arc::new(Mutex::new((0_u32, true)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "issuer": url, "jwks_uri": format!("{url}/keys"), "token_endpoint": format!("{url}/token"),
    });
    let state = Arc::clone(&given);
    let token = post(async move || {
        let mut given = state.lock().unwrap();
        if !given.1 {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
        }
        given.0 += 1;
        let answer = json!({ "access_token": given.0.to_string(), "token_type": "bearer", "expires_in": 3600 });
        (StatusCode::OK, Json(answer))
    });
    let pages = Router::new()
        .route(DISCOVERY_PATH, get(async move || Json(metadata)))
        .route("/token", token);
    tokio::spawn(async move { axum::serve(listener, pages).await });
    let folder = tempfile::tempdir().unwrap();
    let source = machine(&url, secret(&folder, "s"));
    let shown = async || source.bearer().await.map(|token| token.unwrap());
    let later = async |minutes: u64| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
        // Connections are real: their time is too.
        tokio::time::resume();
    };
    assert_eq!(shown().await.unwrap(), "Bearer 1");
    later(44).await;
    assert_eq!(shown().await.unwrap(), "Bearer 1");
    later(2).await;
    assert_eq!(shown().await.unwrap(), "Bearer 2");
    given.lock().unwrap().1 = false;
    later(46).await;
    assert_eq!(shown().await.unwrap(), "Bearer 2", "still good");
    later(15).await;
    assert!(shown().await.is_err(), "nothing is shown that has ended");
    given.lock().unwrap().1 = true;
    assert_eq!(shown().await.unwrap(), "Bearer 3");
}
