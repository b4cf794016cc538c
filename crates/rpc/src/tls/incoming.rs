//! Accepting connections: handshakes side by side, bounded in number and time.

use std::{error::Error, io, time::Duration};

use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::ServerTls;
use crate::audit::Kind;

/// Handshakes going on at once; further connections wait to be accepted.
const MAX_HANDSHAKES: usize = 1024;
/// Longest handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections whose handshake went well. The others are dropped: a client that fails does no harm to the rest.
pub(crate) fn incoming(
    tcp: impl Stream<Item = io::Result<TcpStream>> + Send,
    tls: ServerTls,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> + Send {
    let audit = tls.audit().clone();
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
    .filter_map(move |done| {
        let kept = match done {
            Ok(Ok(connection)) => Some(Ok(connection)),
            Ok(Err(error)) => {
                audit.note(Kind::HandshakeFailed, cause(&error), "", "");
                tracing::debug!(
                    error = &error as &dyn Error,
                    "no connection: the handshake failed"
                );
                None
            }
            Err(error) => Some(Err(io::Error::other(error))),
        };
        std::future::ready(kept)
    })
}

/// Why a handshake failed, in a few words: what the other side sent is not repeated.
fn cause(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => "certificate refused",
        Some(rustls::Error::AlertReceived(_)) => "our certificate was refused",
        Some(_) => "no TLS that we speak",
        None if error.kind() == io::ErrorKind::TimedOut => "nothing came in time",
        None => "the connection broke off",
    }
}

async fn accept(tcp: io::Result<TcpStream>, tls: &ServerTls) -> io::Result<TlsStream<TcpStream>> {
    let config = tls.current().await.map_err(io::Error::other)?;
    TlsAcceptor::from(config).accept(tcp?).await
}
