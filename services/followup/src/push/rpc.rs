//! The stream of batches: one in hand at a time, the next one read once the answer to it is taken.

use std::time::Duration;

use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use nonrecours_contracts::followup::{
    PushRecordsOnceRequest, PushRecordsRequest, PushRecordsResponse,
    push_records_request::Message,
    push_service_server::{PushService, PushServiceServer},
};
use nonrecours_kernel::{Caller, ConventionName, IdSource, Invalid, Scope, Violation};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, field, open};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::{
    batch::Rules,
    intake::{Intake, rules},
};
use crate::{error::Error, vault::Vault};

/// Largest message, bytes. The transport refuses a larger one with OUT_OF_RANGE.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// How long a stream may stay silent while its next message is awaited.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// Takes the records that operators' software pushes.
pub struct Pushes {
    intake: Intake,
    shutdown: CancellationToken,
}

impl Pushes {
    /// The rpcs over the service's database and keys. When `shutdown` begins, streams end after the batch in hand.
    pub fn server(
        db: Db,
        ids: IdSource,
        vault: Vault,
        shutdown: CancellationToken,
    ) -> PushServiceServer<Self> {
        PushServiceServer::new(Self {
            intake: Intake::new(db, ids, vault),
            shutdown,
        })
        .max_decoding_message_size(MAX_MESSAGE)
    }

    async fn once(
        &self,
        request: Request<PushRecordsOnceRequest>,
    ) -> Result<PushRecordsResponse, Error> {
        let (caller, request) = open(request)?;
        let convention: ConventionName = field("convention", &request.convention)?;
        let scope = caller.reach(convention.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let rules = rules(request.mode(), request.unit());
        self.intake
            .take(&scope, &convention, rules, 0, &request.records)
            .await
    }
}

#[tonic::async_trait]
impl PushService for Pushes {
    type PushRecordsStream = BoxStream<'static, Result<PushRecordsResponse, Status>>;

    async fn push_records(
        &self,
        request: Request<Streaming<PushRecordsRequest>>,
    ) -> Result<Response<Self::PushRecordsStream>, Status> {
        let (caller, inbound) = open(request)?;
        let opening = Opening {
            intake: self.intake.clone(),
            caller,
            messages: Messages {
                inbound,
                shutdown: self.shutdown.clone(),
            },
        };
        // Polled, and so driven, by the answer's consumer: a client that does not read is not read from either.
        let answers = stream::once(opening.open())
            .map_ok(|opened| stream::try_unfold(opened, Opened::answer))
            .try_flatten();
        Ok(Response::new(answers.boxed()))
    }

    async fn push_records_once(
        &self,
        request: Request<PushRecordsOnceRequest>,
    ) -> Result<Response<PushRecordsResponse>, Status> {
        Ok(Response::new(self.once(request).await?))
    }
}

/// A stream whose first message has not been read.
struct Opening {
    intake: Intake,
    caller: Caller,
    messages: Messages<Streaming<PushRecordsRequest>>,
}

impl Opening {
    async fn open(mut self) -> Result<Opened, Status> {
        let first = self.messages.next(MAX_SILENCE).await?.unwrap_or_default();
        let Some(Message::Opening(opening)) = &first.message else {
            return Err(misplaced("opening", "OPENING_MISSING"));
        };
        let convention: ConventionName = field("opening.convention", &opening.convention)?;
        let scope = self
            .caller
            .reach(convention.operator)
            .map_err(Error::from)?;
        Check::of(&first).finish(|| Some(()))?;
        self.intake.check(&scope, &convention).await?;
        Ok(Opened {
            rules: rules(opening.mode(), opening.unit()),
            intake: self.intake,
            messages: self.messages,
            scope,
            convention,
            answered: 0,
        })
    }
}

/// A stream of batches under one convention.
struct Opened {
    intake: Intake,
    messages: Messages<Streaming<PushRecordsRequest>>,
    scope: Scope,
    convention: ConventionName,
    rules: Rules,
    answered: i64,
}

impl Opened {
    /// Reads, stores and answers the next batch; nothing once the client has ended the stream.
    async fn answer(mut self) -> Result<Option<(PushRecordsResponse, Self)>, Status> {
        let Some(request) = self.messages.next(MAX_SILENCE).await? else {
            return Ok(None);
        };
        Check::of(&request).finish(|| Some(()))?;
        let batch = match request.message {
            Some(Message::Batch(batch)) => batch,
            Some(Message::Opening(_)) | None => {
                return Err(misplaced("opening", "OPENING_REPEATED"));
            }
        };
        if batch.sequence != self.answered + 1 {
            return Err(misplaced("batch.sequence", "SEQUENCE_OUT_OF_ORDER"));
        }
        let span = tracing::info_span!(
            "push.batch",
            nonrecours.batch.sequence = batch.sequence,
            nonrecours.batch.records = batch.records.len(),
        );
        let stored = self.intake.take(
            &self.scope,
            &self.convention,
            self.rules,
            batch.sequence,
            &batch.records,
        );
        let answer = stored.instrument(span).await?;
        self.answered = batch.sequence;
        Ok(Some((answer, self)))
    }
}

/// The messages of a client.
struct Messages<S> {
    inbound: S,
    shutdown: CancellationToken,
}

impl<S, M> Messages<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    /// The next one; `None` at the end. Refused with UNAVAILABLE once the service is to end, with DEADLINE_EXCEEDED after
    /// a silence.
    async fn next(&mut self, max_silence: Duration) -> Result<Option<M>, Status> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Failure::unavailable(&Stopping).into()),
            message = tokio::time::timeout(max_silence, self.inbound.next()) => match message {
                Ok(message) => message.transpose(),
                Err(_) => Err(Failure::deadline_exceeded().into()),
            },
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the service is stopping")]
struct Stopping;

/// INVALID_REQUEST for a message that does not come in its place.
fn misplaced(field: &str, reason: &'static str) -> Status {
    let invalid = Invalid::new(
        reason,
        "a stream has one opening, first, then batches numbered 1, 2, 3…",
        "un envoi commence par une seule ouverture, puis les lots sont numérotés 1, 2, 3… : reprenez dans cet ordre",
    );
    Failure::invalid(vec![Violation::at(field, invalid)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    fn messages<S>(inbound: S) -> Messages<S> {
        Messages {
            inbound,
            shutdown: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_silent_stream_is_ended() {
        let mut messages = messages(stream::pending::<Result<(), Status>>());
        let status = messages.next(SHORT).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_stopping_service_ends_streams_between_messages() {
        let mut messages = messages(stream::iter([Ok(1), Ok(2)]));
        assert_eq!(messages.next(MAX_SILENCE).await.unwrap(), Some(1));
        messages.shutdown.cancel();
        let status = messages.next(MAX_SILENCE).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
    }

    #[tokio::test]
    async fn the_end_and_the_failure_of_a_stream_are_told_apart() {
        let mut messages = messages(stream::iter([Ok(1), Err(Status::cancelled("gone"))]));
        assert_eq!(messages.next(MAX_SILENCE).await.unwrap(), Some(1));
        assert_eq!(
            messages.next(MAX_SILENCE).await.unwrap_err().code(),
            tonic::Code::Cancelled
        );
        assert_eq!(messages.next(MAX_SILENCE).await.unwrap(), None);
    }
}
