//! The messages of an upload, within limits of size, memory and time.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use nonrecours_contracts::conventions::{
    AttachmentOpening, UploadAttachmentRequest, upload_attachment_request::Message,
};
use nonrecours_kernel::{Invalid, Violation};
use nonrecours_rpc::Failure;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Largest chunk, in bytes.
pub const MAX_CHUNK: usize = 64 * 1024;
/// Largest message, in bytes: a chunk and what stands around it. The transport refuses a larger one with OUT_OF_RANGE.
pub const MAX_MESSAGE: usize = 128 * 1024;
/// Longest silence of an upload.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// Longest time until all has come: 20 MiB at 0.6 Mbit/s.
const MAX_UPLOAD: Duration = Duration::from_secs(5 * 60);
/// What all uploads of an instance may hold in memory together, in KiB.
const MEMORY: usize = 64 * 1024;
/// Bytes that one place in memory stands for.
const PLACE: usize = 1024;

/// The memory that uploads share.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY)))
    }
}

impl Memory {
    /// Takes some places. Refused with OVERLOADED when the others hold them.
    fn take(&self, places: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        Arc::clone(&self.0)
            .try_acquire_many_owned(places)
            .map_err(|_| Failure::overloaded())
    }
}

/// The bytes of a file that has come whole. Their place in memory is free again when it is dropped.
pub struct Content {
    /// The bytes.
    pub bytes: Bytes,
    _held: OwnedSemaphorePermit,
}

/// An upload as it comes in.
pub struct Upload<S> {
    inbound: S,
    memory: Memory,
    shutdown: CancellationToken,
    until: Instant,
}

impl<S> Upload<S>
where
    S: Stream<Item = Result<UploadAttachmentRequest, Status>> + Unpin,
{
    /// From now on it has [`MAX_UPLOAD`].
    pub fn new(inbound: S, memory: Memory, shutdown: CancellationToken) -> Self {
        Self {
            inbound,
            memory,
            shutdown,
            until: Instant::now() + MAX_UPLOAD,
        }
    }

    /// The first message. Refused when it opens nothing.
    pub async fn opening(&mut self) -> Result<AttachmentOpening, Status> {
        match self.next().await? {
            Some(Message::Opening(opening)) => Ok(opening),
            Some(Message::Chunk(_)) | None => Err(misplaced("OPENING_MISSING").into()),
        }
    }

    /// The bytes, as many as announced.
    pub async fn content(mut self, size: usize) -> Result<Content, Status> {
        // Room for all at once: pages of memory are taken as they fill, and nothing is copied to grow.
        let mut bytes = BytesMut::with_capacity(size);
        let mut held = self.memory.take(0)?;
        while let Some(message) = self.next().await? {
            let Message::Chunk(chunk) = message else {
                return Err(misplaced("OPENING_REPEATED").into());
            };
            if chunk.len() > MAX_CHUNK {
                return Err(refused("chunk", chunk_too_large()).into());
            }
            let length = bytes.len() + chunk.len();
            if length > size {
                return Err(refused("opening.size_bytes", another_size(size)).into());
            }
            let needed = length.div_ceil(PLACE);
            held.merge(self.memory.take(needed - held.num_permits())?);
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() < size {
            return Err(refused("opening.size_bytes", another_size(size)).into());
        }
        Ok(Content {
            bytes: bytes.freeze(),
            _held: held,
        })
    }

    /// The next message; `None` at the end. Refused with UNAVAILABLE once the service is to end, with DEADLINE_EXCEEDED
    /// after a silence or when time is up.
    async fn next(&mut self) -> Result<Option<Message>, Status> {
        let until = self.until.min(Instant::now() + MAX_SILENCE);
        let message = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Err(Failure::unavailable(&Stopping).into()),
            message = timeout_at(until, self.inbound.next()) => message,
        };
        let request = message
            .map_err(|_| Failure::deadline_exceeded())?
            .transpose()?;
        match request {
            None => Ok(None),
            Some(UploadAttachmentRequest { message: None }) => Err(misplaced("REQUIRED").into()),
            Some(UploadAttachmentRequest { message }) => Ok(message),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the service is stopping")]
struct Stopping;

fn refused(field: &str, invalid: Invalid) -> Failure {
    Failure::invalid(vec![Violation::at(field, invalid)])
}

/// INVALID_REQUEST for a message that does not come in its place.
fn misplaced(reason: &'static str) -> Failure {
    let invalid = Invalid::new(
        reason,
        "an upload has one opening, first, then chunks",
        "un dépôt commence par une seule ouverture, puis viennent les morceaux du fichier : reprenez dans cet ordre",
    );
    refused("opening", invalid)
}

fn chunk_too_large() -> Invalid {
    Invalid::new(
        "CHUNK_TOO_LARGE",
        format!("a chunk has at most {MAX_CHUNK} bytes"),
        format!("Un morceau a au plus {MAX_CHUNK} octets : découpez le fichier plus finement."),
    )
}

fn another_size(announced: usize) -> Invalid {
    Invalid::new(
        "CONTENT_SIZE_MISMATCH",
        format!("other than the {announced} bytes announced came"),
        format!(
            "Le fichier reçu n'a pas les {announced} octets annoncés : déposez-le à nouveau, en entier."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use tokio::time::sleep;
    use tonic::Code;

    fn chunk(length: usize) -> Result<UploadAttachmentRequest, Status> {
        Ok(UploadAttachmentRequest {
            message: Some(Message::Chunk(vec![7; length])),
        })
    }

    fn upload<S>(inbound: S, memory: &Memory) -> Upload<S>
    where
        S: Stream<Item = Result<UploadAttachmentRequest, Status>> + Unpin,
    {
        Upload::new(inbound, memory.clone(), CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_upload_is_ended() {
        let silent = upload(stream::pending(), &Memory::default());
        let begun = Instant::now();
        let status = silent.content(1).await.err().unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(begun.elapsed(), MAX_SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_drips_is_ended_too() {
        let drops = stream::repeat(()).then(|()| async {
            sleep(MAX_SILENCE / 2).await;
            chunk(1)
        });
        let begun = Instant::now();
        let dripping = upload(Box::pin(drops), &Memory::default());
        let status = dripping.content(1000).await.err().unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(begun.elapsed(), MAX_UPLOAD);
    }

    #[tokio::test]
    async fn a_stopping_service_ends_uploads() {
        let stopping = upload(stream::iter([chunk(1)]), &Memory::default());
        stopping.shutdown.cancel();
        let status = stopping.content(1).await.err().unwrap();
        assert_eq!(status.code(), Code::Unavailable);
    }

    #[tokio::test]
    async fn memory_is_shared_bounded_and_given_back() {
        let memory = Memory::default();
        let whole = || stream::iter((0..320).map(|_| chunk(MAX_CHUNK)));
        let size = 320 * MAX_CHUNK;
        let mut contents = Vec::new();
        for _ in 0..3 {
            contents.push(upload(whole(), &memory).content(size).await.unwrap());
        }
        let refused = upload(whole(), &memory).content(size).await.err().unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        // What the refused one held is free again: a small one passes, and a large one when another is done.
        let small = upload(stream::iter([chunk(1), chunk(0), chunk(1)]), &memory);
        let small = small.content(2).await.unwrap();
        assert_eq!(small.bytes.len(), 2);
        contents.pop();
        upload(whole(), &memory).content(size).await.unwrap();
        drop((contents, small));
        assert_eq!(memory.0.available_permits(), MEMORY);
    }

    #[tokio::test]
    async fn the_failure_of_the_stream_is_passed_on() {
        let broken = stream::iter([chunk(1), Err(Status::cancelled("gone"))]);
        let status = upload(broken, &Memory::default()).content(9).await;
        assert_eq!(status.err().unwrap().code(), Code::Cancelled);
    }
}
