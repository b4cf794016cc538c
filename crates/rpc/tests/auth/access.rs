//! The access layer before a real service, over real gRPC on loopback.

use std::{convert::Infallible, sync::Arc};

use nonrecours_contracts::{
    google::rpc::ErrorInfo,
    payments::{
        ListLedgerEntriesRequest, ListLedgerEntriesResponse, VerifyLedgerRequest,
        VerifyLedgerResponse,
        ledger_service_client::LedgerServiceClient,
        ledger_service_server::{LedgerService, LedgerServiceServer},
    },
    status,
};
use nonrecours_issuer::{DevIssuer, Signing, TokenSpec};
use nonrecours_kernel::{Caller, ManualClock, Role};
use nonrecours_rpc::{
    auth::{TokenLayer, TokenSource, access_table},
    layers::access::AccessLayer,
    open,
    tls::Peers,
};
use prost::Message as _;
use time::Duration;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Server},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use crate::{clock, issuer, verifier};

/// Answers with the subject of the caller in place of a page token.
struct Ledger;

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn list_ledger_entries(
        &self,
        request: Request<ListLedgerEntriesRequest>,
    ) -> Result<Response<ListLedgerEntriesResponse>, Status> {
        assert!(request.metadata().get("authorization").is_none());
        let (caller, _) = open(request)?;
        Ok(Response::new(ListLedgerEntriesResponse {
            next_page_token: caller.subject,
            ..Default::default()
        }))
    }

    async fn verify_ledger(
        &self,
        _: Request<VerifyLedgerRequest>,
    ) -> Result<Response<VerifyLedgerResponse>, Status> {
        Ok(Response::new(VerifyLedgerResponse::default()))
    }
}

struct Suite {
    clock: ManualClock,
    issuer: Arc<DevIssuer>,
    channel: Channel,
}

impl Suite {
    async fn start() -> Self {
        let clock = clock();
        let issuer = issuer(Signing::Ed25519, &clock);
        let verifier = verifier(&issuer.jwks().unwrap(), &clock).await;
        let (_, health) = tonic_health::server::health_reporter();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder()
            .layer(AccessLayer::new(verifier, Peers::default()))
            .add_service(health)
            .add_service(LedgerServiceServer::new(Ledger))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        Self {
            clock,
            issuer: Arc::new(issuer),
            channel,
        }
    }

    fn token(&self, role: Role) -> String {
        self.issuer
            .token(&TokenSpec::new("dominique", [role]))
            .unwrap()
    }

    /// Calls the ledger with these authorizations, as they are.
    async fn call(&self, authorizations: &[&str]) -> Result<String, Status> {
        let mut request = Request::new(ListLedgerEntriesRequest::default());
        for value in authorizations {
            request
                .metadata_mut()
                .append("authorization", value.parse().unwrap());
        }
        let mut client = LedgerServiceClient::new(self.channel.clone());
        let answer = client.list_ledger_entries(request).await?;
        Ok(answer.into_inner().next_page_token)
    }

    /// Calls any path, with an empty message.
    async fn call_path(&self, path: &'static str, token: Option<&str>) -> Code {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let answer = grpc
            .unary(request, http::uri::PathAndQuery::from_static(path), codec)
            .await;
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    }
}

fn info(status: &Status) -> ErrorInfo {
    let details = status::Status::decode(status.details()).unwrap().details;
    ErrorInfo::decode(details[0].value.as_slice()).unwrap()
}

#[tokio::test]
async fn a_caller_with_the_role_reaches_the_handler() {
    let suite = Suite::start().await;
    let token = suite.token(Role::Accountant);
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = suite.call(&[&format!("{scheme} {token}")]).await;
        assert_eq!(answer.unwrap(), "dominique");
    }
}

#[tokio::test]
async fn without_a_valid_token_nobody_passes() {
    let suite = Suite::start().await;
    let token = suite.token(Role::Accountant);
    let good = format!("Bearer {token}");
    for authorizations in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &["Basic ZG9taW5pcXVlOng="],
        &[&token],
        &["Bearer x.y.z"],
        &[&good, &good],
    ] {
        let status = suite.call(authorizations).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{authorizations:?}");
        assert_eq!(info(&status).reason, "UNAUTHENTICATED");
    }
    suite.clock.advance(Duration::hours(2));
    let status = suite.call(&[&good]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_caller_without_the_role_is_told_which_it_takes() {
    let suite = Suite::start().await;
    let token = suite.token(Role::PeerService);
    let status = suite.call(&[&format!("Bearer {token}")]).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let info = info(&status);
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("ROLE_MISSING", "nonrecours")
    );
    assert_eq!(
        info.metadata["roles"],
        "programme_officer, authorising_officer, accountant, auditor, operator_manager"
    );
}

#[tokio::test]
async fn health_is_open_and_nothing_that_looks_like_it() {
    let suite = Suite::start().await;
    let mut health = HealthClient::new(suite.channel.clone());
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
    for path in [
        "/grpc.health.v1.HealthX/Check",
        "/grpc.health.v1.Health",
        "/nonrecours.payments.v1.LedgerService/ListLedgerEntries/grpc.health.v1.Health/",
        "//grpc.health.v1.Health/Check",
    ] {
        assert_eq!(
            suite.call_path(path, None).await,
            Code::Unauthenticated,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_unknown_only_to_those_who_may_ask() {
    let suite = Suite::start().await;
    let token = suite.token(Role::Accountant);
    for path in [
        "/nonrecours.payments.v1.LedgerService/DropLedger",
        "/nonrecours.payments.v1.ledgerservice/ListLedgerEntries",
        "/other.v1.Service/Method",
        "/",
    ] {
        assert_eq!(
            suite.call_path(path, None).await,
            Code::Unauthenticated,
            "{path}"
        );
        assert_eq!(
            suite.call_path(path, Some(&token)).await,
            Code::Unimplemented,
            "{path}"
        );
    }
    // Declared in the contract, but served elsewhere: the role counts first.
    let elsewhere = "/nonrecours.conventions.v1.ProgrammeService/CreateProgramme";
    assert!(access_table().contains_key(elsewhere));
    assert_eq!(
        suite.call_path(elsewhere, Some(&token)).await,
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn a_service_outside_the_contract_is_out_of_reach_even_if_it_is_served() {
    let clock = clock();
    let issuer = issuer(Signing::Ed25519, &clock);
    let verifier = verifier(&issuer.jwks().unwrap(), &clock).await;
    let token = issuer
        .token(&TokenSpec::new("dominique", [Role::Accountant]))
        .unwrap();
    let handler = service_fn(async |request: http::Request<()>| {
        let caller = request.extensions().get::<Caller>();
        let reached = caller.map(|caller| caller.subject.clone());
        Ok::<_, Infallible>(http::Response::new(reached))
    });
    let service = ServiceBuilder::new()
        .layer(AccessLayer::new(verifier, Peers::default()))
        .service(handler);
    let answer = async |path: &str| {
        let request = http::Request::builder()
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap();
        service.clone().oneshot(request).await.unwrap()
    };
    let declared = answer("/nonrecours.payments.v1.LedgerService/ListLedgerEntries").await;
    assert_eq!(declared.body().as_deref(), Some("dominique"));
    let outside = answer("/other.v1.Service/Method").await;
    assert_eq!(*outside.body(), None);
    let status = Status::from_header_map(outside.headers()).unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_client_presents_the_token_of_its_source() {
    let suite = Suite::start().await;
    let issuer = Arc::clone(&suite.issuer);
    let spec = TokenSpec::new("peer", [Role::Auditor]);
    let layer = TokenLayer::new(TokenSource::from_fn(move || issuer.token(&spec)));
    let channel = ServiceBuilder::new()
        .layer(layer)
        .service(suite.channel.clone());
    let mut client = LedgerServiceClient::new(channel);
    for _ in 0..2 {
        let answer = client
            .list_ledger_entries(ListLedgerEntriesRequest::default())
            .await;
        assert_eq!(answer.unwrap().into_inner().next_page_token, "peer");
        // Each call has a token of its own: the first has expired by the second.
        suite.clock.advance(Duration::hours(2));
    }

    let layer = TokenLayer::new(TokenSource::file("/nowhere/at/all"));
    let channel = ServiceBuilder::new()
        .layer(layer)
        .service(suite.channel.clone());
    let answer = LedgerServiceClient::new(channel)
        .list_ledger_entries(ListLedgerEntriesRequest::default())
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
}
