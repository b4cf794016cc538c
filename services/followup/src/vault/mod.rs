//! Keys, and what is sealed under them. The database holds ciphertext and wrapped keys; the keys that unwrap them are in a
//! file outside it (ADR 0014).

pub mod pseudonym;
pub mod ring;
pub mod seal;
pub mod store;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use tracing::warn;

pub use ring::{KeyRing, RingError};
pub use seal::{ErasureKey, Label, PersonKey, SealError};

/// The key ring as its file last told it. Clones share it.
#[derive(Clone)]
pub struct Vault {
    path: Arc<Path>,
    ring: Arc<RwLock<Arc<KeyRing>>>,
}

impl Vault {
    /// Reads the file of the ring.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, RingError> {
        let path: Arc<Path> = path.into().into();
        let ring = KeyRing::read(&path)?;
        Ok(Self {
            path,
            ring: Arc::new(RwLock::new(Arc::new(ring))),
        })
    }

    /// The keys at this moment.
    pub fn ring(&self) -> Arc<KeyRing> {
        // A panic elsewhere cannot leave half a ring: it is one pointer.
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again. One that cannot be read is reported, and the ring in hand still serves.
    pub fn reload(&self) {
        match KeyRing::read(&self.path) {
            Ok(ring) => {
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
            }
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "key ring not read: the earlier one still serves"
            ),
        }
    }
}
