//! Accepting connections: handshakes side by side, bounded in number and time.

use std::{error::Error, io, time::Duration};

use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::TcpIncoming;

use super::ServerTls;

/// Handshakes going on at once; further connections wait to be accepted.
const MAX_HANDSHAKES: usize = 256;
/// Longest handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections whose handshake went well. The others are dropped: a client that fails does no harm to the rest.
pub(crate) fn incoming(
    tcp: TcpIncoming,
    tls: ServerTls,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> + Send {
    tcp.map(move |tcp| {
        let tls = tls.clone();
        // On a task of its own: signing takes a processor for a millisecond.
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, accept(tcp, &tls));
            handshake
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    })
    .buffer_unordered(MAX_HANDSHAKES)
    .filter_map(|done| async {
        match done {
            Ok(Ok(connection)) => Some(Ok(connection)),
            Ok(Err(error)) => {
                tracing::debug!(
                    error = &error as &dyn Error,
                    "no connection: the handshake failed"
                );
                None
            }
            Err(error) => Some(Err(io::Error::other(error))),
        }
    })
}

async fn accept(tcp: io::Result<TcpStream>, tls: &ServerTls) -> io::Result<TlsStream<TcpStream>> {
    let config = tls.current().await.map_err(io::Error::other)?;
    TlsAcceptor::from(config).accept(tcp?).await
}
