//! Deadlines: the caller's own (`grpc-timeout`) and the service's limit.
//!
//! tonic reports a timeout of its own as CANCELLED, which tells a caller that somebody gave up, not that time ran out. It
//! looks at the answer before it looks at its clock, and our clock starts first: on the server it never wins.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::{
    Code, Status, TimeoutExpired,
    body::Body,
    codegen::{BoxFuture, Bytes, StdError},
};
use tower::{Layer, Service};

use crate::{failure::Failure, rules::POOL};

/// Header of the caller's deadline.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Most digits of a `grpc-timeout` (gRPC over HTTP/2).
const GRPC_TIMEOUT_DIGITS: usize = 8;

/// Longest time until the headers of the answer to a stream of requests: it can only come once they have all been
/// received. Whoever takes such a stream bounds its length and its silence.
const MAX_STREAMED: Duration = Duration::from_secs(10 * 60);

/// Paths of the rpcs that take a stream of requests.
static STREAMED: LazyLock<HashSet<String>> = LazyLock::new(|| {
    POOL.services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(prost_reflect::MethodDescriptor::is_client_streaming)
        .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
        .collect()
});

/// Longest chain of causes that is searched for a timeout.
const MAX_CAUSES: usize = 10;

/// Answers DEADLINE_EXCEEDED (reason `DEADLINE_EXCEEDED`) when the caller's deadline passes, whether nothing was answered
/// yet or a stream is under way, or when nothing was answered within the service's limit, which streams may outlast.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    max: Duration,
}

impl DeadlineLayer {
    /// `max`: longest time until the headers of an answer to a single request. A caller's `grpc-timeout` can only shorten
    /// it.
    pub fn new(max: Duration) -> Self {
        Self { max }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            inner,
            max: self.max,
        }
    }
}

/// Service of [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    max: Duration,
}

impl<S, B> Service<Request<B>> for Deadline<S>
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
        let now = Instant::now();
        let asked = grpc_timeout(request.headers());
        let max = if STREAMED.contains(request.uri().path()) {
            MAX_STREAMED
        } else {
            self.max
        };
        let until_headers = asked.map_or(max, |asked| asked.min(max));
        let answer = tokio::time::timeout(until_headers, self.inner.call(request));
        Box::pin(async move {
            let Ok(answer) = answer.await else {
                return Ok(expired().into_http());
            };
            let response = answer?;
            // A deadline beyond what the clock can hold is none.
            let deadline = asked.and_then(|asked| now.checked_add(asked));
            Ok(match deadline {
                Some(deadline) if !response.body().is_end_stream() => {
                    response.map(|inner| Body::new(DeadlineBody::new(inner, deadline)))
                }
                _ => response,
            })
        })
    }
}

/// The status of a call that failed before an answer came: DEADLINE_EXCEEDED where tonic says CANCELLED of its own
/// timeout.
pub(crate) fn client_status(error: StdError) -> Status {
    let first: &(dyn std::error::Error + 'static) = &*error;
    let timed_out = std::iter::successors(Some(first), |error| error.source())
        .take(MAX_CAUSES)
        .any(|error| error.is::<TimeoutExpired>());
    if timed_out {
        expired()
    } else {
        Status::from_error(error)
    }
}

fn expired() -> Status {
    Status::from(Failure::deadline_exceeded())
}

/// The caller's `grpc-timeout`: at most eight digits and a unit. One that cannot be read counts as absent, as everywhere
/// in tonic: the service's limit still holds.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > GRPC_TIMEOUT_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// The messages of an answer, up to the caller's deadline.
struct DeadlineBody {
    inner: Body,
    sleep: Pin<Box<Sleep>>,
}

impl DeadlineBody {
    fn new(inner: Body, deadline: Instant) -> Self {
        Self {
            inner,
            sleep: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.sleep.as_mut().poll(cx));
        // Stops the handler's stream; the trailers are the last frame of this body.
        self.inner = Body::empty();
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&expired())))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A status as trailers.
fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Only a message or details that no header can hold get here: the code alone always can.
        trailers.insert(
            "grpc-status",
            HeaderValue::from(Code::DeadlineExceeded as i32),
        );
    }
    trailers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How long a call on that path waits for the headers of its answer, which never come.
    async fn waited(path: &str, timeout: Option<&'static str>) -> Duration {
        let never = tower::service_fn(|_: Request<Body>| {
            std::future::pending::<Result<Response<Body>, std::convert::Infallible>>()
        });
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        if let Some(timeout) = timeout {
            let timeout = HeaderValue::from_static(timeout);
            request.headers_mut().insert(GRPC_TIMEOUT, timeout);
        }
        let begun = Instant::now();
        let mut limited = DeadlineLayer::new(Duration::from_secs(30)).layer(never);
        let answer = limited.call(request).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_requests_has_the_time_to_come() {
        let single = "/nonrecours.conventions.v1.AttachmentService/GetAttachment";
        let stream = "/nonrecours.conventions.v1.AttachmentService/UploadAttachment";
        let seconds = Duration::from_secs;
        assert_eq!(waited(single, None).await, seconds(30));
        assert_eq!(waited(single, Some("60S")).await, seconds(30));
        assert_eq!(waited(stream, None).await, MAX_STREAMED);
        assert_eq!(waited(stream, Some("60S")).await, seconds(60));
    }

    fn read(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(value).ok()?);
        grpc_timeout(&headers)
    }

    #[test]
    fn reads_every_unit() {
        for (value, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("6n", Duration::from_nanos(6)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(read(value), Some(expected), "{value}");
        }
        assert_eq!(grpc_timeout(&HeaderMap::new()), None);
    }

    #[test]
    fn ignores_what_is_no_timeout() {
        for value in [
            "",
            "S",
            "12",
            "+1S",
            "-1S",
            " 1S",
            "1 S",
            "1s",
            "123456789S",
            "1.5S",
        ] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_reads_back_seconds(text in "\\PC{0,12}", seconds in 0_u32..=99_999_999) {
            read(&text);
            prop_assert_eq!(read(&format!("{seconds}S")), Some(Duration::from_secs(seconds.into())));
        }
    }
}
