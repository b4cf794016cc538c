//! A file as it comes: each chunk goes through the digest to the reader, and is forgotten.

use std::io::{self, BufRead, Read};

use nonrecours_contracts::payments::{PushReturnFileRequest, push_return_file_request::Message};
use nonrecours_kernel::{Invalid, Violation};
use nonrecours_rpc::Failure;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::{Known, Reading, read};

/// Largest file, bytes.
pub const MAX_FILE: i64 = 64 * 1024 * 1024;
/// Chunks that have come and are not read yet, at most; a client that is faster waits.
const CHUNKS_AHEAD: usize = 4;

/// A file that was read whole.
pub struct Upload {
    /// What it says.
    pub reading: Reading,
    /// SHA-256 of its content.
    pub digest: Vec<u8>,
    /// Its size, bytes.
    pub size: i64,
}

/// Reads the file to its end, while it comes.
pub async fn receive(
    known: Known,
    mut messages: Streaming<PushReturnFileRequest>,
) -> Result<Upload, Status> {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    // Parsing computes and waits for bytes: not on a thread that serves.
    let reader = tokio::task::spawn_blocking(move || read(&known, Chunks::new(chunks)));
    let (mut hash, mut size) = (Sha256::new(), 0_i64);
    while let Some(request) = messages.message().await? {
        let Some(Message::Chunk(chunk)) = request.message else {
            return Err(refused("opening", opening_repeated()));
        };
        size = size.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
        if size > MAX_FILE {
            return Err(refused("chunk", too_large()));
        }
        hash.update(&chunk);
        if sender.send(chunk).await.is_err() {
            // The reader has stopped at a fault.
            break;
        }
    }
    drop(sender);
    let reading = reader
        .await
        .map_err(|_| Failure::bug("the reader of a file died"))?
        .map_err(|fault| Failure::invalid(vec![fault.violation("file")]))?;
    Ok(Upload {
        reading,
        digest: hash.finalize().to_vec(),
        size,
    })
}

/// A refusal of the stream.
pub fn refused(field: &str, invalid: Invalid) -> Status {
    Failure::invalid(vec![Violation::at(field, invalid)]).into()
}

fn opening_repeated() -> Invalid {
    Invalid::new(
        "OPENING_REPEATED",
        "after the opening, messages are chunks",
        "Après l'ouverture, chaque message porte un morceau du fichier.",
    )
}

fn too_large() -> Invalid {
    Invalid::new(
        "FLOW_TOO_LONG",
        format!("a file has at most {MAX_FILE} bytes"),
        format!(
            "Un fichier compte au plus {MAX_FILE} octets : demandez qu'il soit émis en plusieurs flux."
        ),
    )
}

/// The chunks as one source of bytes.
struct Chunks {
    coming: mpsc::Receiver<Vec<u8>>,
    chunk: Vec<u8>,
    read: usize,
}

impl Chunks {
    fn new(coming: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            coming,
            chunk: Vec::new(),
            read: 0,
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.chunk.len() {
            match self.coming.blocking_recv() {
                Some(chunk) => (self.chunk, self.read) = (chunk, 0),
                None => break,
            }
        }
        Ok(&self.chunk[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = self.chunk.len().min(self.read + count);
    }
}
