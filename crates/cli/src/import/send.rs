//! Sending batches in a stream, and again from the first that was not answered when it breaks off.

use std::time::Duration;

use nonrecours_contracts::followup::{
    PushBatch, PushMode, PushOpening, PushRecordsRequest, PushRecordsResponse, Record,
    push_records_request::Message, push_service_client::PushServiceClient,
};
use nonrecours_rpc::client::PeerChannel;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::client::may_be_sent_again;

/// Records in a batch. Three for each would still be within what a batch may have: see [`super::run`].
pub const BATCH: usize = 300;
/// Bytes of a batch, about: a message beyond 4 MiB is refused.
pub const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Attempts at one batch before giving up.
const ATTEMPTS: u32 = 12;
/// Pause after a first failure; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the answer to a batch is waited for.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Sends batches under one convention.
pub struct Sender {
    client: PushServiceClient<PeerChannel>,
    opening: PushOpening,
    stream: Option<Stream>,
    /// How often a stream broke off and another was opened.
    pub resumed: u32,
}

struct Stream {
    batches: mpsc::Sender<PushRecordsRequest>,
    answers: Streaming<PushRecordsResponse>,
    sequence: i64,
}

impl Sender {
    /// Nothing is opened yet.
    pub fn new(client: PushServiceClient<PeerChannel>, convention: &str, dry_run: bool) -> Self {
        let mode = if dry_run {
            PushMode::Validate
        } else {
            PushMode::Commit
        };
        Self {
            client,
            opening: PushOpening {
                convention: convention.to_owned(),
                mode: mode.into(),
                ..PushOpening::default()
            },
            stream: None,
            resumed: 0,
        }
    }

    /// Sends one batch and waits until it is answered, hence durable. What broke off is opened again: what was durable by
    /// then is found unchanged.
    pub async fn send(&mut self, records: Vec<Record>) -> Result<PushRecordsResponse, Status> {
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            match self.try_send(records.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(status) if attempt < ATTEMPTS && may_be_sent_again(&status) => {
                    self.stream = None;
                    self.resumed += 1;
                    attempt += 1;
                    tracing::debug!(code = ?status.code(), attempt, "sending the batch again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(status) => return Err(status),
            }
        }
    }

    async fn try_send(&mut self, records: Vec<Record>) -> Result<PushRecordsResponse, Status> {
        let exchange = async {
            if self.stream.is_none() {
                self.stream = Some(Stream::open(&mut self.client, &self.opening).await?);
            }
            let stream = self.stream.as_mut().ok_or_else(broke_off)?;
            stream.exchange(records).await
        };
        tokio::time::timeout(LONGEST_ANSWER, exchange)
            .await
            .unwrap_or_else(|_| Err(broke_off()))
    }
}

impl Stream {
    async fn open(
        client: &mut PushServiceClient<PeerChannel>,
        opening: &PushOpening,
    ) -> Result<Self, Status> {
        // One batch is under way at a time, behind the opening.
        let (batches, outgoing) = mpsc::channel(2);
        let first = PushRecordsRequest {
            message: Some(Message::Opening(opening.clone())),
        };
        batches.send(first).await.map_err(|_| broke_off())?;
        let answers = client.push_records(ReceiverStream::new(outgoing)).await?;
        Ok(Self {
            batches,
            answers: answers.into_inner(),
            sequence: 0,
        })
    }

    async fn exchange(&mut self, records: Vec<Record>) -> Result<PushRecordsResponse, Status> {
        self.sequence += 1;
        let batch = PushRecordsRequest {
            message: Some(Message::Batch(PushBatch {
                sequence: self.sequence,
                records,
            })),
        };
        // A stream that takes nothing more has ended: why is what it answers.
        let sent = self.batches.send(batch).await;
        match self.answers.message().await? {
            Some(answer) if sent.is_ok() && answer.sequence == self.sequence => Ok(answer),
            _ => Err(broke_off()),
        }
    }
}

/// The stream ended without a word.
fn broke_off() -> Status {
    Status::unavailable("the stream broke off")
}
