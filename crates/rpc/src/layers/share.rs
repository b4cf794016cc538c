//! What one caller may take of a service, so that the others are served too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use nonrecours_kernel::{Caller, Role};
use opentelemetry::{KeyValue, global, metrics::Counter};
use tokio::time::Instant;
use tonic::{Status, body::Body, codegen::BoxFuture};
use tower::{Layer, Service};

use super::shed::HeldBody;
use crate::{failure::Failure, telemetry::method};

/// Callers that are remembered at most; those who have nothing in hand and owe nothing are forgotten first.
const MAX_CALLERS: usize = 10_000;
/// How far a caller may run ahead of its rate: what it did not use before.
const BURST: Duration = Duration::from_secs(2);
/// Requests in hand at once of all who do not say who they are: what is open to everybody must not take the places of all.
const NOBODY_IN_HAND: usize = 64;
/// Delay given to who has too much in hand: something of it may end meanwhile.
const WHILE_FULL: Duration = Duration::from_millis(200);

/// Answers RESOURCE_EXHAUSTED (reason `OVERLOADED`, with `RetryInfo`) to the calls of a caller beyond a rate, or beyond a number
/// under way, and counts them in `nonrecours.rpc.shed`. A caller is a subject, and all who need no token (reflection, watching health) are one; the other services are not limited:
/// what they do stands for the work of all. Behind the [access layer](super::access), which says who calls.
#[derive(Clone)]
pub struct ShareLayer {
    shares: Arc<Shares>,
}

impl ShareLayer {
    /// `rate`: calls of one caller in a second; `in_hand`: under way at once, each until its answer has left.
    pub fn new(rate: u32, in_hand: usize) -> Self {
        let refused = global::meter("nonrecours-rpc")
            .u64_counter("nonrecours.rpc.shed")
            .with_unit("{call}")
            .with_description("Calls refused because the service was full")
            .build();
        Self {
            shares: Arc::new(Shares {
                pause: Duration::from_secs(1) / rate.max(1),
                in_hand,
                callers: Mutex::default(),
                refused,
            }),
        }
    }
}

/// Subject of those who do not say who they are; no caller has it.
const NOBODY: &str = "";
/// Answered at once whoever asks: a full service is a healthy one.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

struct Shares {
    /// Between two calls of a caller, in the long run.
    pause: Duration,
    in_hand: usize,
    callers: Mutex<HashMap<String, Share>>,
    refused: Counter<u64>,
}

struct Share {
    in_hand: usize,
    /// Until when the calls so far are paid for, one pause each: never more than the burst ahead.
    paid: Instant,
}

impl Shares {
    /// A place for one call more, or when to come again.
    fn take(self: &Arc<Self>, subject: &str) -> Result<Place, Duration> {
        let most = if subject == NOBODY {
            NOBODY_IN_HAND.min(self.in_hand)
        } else {
            self.in_hand
        };
        let now = Instant::now();
        // Numbers only: a panic elsewhere cannot have spoilt them.
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MAX_CALLERS && !callers.contains_key(subject) {
            callers.retain(|_, share| share.in_hand > 0 || share.paid > now);
            if callers.len() >= MAX_CALLERS {
                return Err(WHILE_FULL);
            }
        }
        let share = callers.entry(subject.to_owned()).or_insert(Share {
            in_hand: 0,
            paid: now,
        });
        let ahead = share.paid.saturating_duration_since(now);
        if ahead > BURST {
            return Err(ahead - BURST);
        }
        if share.in_hand >= most {
            return Err(WHILE_FULL);
        }
        share.paid = share.paid.max(now) + self.pause;
        share.in_hand += 1;
        Ok(Place {
            shares: Arc::clone(self),
            subject: subject.to_owned(),
        })
    }
}

/// The place of one call, given back when it is dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    subject: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut callers = self
            .shares
            .callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = callers.get_mut(&self.subject) {
            share.in_hand = share.in_hand.saturating_sub(1);
        }
    }
}

impl<S> Layer<S> for ShareLayer {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared {
            inner,
            shares: Arc::clone(&self.shares),
        }
    }
}

/// Service of [`ShareLayer`].
#[derive(Clone)]
pub struct Shared<S> {
    inner: S,
    shares: Arc<Shares>,
}

impl<S, B> Service<Request<B>> for Shared<S>
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
        let subject = match request.extensions().get::<Caller>() {
            Some(caller) if caller.has(Role::PeerService) => None,
            Some(caller) => Some(caller.subject.as_str()),
            None if request.uri().path() == HEALTH_CHECK => None,
            None => Some(NOBODY),
        };
        let Some(subject) = subject else {
            return Box::pin(self.inner.call(request));
        };
        let place = match self.shares.take(subject) {
            Ok(place) => place,
            Err(delay) => {
                let method = KeyValue::new("rpc.method", method::of_path(request.uri().path()));
                self.shares.refused.add(1, &[method]);
                let status = Status::from(Failure::overloaded_for(delay));
                return Box::pin(async move { Ok(status.into_http()) });
            }
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|inner| Body::new(HeldBody::new(inner, place))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(rate: u32, in_hand: usize) -> Arc<Shares> {
        ShareLayer::new(rate, in_hand).shares
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_keeps_its_rate_and_may_catch_up_for_a_moment() {
        let shares = shares(10, usize::MAX);
        let burst = std::iter::repeat_with(|| shares.take("camille").is_ok());
        // Two seconds of ten, and the one that is paid for afterwards.
        assert_eq!(burst.take(50).filter(|taken| *taken).count(), 21);
        assert!(shares.take("dominique").is_ok(), "others are served");
        let delay = shares.take("camille").err().unwrap();
        assert_eq!(
            delay,
            Duration::from_millis(100),
            "when the next one is due"
        );
        tokio::time::advance(delay).await;
        assert!(shares.take("camille").is_ok());
        assert!(shares.take("camille").is_err());
        tokio::time::advance(Duration::from_secs(3600)).await;
        let rested = std::iter::repeat_with(|| shares.take("camille").is_ok());
        assert_eq!(
            rested.take(50).filter(|taken| *taken).count(),
            21,
            "an hour saves up two seconds"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_so_much_in_hand_and_no_more() {
        let shares = shares(1_000_000, 3);
        let mut held: Vec<_> = (0..3)
            .map(|_| shares.take("camille").ok().unwrap())
            .collect();
        assert_eq!(shares.take("camille").err(), Some(WHILE_FULL));
        assert!(shares.take("dominique").is_ok());
        held.pop();
        assert!(shares.take("camille").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_forgotten_and_memory_stays_bounded() {
        let shares = shares(1, 1);
        for number in 0..MAX_CALLERS {
            drop(shares.take(&number.to_string()));
        }
        assert!(shares.take("one more").is_err(), "each still owes a second");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(shares.take("one more").is_ok());
        assert!(shares.callers.lock().unwrap().len() < 10);
    }
}
