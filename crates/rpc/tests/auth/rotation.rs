//! Keys come and go; the issuer is asked seldom.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use nonrecours_issuer::{DevIssuer, JWKS_PATH, Signing};
use nonrecours_kernel::ManualClock;
use nonrecours_rpc::auth::{AuthError, JwksSource, REFRESH_INTERVAL, REFRESH_MAX_AGE, Verifier};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{accountant, clock, config, issuer, write};

/// An address that answers as it is told and counts how often it is asked.
#[derive(Clone)]
struct Endpoint {
    answer: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
    source: JwksSource,
}

impl Endpoint {
    async fn start(answer: (StatusCode, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = format!("http://{}{JWKS_PATH}", listener.local_addr().unwrap());
        let endpoint = Self {
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
            source: source.parse().unwrap(),
        };
        let state = endpoint.clone();
        let page = get(async move || {
            state.asked.fetch_add(1, Ordering::SeqCst);
            state.answer.lock().unwrap().clone()
        });
        let pages = Router::new().route(JWKS_PATH, page);
        tokio::spawn(async move { axum::serve(listener, pages).await });
        endpoint
    }

    fn answers(&self, status: StatusCode, body: impl Into<String>) {
        *self.answer.lock().unwrap() = (status, body.into());
    }

    fn publishes(&self, issuer: &DevIssuer) {
        self.answers(StatusCode::OK, issuer.jwks().unwrap().to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn published(issuer: &DevIssuer, clock: &ManualClock) -> (Endpoint, Verifier) {
    let endpoint = Endpoint::start((StatusCode::OK, issuer.jwks().unwrap().to_string())).await;
    let verifier = Verifier::new(config(endpoint.source.clone()), Arc::new(clock.clone()));
    (endpoint, verifier.await.unwrap())
}

async fn verdict(verifier: &Verifier, issuer: &DevIssuer) -> Result<(), AuthError> {
    let token = issuer.token(&accountant()).unwrap();
    verifier.verify(&token).await.map(|_| ())
}

#[tokio::test]
async fn a_new_key_in_the_file_is_picked_up() {
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::P256, &clock),
    );
    old.write_jwks(&path).unwrap();
    let source = path.to_str().unwrap().parse().unwrap();
    let verifier = Verifier::new(config(source), Arc::new(clock.clone()))
        .await
        .unwrap();
    assert_eq!(verdict(&verifier, &old).await, Ok(()));
    assert_eq!(verdict(&verifier, &new).await, Err(AuthError::UnknownKey));

    let mut both = old.jwks().unwrap();
    both["keys"]
        .as_array_mut()
        .unwrap()
        .push(new.jwks().unwrap()["keys"][0].clone());
    write(&path, &both);
    clock.advance(REFRESH_INTERVAL);
    assert_eq!(verdict(&verifier, &new).await, Ok(()));
    assert_eq!(verdict(&verifier, &old).await, Ok(()));
}

#[tokio::test]
async fn a_new_key_at_the_address_is_picked_up_and_the_address_is_not_hammered() {
    let clock = clock();
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&old, &clock).await;
    endpoint.publishes(&new);
    for _ in 0..20 {
        assert_eq!(verdict(&verifier, &new).await, Err(AuthError::UnknownKey));
    }
    assert_eq!(endpoint.asked(), 1, "read at start, a moment ago");

    clock.advance(REFRESH_INTERVAL);
    let tokens: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), new.token(&accountant()).unwrap());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for token in tokens {
        assert!(token.await.unwrap().is_ok());
    }
    assert_eq!(endpoint.asked(), 2, "one read for twenty callers");
    assert_eq!(verdict(&verifier, &old).await, Err(AuthError::UnknownKey));
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting_at_the_age_limit() {
    let clock = clock();
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&old, &clock).await;
    endpoint.publishes(&new);
    clock.advance(REFRESH_MAX_AGE - REFRESH_INTERVAL);
    assert_eq!(verdict(&verifier, &old).await, Ok(()));
    assert_eq!(endpoint.asked(), 1);
    clock.advance(REFRESH_INTERVAL);
    assert_eq!(verdict(&verifier, &old).await, Err(AuthError::UnknownKey));
    assert_eq!(verdict(&verifier, &new).await, Ok(()));
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_fails_leaves_the_keys_as_they_are() {
    let clock = clock();
    let (issuer, other) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&issuer, &clock).await;
    // Too large, though a key set of another key: read, it would replace ours.
    let mut huge = other.jwks().unwrap();
    huge["padding"] = "x".repeat(300 * 1024).into();
    let huge = huge.to_string();
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "down"),
        (StatusCode::FOUND, ""),
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, r#"{"keys":[]}"#),
        (StatusCode::OK, &huge),
    ] {
        endpoint.answers(status, body);
        clock.advance(REFRESH_MAX_AGE);
        let asked = endpoint.asked();
        for _ in 0..3 {
            assert_eq!(verdict(&verifier, &issuer).await, Ok(()), "{status}");
        }
        assert_eq!(endpoint.asked(), asked + 1, "{status}");
    }
}

#[tokio::test]
async fn a_clock_put_back_does_not_stop_the_refresh() {
    let clock = clock();
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&old, &clock).await;
    endpoint.publishes(&new);
    clock.set(nonrecours_kernel::Clock::now(&clock) - REFRESH_INTERVAL);
    assert_eq!(verdict(&verifier, &new).await, Ok(()));
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_refresh() {
    let clock = clock();
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&old, &clock).await;
    endpoint.publishes(&new);
    clock.advance(REFRESH_INTERVAL);
    let token = new.token(&accountant()).unwrap();
    {
        let mut hasty = Box::pin(verifier.verify(&token));
        let first = std::future::poll_fn(|context| {
            std::task::Poll::Ready(hasty.as_mut().poll(context).is_pending())
        });
        assert!(
            first.await,
            "the caller leaves while the keys are being read"
        );
    }
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn an_issuer_slower_to_start_is_waited_for() {
    let clock = clock();
    let issuer = issuer(Signing::Ed25519, &clock);
    let endpoint = Endpoint::start((StatusCode::SERVICE_UNAVAILABLE, String::new())).await;
    let start = tokio::spawn(Verifier::new(
        config(endpoint.source.clone()),
        Arc::new(clock.clone()),
    ));
    while endpoint.asked() == 0 {
        tokio::task::yield_now().await;
    }
    endpoint.publishes(&issuer);
    let verifier = start.await.unwrap().unwrap();
    assert_eq!(verdict(&verifier, &issuer).await, Ok(()));
    assert!(endpoint.asked() >= 2);
}

#[tokio::test]
async fn the_development_issuer_serves_what_a_verifier_reads() {
    let clock = clock();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = DevIssuer::generate(&url, "nonrecours", Arc::new(clock.clone())).unwrap();
    let issuer = Arc::new(issuer);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn({
        let issuer = Arc::clone(&issuer);
        async move {
            issuer
                .serve(listener, async { stopped.await.unwrap() })
                .await
        }
    });
    let mut config = config(format!("{url}{JWKS_PATH}").parse().unwrap());
    config.issuer = url;
    let verifier = Verifier::new(config, Arc::new(clock)).await.unwrap();
    assert_eq!(verdict(&verifier, &issuer).await, Ok(()));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_token_that_was_accepted_is_not_when_another_key_has_taken_the_name_of_its_own() {
    let clock = clock();
    let (old, new) = (
        issuer(Signing::Ed25519, &clock),
        issuer(Signing::Ed25519, &clock),
    );
    let (endpoint, verifier) = published(&old, &clock).await;
    let token = old.token(&accountant()).unwrap();
    for _ in 0..2 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    let mut renamed = new.jwks().unwrap();
    renamed["keys"][0]["kid"] = old.jwks().unwrap()["keys"][0]["kid"].clone();
    endpoint.answers(StatusCode::OK, renamed.to_string());
    clock.advance(REFRESH_MAX_AGE);
    let fresh = old.token(&accountant()).unwrap();
    for token in [&token, &fresh] {
        assert_eq!(
            verifier.verify(token).await.map(|_| ()),
            Err(AuthError::BadSignature)
        );
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_is_refused_once_it_has_expired_or_is_altered() {
    let clock = clock();
    let issuer = issuer(Signing::Ed25519, &clock);
    let (_endpoint, verifier) = published(&issuer, &clock).await;
    let token = issuer.token(&accountant()).unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    let mut altered = token.clone();
    let last = altered.pop().unwrap();
    altered.push(if last == 'A' { 'Q' } else { 'A' });
    let refused = verifier.verify(&altered).await.map(|_| ());
    assert_eq!(refused, Err(AuthError::BadSignature));
    clock.advance(time::Duration::days(1));
    let refused = verifier.verify(&token).await.map(|_| ());
    assert_eq!(refused, Err(AuthError::Expired));
}
