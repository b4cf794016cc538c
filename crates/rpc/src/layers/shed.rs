//! Load shedding: a full service says so at once instead of making everybody wait.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use opentelemetry::{KeyValue, global, metrics::Counter};
use tokio::sync::Semaphore;
use tonic::{
    Status,
    body::Body,
    codegen::{BoxFuture, Bytes},
};
use tower::{Layer, Service};

use crate::{connections::until_sent, failure::Failure, telemetry::method};

/// Answers RESOURCE_EXHAUSTED (reason `OVERLOADED`, with `RetryInfo`) to calls beyond a number under way, and counts them
/// in `nonrecours.rpc.shed`. Clones share the number: it holds for all connections. Health checks are not counted,
/// since a full service is a healthy one.
#[derive(Clone, Debug)]
pub struct ShedLayer {
    places: Arc<Semaphore>,
    shed: Counter<u64>,
}

impl ShedLayer {
    /// `max_in_flight`: most calls under way at once, each until its answer has left.
    pub fn new(max_in_flight: usize) -> Self {
        let places = Semaphore::new(max_in_flight.min(Semaphore::MAX_PERMITS));
        let shed = global::meter("nonrecours-rpc")
            .u64_counter("nonrecours.rpc.shed")
            .with_unit("{call}")
            .with_description("Calls refused because the service was full")
            .build();
        Self {
            places: Arc::new(places),
            shed,
        }
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed {
            inner,
            limit: self.clone(),
        }
    }
}

/// Service of [`ShedLayer`].
#[derive(Clone, Debug)]
pub struct Shed<S> {
    inner: S,
    limit: ShedLayer,
}

impl<S, B> Service<Request<B>> for Shed<S>
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
        let path = request.uri().path();
        if method::is_health(path) {
            return Box::pin(self.inner.call(request));
        }
        let Ok(place) = Arc::clone(&self.limit.places).try_acquire_owned() else {
            let method = KeyValue::new("rpc.method", method::of_path(path));
            self.limit.shed.add(1, &[method]);
            let status = Status::from(Failure::overloaded());
            return Box::pin(async move { Ok(status.into_http()) });
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|inner| Body::new(HeldBody::new(inner, place))))
        })
    }
}

/// The messages of an answer, which keep the call's place until the last one has left: whoever asks and does not read takes
/// no more memory than its places.
pub(crate) struct HeldBody<P> {
    inner: Body,
    place: Option<Arc<P>>,
}

impl<P> HeldBody<P> {
    pub(crate) fn new(inner: Body, place: P) -> Self {
        Self {
            inner,
            place: Some(Arc::new(place)),
        }
    }
}

impl<P: Send + Sync + 'static> http_body::Body for HeldBody<P> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx).map_ok(|frame| {
            match self.place.clone().filter(|_| frame.is_data()) {
                Some(place) => until_sent(frame, place),
                None => frame,
            }
        });
        // Before the caller can see the end, so that its next call finds the place free.
        let is_last = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(Some(Err(_)) | None) => true,
            Poll::Pending => false,
        };
        if is_last {
            self.place = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
