//! The stream of batches: two in hand at a time, the next one read once the answer to the first of them is taken.

use std::{ops::RangeInclusive, time::Duration};

use futures_util::{
    FutureExt as _, Stream, StreamExt as _, TryStreamExt as _, future,
    stream::{self, BoxStream},
};
use nonrecours_contracts::followup::{
    GetPushProgressRequest, PushProgress, PushRecordsOnceRequest, PushRecordsRequest,
    PushRecordsResponse, Record,
    push_records_request::Message,
    push_service_server::{PushService, PushServiceServer},
};
use nonrecours_kernel::{Caller, ConventionName, IdSource, Invalid, Scope, Violation};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, field, open};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    batch::Rules,
    intake::{Intake, rules},
    mark::Mark,
    turn::{Ahead, Turn},
};
use crate::{error::Error, vault::Vault};

/// Batches of one stream that are being stored at once.
const BATCHES_IN_HAND: usize = 2;
/// Records in a batch at most, as the contract says.
const MAX_RECORDS: usize = 1000;
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
        let (caller, mut request) = open(request)?;
        let convention: ConventionName = field("convention", &request.convention)?;
        let scope = caller.reach(convention.operator)?;
        let records = apart(&mut request.records);
        Check::of(&request).finish(|| Some(()))?;
        let rules = rules(request.mode(), request.unit());
        self.intake
            .take_one(&scope, &convention, rules, records)
            .await
    }

    async fn progress(
        &self,
        request: Request<GetPushProgressRequest>,
    ) -> Result<PushProgress, Error> {
        let (caller, request) = open(request)?;
        let convention: ConventionName = field("convention", &request.convention)?;
        let scope = caller.reach(convention.operator)?;
        let mut check = Check::of(&request);
        let stream = check.take("stream_id", stream_id(&request.stream_id));
        let stream = check.finish(|| stream)?;
        let last_sequence = self.intake.progress(&scope, &convention, stream).await?;
        Ok(PushProgress { last_sequence })
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
        // Polled by the answer's consumer: a client that does not read is soon not read from either. A refusal comes
        // after the answers to what was sent before it.
        let answers = stream::once(opening.open())
            .map_ok(|opened| stream::try_unfold(opened, Opened::next))
            .try_flatten()
            .map(|answer| match answer {
                Ok(answer) => answer.left_future(),
                Err(status) => future::ready(Err(status)).right_future(),
            })
            .buffered(BATCHES_IN_HAND);
        Ok(Response::new(answers.boxed()))
    }

    async fn push_records_once(
        &self,
        request: Request<PushRecordsOnceRequest>,
    ) -> Result<Response<PushRecordsResponse>, Status> {
        Ok(Response::new(self.once(request).await?))
    }

    async fn get_push_progress(
        &self,
        request: Request<GetPushProgressRequest>,
    ) -> Result<Response<PushProgress>, Status> {
        Ok(Response::new(self.progress(request).await?))
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
        let mut check = Check::of(&first);
        let rules = rules(opening.mode(), opening.unit());
        let stream = match opening.stream_id.as_str() {
            "" => None,
            id => check.take("opening.stream_id", stream_id(id)),
        };
        if stream.is_some() && rules.dry_run {
            check.refuse("opening.stream_id", nothing_to_resume());
        }
        check.finish(|| Some(()))?;
        let done = self.intake.check(&scope, &convention, stream).await?;
        Ok(Opened {
            intake: self.intake,
            messages: self.messages,
            scope,
            convention,
            rules,
            stream,
            first: 1..=done + 1,
            before: None,
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
    /// The client's id of it, by which it can be resumed.
    stream: Option<Uuid>,
    /// Numbers that its first batch may have.
    first: RangeInclusive<i64>,
    /// Number of the batch before, and its turn.
    before: Option<(i64, Ahead)>,
}

impl Opened {
    /// Reads the next batch, and begins to store it; gives what becomes its answer. Nothing once the client has ended the
    /// stream.
    async fn next(
        mut self,
    ) -> Result<
        Option<(
            impl Future<Output = Result<PushRecordsResponse, Status>>,
            Self,
        )>,
        Status,
    > {
        let Some(mut request) = self.messages.next(MAX_SILENCE).await? else {
            return Ok(None);
        };
        let mut records = Vec::new();
        if let Some(Message::Batch(batch)) = &mut request.message {
            records = apart(&mut batch.records);
        }
        Check::of(&request).finish(|| Some(()))?;
        let mut batch = match request.message {
            Some(Message::Batch(batch)) => batch,
            Some(Message::Opening(_)) | None => {
                return Err(misplaced("opening", "OPENING_REPEATED"));
            }
        };
        let in_order = match &self.before {
            Some((before, _)) => batch.sequence == before + 1,
            None => self.first.contains(&batch.sequence),
        };
        if !in_order {
            return Err(misplaced("batch.sequence", "SEQUENCE_OUT_OF_ORDER"));
        }
        batch.records = records;
        let ahead = self.before.take().map(|(_, ahead)| ahead);
        let turn = Turn::behind(ahead, &batch.records);
        self.before = Some((batch.sequence, turn.ahead()));
        let span = tracing::info_span!(
            "push.batch",
            nonrecours.batch.sequence = batch.sequence,
            nonrecours.batch.records = batch.records.len(),
        );
        let (intake, scope, convention) =
            (self.intake.clone(), self.scope.clone(), self.convention);
        let (rules, stream) = (self.rules, self.stream);
        // A task each, so that two are in hand at once.
        let storing = tokio::spawn(
            async move {
                let mark = stream.map(|stream| Mark::of(stream, &batch));
                intake
                    .take(
                        &scope,
                        &convention,
                        rules,
                        (batch.sequence, &batch.records),
                        mark.as_ref(),
                        &turn,
                    )
                    .await
            }
            .instrument(span),
        );
        let answer = async move {
            match storing.await {
                Ok(answer) => Ok(answer?),
                Err(error) => Err(Failure::internal(&error).into()),
            }
        };
        Ok(Some((answer, self)))
    }
}

/// Takes the records out of a message, and leaves as much as its own rules look at: records have none there, and are read
/// one by one.
fn apart(records: &mut Vec<Record>) -> Vec<Record> {
    let left = if records.len() > MAX_RECORDS {
        records.len()
    } else {
        records.len().min(1)
    };
    std::mem::replace(records, vec![Record::default(); left])
}

/// Reads a client's id of a stream.
fn stream_id(id: &str) -> Result<Uuid, Invalid> {
    Uuid::try_parse(id).map_err(|_| {
        Invalid::new(
            "STREAM_ID_INVALID",
            "the id of a stream is a UUID",
            "l'identifiant d'un envoi est un UUID : tirez-en un au hasard pour chaque nouvel envoi",
        )
    })
}

/// `STREAM_OF_DRY_RUN`.
fn nothing_to_resume() -> Invalid {
    Invalid::new(
        "STREAM_OF_DRY_RUN",
        "a dry run stores nothing, so there is nothing to resume",
        "un envoi à blanc n'enregistre rien, il n'y a donc rien à reprendre : retirez l'identifiant de l'envoi",
    )
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
