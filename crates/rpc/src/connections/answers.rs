//! The answers on a connection, each message followed until it has left.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{
    Status,
    body::Body,
    codegen::{BoxFuture, Bytes},
};
use tower::{Layer, Service};

use super::{Calling, Connection};

/// The same message, which holds something until it has been written to the connection, or dropped with it: what a client asks
/// for and does not read waits in memory, after the call that made it has ended.
pub(crate) fn until_sent<H: Send + 'static>(frame: Frame<Bytes>, held: H) -> Frame<Bytes> {
    struct Sent<H> {
        bytes: Bytes,
        _held: H,
    }

    impl<H> AsRef<[u8]> for Sent<H> {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    frame.map_data(|bytes| Bytes::from_owner(Sent { bytes, _held: held }))
}

/// Notes which calls are under way on a connection, and which messages of theirs have not left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLayer;

impl<S> Layer<S> for ConnectionLayer {
    type Service = Noted<S>;

    fn layer(&self, inner: S) -> Noted<S> {
        Noted { inner }
    }
}

/// Service of [`ConnectionLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Noted<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Noted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let calling = request.extensions().get().map(Connection::call);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(match calling {
                Some(calling) => response.map(|inner| Body::new(NotedBody { inner, calling })),
                None => response,
            })
        })
    }
}

/// The messages of an answer, each noted until it has left.
struct NotedBody {
    inner: Body,
    calling: Calling,
}

impl http_body::Body for NotedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        polled.map_ok(|frame| {
            if frame.is_data() {
                until_sent(frame, self.calling.message())
            } else {
                frame
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
