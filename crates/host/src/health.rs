//! `health`: what a container's supervisor asks a running service, so that its image needs no other program for it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use nonrecours_kernel::Clock;
use nonrecours_rpc::{
    client,
    tls::{TlsConfig, TlsError},
};
use tonic::transport;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Longest wait for the answer, connection included.
const LIMIT: Duration = Duration::from_secs(3);

/// Why a service does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unhealthy {
    /// Not an address to connect to.
    #[error("no connection to {0}")]
    Address(SocketAddr, #[source] transport::Error),
    /// Its certificate cannot be read here.
    #[error("TLS")]
    Tls(#[from] TlsError),
    /// Nobody listens there, or it listens and refuses to say.
    #[error("health refused: {0}")]
    Refused(#[from] tonic::Status),
    /// It cannot do its work: its database is away, or it is about to end.
    #[error("not serving")]
    NotServing,
    /// No answer within the limit.
    #[error("no answer in time")]
    Timeout,
}

/// Asks the service that listens on `address` whether it can do its work (`grpc.health.v1.Health/Check` of the whole
/// server), under TLS when it has a certificate.
pub(crate) async fn check(
    address: SocketAddr,
    tls: &TlsConfig,
    clock: &Arc<dyn Clock>,
) -> Result<(), Unhealthy> {
    check_within(LIMIT, address, tls, clock).await
}

async fn check_within(
    limit: Duration,
    address: SocketAddr,
    tls: &TlsConfig,
    clock: &Arc<dyn Clock>,
) -> Result<(), Unhealthy> {
    tokio::time::timeout(limit, ask(local(address), tls, clock))
        .await
        .unwrap_or(Err(Unhealthy::Timeout))
}

async fn ask(
    address: SocketAddr,
    tls: &TlsConfig,
    clock: &Arc<dyn Clock>,
) -> Result<(), Unhealthy> {
    let url = match tls.own_name().await? {
        Some(name) => format!("https://{name}:{}", address.port()),
        None => format!("http://{address}"),
    };
    let channel = client::channel(&url, Some(address), tls.client(clock).await?)
        .map_err(|error| Unhealthy::Address(address, error))?;
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await?
        .into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        ServingStatus::NotServing | ServingStatus::Unknown | ServingStatus::ServiceUnknown => {
            Err(Unhealthy::NotServing)
        }
    }
}

/// A service that listens on every address is asked on the loopback.
fn local(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::SystemClock;
    use tokio::net::TcpListener;
    use tonic::transport::{Server, server::TcpIncoming};

    use super::*;

    async fn plain(limit: Duration, address: SocketAddr) -> Result<(), Unhealthy> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        check_within(limit, address, &TlsConfig::default(), &clock).await
    }

    #[tokio::test]
    async fn a_service_is_healthy_while_it_says_so() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reporter, health) = tonic_health::server::health_reporter();
        let serving = Server::builder()
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener));
        let serving = tokio::spawn(serving);

        plain(LIMIT, address).await.unwrap();
        reporter
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
        assert!(matches!(
            plain(LIMIT, address).await,
            Err(Unhealthy::NotServing)
        ));
        serving.abort();
    }

    #[tokio::test]
    async fn a_closed_port_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(
            plain(LIMIT, address).await,
            Err(Unhealthy::Refused(_))
        ));
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_not_healthy() {
        // Bound and never accepted from: the connection opens, the answer never comes.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = plain(Duration::from_millis(50), address).await;
        assert!(matches!(answer, Err(Unhealthy::Timeout)));
        drop(listener);
    }

    #[test]
    fn every_address_means_the_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:50051", "127.0.0.1:50051"),
            ("[::]:50051", "[::1]:50051"),
            ("10.0.0.7:1", "10.0.0.7:1"),
        ] {
            assert_eq!(local(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
