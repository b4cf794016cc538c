//! Files kept by their content: what is put is known by its SHA-256 digest, and only by it.
//!
//! In a folder by default, on any S3-compatible store by setting; the same names in both, so that one can be copied into
//! the other. A file is whole and durable once [`Files::put`] has answered, and never changes: putting the same bytes
//! again changes nothing, and reading verifies that they are still the same. Nothing is ever removed.

mod config;
mod error;
mod reader;
mod s3;
mod s3_client;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use nonrecours_kernel::Digest;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, path::Path,
};

pub use config::{DEFAULT_LOCATION, DEFAULT_S3_REGION, FilesConfig};
pub use error::{Error, OpenError};
pub use reader::{CHUNK, Reader};

use config::Location;

/// Largest file, in bytes: it passes through memory whole when it is put.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Where files are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    /// Before every name; empty in a folder of our own.
    prefix: String,
}

impl Files {
    /// Makes the folder if it is not there, and fails when it cannot be written. An S3 store is not asked yet: a service
    /// starts while it is away.
    pub async fn open(config: &FilesConfig) -> Result<Self, OpenError> {
        match config.location()? {
            Location::Folder(folder) => {
                tokio::fs::create_dir_all(&folder)
                    .await
                    .map_err(|cause| OpenError::Folder(folder.clone(), cause.into()))?;
                // Synced on the disk before a write is answered, both the file and its entry in the folder.
                let store = LocalFileSystem::new_with_prefix(&folder)
                    .map_err(|cause| OpenError::Folder(folder.clone(), cause.into()))?
                    .with_fsync(true);
                let files = Self {
                    store: Arc::new(store),
                    prefix: String::new(),
                };
                // The empty file: tells now, rather than at the first upload, that the folder is not ours to write.
                files
                    .put(Bytes::new())
                    .await
                    .map_err(|cause| OpenError::Folder(folder, cause.into()))?;
                Ok(files)
            }
            Location::S3 { bucket, prefix } => Ok(Self {
                store: Arc::new(s3::store(config, &bucket)?),
                prefix,
            }),
        }
    }

    /// Keeps these bytes and gives their digest. Once answered they are on the disk, or with the S3 store; before, there
    /// is nothing under their name, or what was there. Writing them again also repairs a damaged file.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, Error> {
        if bytes.len() > MAX_FILE {
            return Err(Error::TooLarge);
        }
        let digest = Digest::of(&bytes);
        self.store
            .put(&self.path(&digest), PutPayload::from_bytes(bytes))
            .await
            // Also when the bucket itself is not found.
            .map_err(|cause| Error::Unavailable(cause.into()))?;
        Ok(digest)
    }

    /// The whole file, verified.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, Error> {
        let mut reader = self.read(digest).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = reader.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// The file in chunks, verified as it is read.
    pub async fn read(&self, digest: &Digest) -> Result<Reader, Error> {
        let found = self
            .store
            .get(&self.path(digest))
            .await
            .map_err(|cause| Error::of(*digest, cause))?;
        // None of ours is as large: whatever stands there needs no reading.
        if found.meta.size > MAX_FILE as u64 {
            return Err(Error::Damaged(*digest));
        }
        Ok(Reader::new(*digest, found.into_stream()))
    }

    /// Whether there is a file of that digest. It is not read: it may be damaged.
    pub async fn exists(&self, digest: &Digest) -> Result<bool, Error> {
        match self.store.head(&self.path(digest)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(cause) => Err(Error::of(*digest, cause)),
        }
    }

    /// `ab/abcd…`: 256 folders, none of them crowded.
    fn path(&self, digest: &Digest) -> Path {
        let name = digest.to_string();
        let folder = name.get(..2).unwrap_or_default();
        Path::from(format!("{}/{folder}/{name}", self.prefix))
    }
}
