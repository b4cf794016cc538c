//! The way from one service to another, and from any client of ours to a service.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint, Error};
use tower::ServiceBuilder;

use crate::{
    auth::{TokenLayer, TokenSource, WithToken},
    layers::trace::{ClientTrace, ClientTraceLayer},
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

/// Prepares a connection to `http://host:port`: opened by the first call, and again after each break.
pub fn connect(url: &str, token: TokenSource) -> Result<PeerChannel, AddressError> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|cause| AddressError {
        url: url.to_owned(),
        cause,
    })?;
    let channel = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .tcp_nodelay(true)
        .connect_lazy();
    Ok(ServiceBuilder::new()
        .layer(ClientTraceLayer)
        .layer(TokenLayer::new(token))
        .service(channel))
}
