//! A file as it is read.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::BoxStream};
use nonrecours_kernel::{Digest, Digester};
use tokio::time::timeout;

use crate::{Error, MAX_FILE};

/// Size of the chunks a file is read in, in bytes; the last one may be shorter.
pub const CHUNK: usize = 64 * 1024;
/// Longest silence of the store in the middle of a file.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// A file that is being read, in chunks.
///
/// The last chunk is given only once the digest of the whole is found right: who has the end of a file has the file that
/// was put.
pub struct Reader {
    digest: Digest,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// `None` once the whole is read.
    digester: Option<Digester>,
    /// Read, and not given yet.
    held: BytesMut,
    read: usize,
}

impl Reader {
    pub(crate) fn new(
        digest: Digest,
        stream: BoxStream<'static, object_store::Result<Bytes>>,
    ) -> Self {
        Self {
            digest,
            stream,
            digester: Some(Digester::default()),
            held: BytesMut::new(),
            read: 0,
        }
    }

    /// The next chunk; `None` at the end. Nothing more can be read after an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let given = self.advance().await;
        if given.is_err() {
            self.held.clear();
            self.digester = None;
        }
        given
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, Error> {
        // More than a chunk is held while the end is not in sight, so that the last one stays until it is verified.
        while self.held.len() <= CHUNK
            && let Some(digester) = &mut self.digester
        {
            let piece = timeout(MAX_SILENCE, self.stream.next())
                .await
                .map_err(|silence| Error::Unavailable(silence.into()))?;
            match piece {
                Some(Ok(bytes)) => {
                    self.read += bytes.len();
                    if self.read > MAX_FILE {
                        return Err(Error::Damaged(self.digest));
                    }
                    digester.update(&bytes);
                    self.held.extend_from_slice(&bytes);
                }
                Some(Err(cause)) => return Err(Error::of(self.digest, cause)),
                None => {
                    let found = self.digester.take().map(Digester::finish);
                    if found != Some(self.digest) {
                        return Err(Error::Damaged(self.digest));
                    }
                }
            }
        }
        let length = self.held.len().min(CHUNK);
        Ok((length > 0).then(|| self.held.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;

    /// What a reader gives of pieces that are all there already.
    #[tokio::main(flavor = "current_thread")]
    async fn read(digest: Digest, pieces: Vec<Vec<u8>>) -> (Vec<Bytes>, Option<Error>) {
        let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
        let mut reader = Reader::new(digest, stream::iter(pieces).boxed());
        let mut given = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(chunk)) => given.push(chunk),
                Ok(None) => return (given, None),
                Err(error) => {
                    let after = reader.next().await;
                    assert!(matches!(after, Ok(None)));
                    return (given, Some(error));
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_falls_silent_is_given_up() {
        let mut reader = Reader::new(Digest::of(b""), stream::pending().boxed());
        assert!(matches!(reader.next().await, Err(Error::Unavailable(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// However the store cuts it: the same bytes, in chunks of one size; and with one bit changed, never the end.
        #[test]
        fn however_it_is_cut_the_whole_comes_out_or_not_its_end(
            sizes in prop::collection::vec(0..100_000_usize, 0..6), spot: prop::sample::Index,
        ) {
            let mut pieces: Vec<Vec<u8>> = sizes.iter().enumerate()
                .map(|(at, size)| (0..*size).map(|byte| (byte % 251 + at) as u8).collect())
                .collect();
            let whole = pieces.concat();
            let digest = Digest::of(&whole);
            let (given, error) = read(digest, pieces.clone());
            prop_assert!(error.is_none());
            prop_assert_eq!(given.concat(), whole.clone());
            if let Some((last, before)) = given.split_last() {
                prop_assert!(before.iter().all(|chunk| chunk.len() == CHUNK));
                prop_assert!((1..=CHUNK).contains(&last.len()));
            }
            if !whole.is_empty() {
                let mut spot = spot.index(whole.len());
                for piece in &mut pieces {
                    if let Some(byte) = piece.get_mut(spot) {
                        *byte ^= 1;
                        break;
                    }
                    spot -= piece.len();
                }
                let (given, error) = read(digest, pieces);
                prop_assert!(matches!(error, Some(Error::Damaged(_))));
                prop_assert!(given.concat().len() < whole.len());
            }
        }
    }
}
