//! Accepting connections: handshakes side by side, bounded in time, and in number as connections are.

use std::{error::Error, io, time::Duration};

use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::ServerTls;
use crate::{
    audit::Kind,
    connections::{Connections, Line},
};

/// Longest handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections whose handshake went well. The others are dropped: a client that fails does no harm to the rest, nor do
/// thousands that never say a word, since each new connection is let in at once.
pub(crate) fn incoming(
    tcp: impl Stream<Item = io::Result<TcpStream>> + Send,
    tls: ServerTls,
    connections: Connections,
) -> impl Stream<Item = io::Result<Line<TlsStream<TcpStream>>>> + Send {
    let audit = tls.audit().clone();
    // Twice, since those that give way are still among them for a moment.
    let most = connections.max().saturating_mul(2);
    connections
        .seated(tcp)
        .map(move |seated| {
            let tls = tls.clone();
            // On a task of its own: signing takes a processor for a millisecond.
            tokio::spawn(async move {
                let (tcp, seat) = seated?;
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, accept(tcp, &tls));
                let done = seat.gone().run_until_cancelled_owned(handshake).await;
                let shaken =
                    done.unwrap_or_else(|| Ok(Err(io::ErrorKind::ConnectionAborted.into())));
                let tls = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
                Ok(Line::tls(tls, seat))
            })
        })
        .buffer_unordered(most)
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
        None if error.kind() == io::ErrorKind::ConnectionAborted => "another took its place",
        None => "the connection broke off",
    }
}

async fn accept(tcp: TcpStream, tls: &ServerTls) -> io::Result<TlsStream<TcpStream>> {
    let config = tls.current().await.map_err(io::Error::other)?;
    TlsAcceptor::from(config).accept(tcp).await
}
