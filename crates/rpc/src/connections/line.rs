//! One connection as the server reads and writes it, until it has been silent for too long.

use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::{Connection, Seat};

/// What every client of HTTP/2 begins with (RFC 9113 §3.4), bytes.
const PREFACE: usize = 24;
/// How long it may take to say it. Once it is said, pings find out who is no longer there.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection is looked at, afterwards.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A connection, its place, and the end of both: reading or writing fails once it has to give way, has not begun in time, or
/// does not take what it asked for.
pub(crate) struct Line<IO> {
    io: IO,
    seat: Seat,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
    look: Pin<Box<Sleep>>,
    /// Bytes of the preface that have not come.
    missing: usize,
}

impl Line<TcpStream> {
    pub(crate) fn plain(io: TcpStream, seat: Seat) -> Self {
        Self::new(io, seat)
    }
}

impl Line<TlsStream<TcpStream>> {
    pub(crate) fn tls(io: TlsStream<TcpStream>, mut seat: Seat) -> Self {
        let (_, session) = io.get_ref();
        let shown = session.peer_certificates();
        seat.connection.certificates =
            shown.map(|shown| Arc::new(shown.iter().map(|one| one.clone().into_owned()).collect()));
        Self::new(io, seat)
    }
}

impl<IO> Line<IO> {
    fn new(io: IO, seat: Seat) -> Self {
        Self {
            io,
            gone: Box::pin(seat.gone().cancelled_owned()),
            look: Box::pin(tokio::time::sleep(PREFACE_TIMEOUT)),
            seat,
            missing: PREFACE,
        }
    }

    /// Nothing, unless the connection has to end.
    fn goes_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.gone.as_mut().poll(cx).is_ready() {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "closed to make room for another",
            ));
        }
        while self.look.as_mut().poll(cx).is_ready() {
            if self.missing > 0 {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing that begins HTTP/2 came in time",
                ));
            }
            let now = Instant::now();
            let unread = self.seat.connection.unread_since();
            if unread.is_some_and(|since| now - since > self.seat.room.max_unread) {
                tracing::debug!("a connection is ended: its answers were not taken");
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "answers were not taken in time",
                ));
            }
            self.look.as_mut().reset(now + LOOK_EVERY);
        }
        Ok(())
    }
}

impl<IO: Send + 'static> Connected for Line<IO> {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.seat.connection.clone()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Line<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.goes_on(cx)?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.missing = self.missing.saturating_sub(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Line<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.goes_on(cx)?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.goes_on(cx)?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.goes_on(cx)?;
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
