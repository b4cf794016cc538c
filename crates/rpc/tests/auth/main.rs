//! Authentication and access, from the token to the handler.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod discovery;
mod rotation;
mod tokens;

use std::{path::Path, sync::Arc};

use nonrecours_issuer::{DevIssuer, Signing, TokenSpec};
use nonrecours_kernel::{ManualClock, Role};
use nonrecours_rpc::auth::{AuthConfig, JwksSource, Verifier};
use serde_json::Value;
use time::macros::datetime;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "nonrecours";

/// 6 October 2025, 10:00 in Paris.
fn clock() -> ManualClock {
    ManualClock::at(datetime!(2025-10-06 08:00 UTC))
}

fn issuer(signing: Signing, clock: &ManualClock) -> DevIssuer {
    DevIssuer::generate_with(signing, ISSUER, AUDIENCE, Arc::new(clock.clone())).unwrap()
}

fn config(jwks: JwksSource) -> AuthConfig {
    AuthConfig {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks: Some(jwks),
        claims: None,
    }
}

fn write(path: &Path, jwks: &Value) {
    std::fs::write(path, jwks.to_string()).unwrap();
}

/// A verifier of these keys, read once from a file.
async fn verifier(jwks: &Value, clock: &ManualClock) -> Verifier {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    write(&path, jwks);
    Verifier::new(config(JwksSource::File(path)), Arc::new(clock.clone()))
        .await
        .unwrap()
}

fn accountant() -> TokenSpec {
    TokenSpec::new("dominique", [Role::Accountant])
}
