//! A server under TLS and its clients, on the loopback.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nonrecours_contracts::feed::{
    ListHistoryRequest, ListHistoryResponse, PullChangesRequest, PullChangesResponse,
    change_feed_service_client::ChangeFeedServiceClient,
    change_feed_service_server::{ChangeFeedService, ChangeFeedServiceServer},
};
use nonrecours_issuer::{DevAuthority, DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, Digest, ManualClock, Role};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, client::Grpc};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{
    Server, ServerConfig,
    audit::{Audit, Kind},
    auth::{AuthConfig, JwksSource, TokenSource, Verifier},
    client::{self, PeerChannel},
};

const FEED: &str = "/nonrecours.feed.v1.ChangeFeedService/PullChanges";

/// An authority and what it signs, in files of a folder.
struct Authority {
    folder: TempDir,
    signer: DevAuthority,
}

impl Authority {
    fn new(clock: &ManualClock) -> Self {
        let signer = DevAuthority::generate(Arc::new(clock.clone())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        signer.write(&folder.path().join("authority.pem")).unwrap();
        Self { folder, signer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for a name, good for so many days.
    fn sign(&self, name: &str, days: i64) -> TlsConfig {
        let life = time::Duration::days(days);
        self.signer
            .sign(self.folder.path(), name, &[name], life)
            .unwrap();
        TlsConfig {
            tls_certificate: Some(self.file(&format!("{name}.pem"))),
            tls_key: Some(self.file(&format!("{name}.key"))),
            tls_authorities: Some(self.file("authority.pem")),
            tls_peers: vec!["followup".to_owned(), "payments".to_owned()],
        }
    }
}

struct Suite {
    authority: Authority,
    issuer: DevIssuer,
    clock: ManualClock,
    audit: Audit,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Suite {
    /// A server named localhost, whose certificate is read again for each connection.
    async fn start() -> Self {
        Self::serving(ServerConfig::default(), Duration::ZERO, |server| server).await
    }

    /// The same with these limits and rpcs, its certificate read again so often.
    async fn serving(
        limits: ServerConfig,
        reread: Duration,
        rpcs: impl FnOnce(Server) -> Server,
    ) -> Self {
        let clock = ManualClock::at(datetime!(2025-10-06 08:00 UTC));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let authority = Authority::new(&clock);
        let issuer =
            DevIssuer::generate("https://issuer.test", "nonrecours", Arc::clone(&shared)).unwrap();
        let jwks = authority.file("jwks.json");
        issuer.write_jwks(&jwks).unwrap();
        let auth = AuthConfig {
            issuer: "https://issuer.test".to_owned(),
            audience: "nonrecours".to_owned(),
            jwks: Some(JwksSource::File(jwks)),
            claims: None,
        };
        let verifier = Verifier::new(auth, Arc::clone(&shared)).await.unwrap();
        let config = authority.sign("localhost", 100);
        let audit = verifier.audit().clone();
        let tls = ServerTls::new(
            config.identity().unwrap(),
            config.tls_authorities.clone(),
            shared,
            audit.clone(),
            reread,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = rpcs(Server::new("test", limits, verifier))
            .tls(Some(tls))
            .peers(config.peers().unwrap());
        tokio::spawn(server.serve(listener, shutdown.clone()));
        Self {
            authority,
            issuer,
            clock,
            audit,
            address,
            shutdown,
        }
    }

    /// Causes of what was noted of certificates since it was last asked.
    fn changes(&self) -> Vec<String> {
        let noted = self.audit.take().into_iter();
        noted
            .filter(|counted| counted.event.kind == Kind::CertificateChanged)
            .map(|counted| counted.event.cause)
            .collect()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    fn token(&self, role: Role) -> TokenSource {
        let spec = TokenSpec::new("dominique", [role]);
        TokenSource::fixed(self.issuer.token(&spec).unwrap())
    }

    fn trusting(&self) -> TlsConfig {
        TlsConfig {
            tls_authorities: Some(self.authority.file("authority.pem")),
            ..TlsConfig::default()
        }
    }

    /// Calls an rpc of peers that this server does not have: UNIMPLEMENTED for who is let in.
    async fn call(&self, tls: &TlsConfig, token: TokenSource) -> Status {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let tls = tls.client(&clock).await.unwrap();
        let mut grpc = Grpc::new(client::connect(&self.url(), token, tls).unwrap());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let path = http::uri::PathAndQuery::from_static(FEED);
        grpc.unary(Request::new(()), path, codec).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_peer_is_known_by_its_certificate_and_by_nothing_else() {
    let suite = Suite::start().await;
    let payments = suite.authority.sign("payments", 100);
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unimplemented);

    let stranger = suite.authority.sign("stranger", 100);
    for (tls, token) in [
        (&stranger, TokenSource::none()),
        (&suite.trusting(), TokenSource::none()),
        (&suite.trusting(), suite.token(Role::PeerService)),
        (&payments, suite.token(Role::PeerService)),
    ] {
        let met = suite.call(tls, token).await;
        assert_eq!(met.code(), Code::Unauthenticated, "{met:?}");
    }
    // A person's token says who calls, also over the connection of a peer.
    let met = suite
        .call(&payments, suite.token(Role::ProgrammeOfficer))
        .await;
    assert_eq!(met.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_certificate_of_another_authority_opens_nothing() {
    let suite = Suite::start().await;
    let elsewhere = Authority::new(&suite.clock);
    // It verifies us, and we do not know who signed it.
    let forged = TlsConfig {
        tls_authorities: Some(suite.authority.file("authority.pem")),
        ..elsewhere.sign("payments", 100)
    };
    let met = suite.call(&forged, TokenSource::none()).await;
    // The refusal is an alert, before or after the client thinks the handshake done (RFC 8446 §4.4.2).
    let cut = [Code::Unavailable, Code::Unknown];
    assert!(cut.contains(&met.code()), "{met:?}");
    // And who does not trust the server's authority does not talk to it.
    let wary = TlsConfig {
        tls_authorities: Some(elsewhere.file("authority.pem")),
        ..TlsConfig::default()
    };
    let met = suite.call(&wary, suite.token(Role::ProgrammeOfficer)).await;
    assert_eq!(met.code(), Code::Unavailable, "{met:?}");
}

#[tokio::test]
async fn certificates_are_valid_by_the_clock_and_renewed_without_a_restart() {
    let suite = Suite::start().await;
    let payments = suite.authority.sign("payments", 1000);
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unimplemented);
    suite.clock.advance(time::Duration::days(101));
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unavailable, "{met:?}");
    assert!(suite.changes().is_empty(), "the same files, read again");

    suite.authority.sign("localhost", 100);
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unimplemented);
    let shown = digest(&suite.authority.file("localhost.pem")).await;
    assert_eq!(suite.changes(), [format!("certificate {shown}")]);
    // Half a renewal, as when a disk is full: the certificate in hand still serves.
    std::fs::write(suite.authority.file("localhost.key"), "").unwrap();
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unimplemented);
    assert!(suite.changes().is_empty());
}

#[tokio::test]
async fn other_authorities_are_noted() {
    let suite = Suite::start().await;
    let payments = suite.authority.sign("payments", 100);
    suite.call(&payments, TokenSource::none()).await;
    let elsewhere = Authority::new(&suite.clock);
    let theirs = elsewhere.file("authority.pem");
    std::fs::copy(&theirs, suite.authority.file("authority.pem")).unwrap();
    // Its certificate is of an authority that is none any more.
    suite.call(&payments, TokenSource::none()).await;
    let digest = digest(&theirs).await;
    assert_eq!(suite.changes(), [format!("authorities {digest}")]);
}

/// Of the one certificate of a file.
async fn digest(path: &Path) -> Digest {
    let certificates = files::certificates(path).await.unwrap();
    Digest::of(&certificates[0])
}

#[tokio::test]
async fn one_who_never_shakes_hands_keeps_nobody_out() {
    let suite = Suite::start().await;
    let mut silent = tokio::net::TcpStream::connect(suite.address).await.unwrap();
    // Plain HTTP/2 is answered by an alert, and the end.
    let plain = client::channel(
        &format!("http://{}", suite.address),
        None,
        ClientTls::default(),
    )
    .unwrap();
    let asked = HealthClient::new(plain)
        .check(HealthCheckRequest::default())
        .await;
    assert!(asked.is_err());
    let payments = suite.authority.sign("payments", 100);
    let met = suite.call(&payments, TokenSource::none()).await;
    assert_eq!(met.code(), Code::Unimplemented);
    // Its connection is ended once the handshake has taken too long.
    let mut buffer = [0; 1];
    assert!(matches!(silent.read(&mut buffer).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn what_cannot_be_served_with_is_told_at_start() {
    let clock = ManualClock::at(datetime!(2025-10-06 08:00 UTC));
    let authority = Authority::new(&clock);
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let audit = Audit::new(Arc::clone(&clock));
    let good = authority.sign("localhost", 100);
    assert_eq!(good.own_name().await.unwrap().as_deref(), Some("localhost"));
    assert!(
        TlsConfig::default()
            .server(&clock, &audit)
            .await
            .unwrap()
            .is_none()
    );

    let other = authority.sign("other", 100);
    let mixed = TlsConfig {
        tls_key: other.tls_key,
        ..good.clone()
    };
    let refused = mixed.server(&clock, &audit).await.err().unwrap();
    assert!(matches!(refused, TlsError::Refused(_)), "{refused:?}");
    let missing = TlsConfig {
        tls_certificate: Some("/nowhere/at/all".into()),
        ..good.clone()
    };
    let refused = missing.server(&clock, &audit).await.err().unwrap();
    assert!(matches!(refused, TlsError::File { .. }), "{refused:?}");
    let no_pem = TlsConfig {
        tls_authorities: Some(authority.file("jwks.json")),
        ..good.clone()
    };
    std::fs::write(authority.file("jwks.json"), "{}").unwrap();
    let refused = no_pem.server(&clock, &audit).await.err().unwrap();
    assert!(
        matches!(&refused, TlsError::Pem { what: "certificate", path } if path.ends_with(Path::new("jwks.json"))),
        "{refused:?}"
    );
    let unnamed = TlsConfig {
        tls_peers: vec!["not a name".to_owned()],
        ..good
    };
    assert!(matches!(unnamed.peers(), Err(TlsError::Name(_))));
}

/// A feed that never answers, unless it is asked for the last change.
struct Slow;

#[tonic::async_trait]
impl ChangeFeedService for Slow {
    async fn pull_changes(
        &self,
        request: Request<PullChangesRequest>,
    ) -> Result<Response<PullChangesResponse>, Status> {
        match request.into_inner().cursor.as_str() {
            "last" => Ok(Response::new(Default::default())),
            _ => std::future::pending().await,
        }
    }

    async fn list_history(
        &self,
        request: Request<ListHistoryRequest>,
    ) -> Result<Response<ListHistoryResponse>, Status> {
        match request.into_inner().name.as_str() {
            "last" => Ok(Response::new(Default::default())),
            _ => std::future::pending().await,
        }
    }
}

/// Memory of this process that is in use, bytes.
fn memory() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = told.split(' ').nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_connections_and_calls_open_holds_up_nobody_else() {
    /// Connections that are opened and say nothing; several times what there is room for.
    const HALF_OPEN: usize = 400;
    const MAX_OPEN: usize = 100;
    /// Calls of one caller that are never done; above what one caller may hold.
    const SLOW: usize = 400;
    /// How soon the others are answered meanwhile, and what all of that may take of memory.
    const SOON: Duration = Duration::from_secs(4);
    const MAX_MEMORY: usize = 200 << 20;

    let limits = ServerConfig {
        max_open: MAX_OPEN,
        ..ServerConfig::default()
    };
    let suite = Suite::serving(limits, Duration::ZERO, |server| {
        server.add(ChangeFeedServiceServer::new(Slow))
    })
    .await;
    let clock: Arc<dyn Clock> = Arc::new(suite.clock.clone());
    let tls = suite.trusting().client(&clock).await.unwrap();
    let by = |subject: &str| {
        let spec = TokenSpec::new(subject, [Role::Auditor]);
        let token = TokenSource::fixed(suite.issuer.token(&spec).unwrap());
        ChangeFeedServiceClient::new(client::connect(&suite.url(), token, tls.clone()).unwrap())
    };
    let ask = async |client: &ChangeFeedServiceClient<PeerChannel>, name: &str| {
        let name = name.to_owned();
        let request = ListHistoryRequest {
            name,
            ..Default::default()
        };
        client.clone().list_history(request).await
    };
    let before = memory();
    let mut half_open = Vec::new();
    for _ in 0..HALF_OPEN {
        half_open.push(tokio::net::TcpStream::connect(suite.address).await.unwrap());
    }
    // Three connections, since one carries 256 calls at most.
    let slow: Vec<_> = (0..3).map(|_| by("slow")).collect();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..SLOW {
        let client = slow[number % slow.len()].clone();
        calls.spawn(async move {
            let mut client = client;
            client.list_history(ListHistoryRequest::default()).await
        });
    }
    // Those beyond the share of one caller are refused, and told when to come again.
    let beyond = SLOW - ServerConfig::default().caller_in_flight;
    for _ in 0..beyond {
        let refused = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(crate::details::Details::of(&refused).retry.is_some());
    }
    for subject in ["camille", "dominique"] {
        let other = by(subject);
        let answer = tokio::time::timeout(SOON, ask(&other, "last")).await;
        answer.expect("answered soon").unwrap();
    }
    let refused = ask(&slow[0], "last").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(memory().saturating_sub(before) < MAX_MEMORY);

    // Who lets go is served again.
    calls.shutdown().await;
    let served = async {
        while ask(&slow[0], "last").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, served)
        .await
        .expect("served again");
    drop(half_open);
}
