//! The way from one service to another, and from any client of ours to a service.

use std::{net::SocketAddr, time::Duration};

use http::Uri;
use tonic::transport::{Channel, Endpoint, Error};
use tower::{ServiceBuilder, service_fn};

use crate::{
    auth::{TokenLayer, TokenSource, WithToken},
    layers::trace::{ClientTrace, ClientTraceLayer},
    tls::ClientTls,
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which the other side is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection whose calls carry a token and the trace context of the caller.
pub type PeerChannel = ClientTrace<WithToken<Channel>>;

/// The address is not one.
#[derive(Debug, thiserror::Error)]
#[error("{url} is not the address of a service")]
pub struct AddressError {
    url: String,
    #[source]
    cause: Error,
}

/// Prepares a connection to `https://host:port`, or without TLS to `http://host:port`: opened by the first call, and
/// again after each break.
pub fn connect(url: &str, token: TokenSource, tls: ClientTls) -> Result<PeerChannel, AddressError> {
    let channel = channel(url, None, tls).map_err(|cause| AddressError {
        url: url.to_owned(),
        cause,
    })?;
    Ok(ServiceBuilder::new()
        .layer(ClientTraceLayer)
        .layer(TokenLayer::new(token))
        .service(channel))
}

/// The bare connection, without token or trace; `at` is where the service is, when its name does not say so.
pub fn channel(url: &str, at: Option<SocketAddr>, tls: ClientTls) -> Result<Channel, Error> {
    let address = Endpoint::from_shared(url.to_owned())?.uri().clone();
    let Some(rest) = url.strip_prefix("https://") else {
        return Ok(endpoint(url)?.connect_lazy());
    };
    // Tonic leaves TLS to a connector for an address that says http only; the calls say what they go to.
    Ok(endpoint(&format!("http://{rest}"))?
        .origin(address.clone())
        .connect_with_connector_lazy(service_fn(move |_: Uri| {
            let (tls, address) = (tls.clone(), address.clone());
            async move { tls.connect(&address, at).await }
        })))
}

fn endpoint(url: &str) -> Result<Endpoint, Error> {
    Ok(Endpoint::from_shared(url.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .tcp_nodelay(true))
}
