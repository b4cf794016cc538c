//! What can go wrong with files, as callers need to tell it apart.

use std::{error::Error as StdError, path::PathBuf};

use nonrecours_kernel::Digest;

/// A file that was not put or not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file of that digest.
    #[error("there is no file {0}")]
    Absent(Digest),
    /// The stored bytes are not those of the digest: they were altered or lost since they were put.
    #[error("the file {0} is damaged")]
    Damaged(Digest),
    /// Larger than [`MAX_FILE`](crate::MAX_FILE).
    #[error("the file is too large")]
    TooLarge,
    /// The store cannot be reached, is full, or refuses us.
    #[error("the store of files does not answer as it should")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    pub(crate) fn of(digest: Digest, cause: object_store::Error) -> Self {
        match cause {
            object_store::Error::NotFound { .. } => Self::Absent(digest),
            cause => Self::Unavailable(cause.into()),
        }
    }
}

/// Why files cannot be kept where the settings say.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a folder nor `s3://bucket/prefix`.
    #[error("{0}: neither a folder nor s3://bucket/prefix")]
    Location(String),
    /// The folder cannot be made or written.
    #[error("the folder of files {0} cannot be used")]
    Folder(PathBuf, #[source] Box<dyn StdError + Send + Sync>),
    /// An S3 store without one of its settings.
    #[error("files on S3 need {0}")]
    Missing(&'static str),
    /// The file of a secret cannot be read.
    #[error("the file of {0} cannot be read")]
    Secret(&'static str, #[source] std::io::Error),
    /// A setting of the S3 store that makes no sense.
    #[error("the settings of the S3 store are wrong")]
    S3(#[source] object_store::Error),
    /// The system's root certificates cannot be read.
    #[error("the root certificates cannot be read")]
    Certificates(#[source] std::io::Error),
}
