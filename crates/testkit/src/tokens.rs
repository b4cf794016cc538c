//! Tokens of every role, from an issuer of the test's own.

use std::{path::PathBuf, sync::Arc};

use nonrecours_issuer::{DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, OperatorId, Role};
use nonrecours_rpc::{
    auth::{AuthConfig, JwksSource, PeerTokenConfig, TokenSource},
    client::{self, PeerChannel},
    tls::ClientTls,
};
use tempfile::TempDir;
use time::Duration;

/// Issuer of the tests.
pub const ISSUER: &str = "https://issuer.test";
/// Audience of the tests.
pub const AUDIENCE: &str = "nonrecours";
/// Tests move their clocks by months: tokens outlive them.
const TTL: Duration = Duration::days(1000);

/// An issuer whose public keys and peer tokens lie in files, as services read them.
pub struct Tokens {
    issuer: DevIssuer,
    folder: TempDir,
}

impl Tokens {
    /// A fresh issuer.
    pub fn new(clock: impl Clock) -> Self {
        let issuer = DevIssuer::generate(ISSUER, AUDIENCE, Arc::new(clock)).expect("a key is made");
        let folder = tempfile::tempdir().expect("a folder is made");
        issuer
            .write_jwks(&folder.path().join("jwks.json"))
            .expect("the keys are written");
        Self { issuer, folder }
    }

    /// Settings with which a service accepts these tokens.
    pub fn auth(&self) -> AuthConfig {
        AuthConfig {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            jwks: Some(JwksSource::File(self.folder.path().join("jwks.json"))),
            claims: None,
        }
    }

    /// Settings with which `service` shows its own token to its peers.
    pub fn peer_token(&self, service: &str) -> PeerTokenConfig {
        let path: PathBuf = self.folder.path().join(format!("{service}.token"));
        std::fs::write(&path, self.peer(service)).expect("the token is written");
        PeerTokenConfig {
            peer_token_file: Some(path),
        }
    }

    /// The issuer, for tokens that should be refused.
    pub fn issuer(&self) -> &DevIssuer {
        &self.issuer
    }

    /// Any token.
    pub fn token(&self, subject: &str, roles: &[Role], operator: Option<OperatorId>) -> String {
        self.issuer
            .token(&TokenSpec {
                operator,
                ttl: TTL,
                ..TokenSpec::new(subject, roles.iter().copied())
            })
            .expect("the token is signed")
    }

    /// Programme officer.
    pub fn officer(&self) -> String {
        self.token("officer", &[Role::ProgrammeOfficer], None)
    }

    /// Authorising officer.
    pub fn authorising_officer(&self) -> String {
        self.token("authorising-officer", &[Role::AuthorisingOfficer], None)
    }

    /// Accountant.
    pub fn accountant(&self) -> String {
        self.token("accountant", &[Role::Accountant], None)
    }

    /// Auditor.
    pub fn auditor(&self) -> String {
        self.token("auditor", &[Role::Auditor], None)
    }

    /// Manager of an operator.
    pub fn manager(&self, operator: OperatorId) -> String {
        self.token(
            &format!("manager-{operator}"),
            &[Role::OperatorManager],
            Some(operator),
        )
    }

    /// Agent of an operator.
    pub fn agent(&self, operator: OperatorId) -> String {
        self.token(
            &format!("agent-{operator}"),
            &[Role::OperatorAgent],
            Some(operator),
        )
    }

    /// A service of the suite.
    pub fn peer(&self, service: &str) -> String {
        self.token(&format!("service:{service}"), &[Role::PeerService], None)
    }
}

/// A connection to `http://…` that shows this token.
pub(crate) fn channel(url: &str, token: String) -> PeerChannel {
    client::connect(url, TokenSource::fixed(token), ClientTls::default())
        .expect("the address is one")
}

/// A connection without any token.
pub async fn anonymous(url: &str) -> tonic::transport::Channel {
    tonic::transport::Endpoint::from_shared(url.to_owned())
        .expect("the address is one")
        .connect()
        .await
        .expect("the service listens")
}
