//! Signatures that have been verified: a caller shows the same token with every call, and verifying it costs more than the
//! rest of what authentication does.

use std::sync::{Arc, Mutex, PoisonError};

use hashlink::LruCache;
use jsonwebtoken::crypto;
use sha2::{Digest as _, Sha256};

use super::{AuthError, keys::Key};

/// Tokens remembered at most, by their digests; then the one shown longest ago is forgotten.
const MAX_REMEMBERED: usize = 4096;

/// Tokens whose signature is good, each with the very key that says so. Nothing else of a token is remembered: what it claims,
/// and whether its key still counts, is looked at every time.
pub(super) struct Verified {
    seen: Mutex<LruCache<[u8; 32], Arc<Key>>>,
}

impl Verified {
    /// None so far.
    pub(super) fn new() -> Self {
        Self {
            seen: Mutex::new(LruCache::new(MAX_REMEMBERED)),
        }
    }

    /// Verifies the signature of a compact JWS, unless this key has done so before. `BadSignature` otherwise.
    pub(super) fn check(
        &self,
        token: &str,
        message: &str,
        signature: &str,
        key: &Arc<Key>,
    ) -> Result<(), AuthError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if self.knows(&digest, key) {
            return Ok(());
        }
        match crypto::verify(signature, message.as_bytes(), &key.public, key.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(AuthError::BadSignature),
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(digest, Arc::clone(key));
        Ok(())
    }

    /// Whether this very key verified it: one read again under the same identifier may be another.
    fn knows(&self, digest: &[u8; 32], key: &Arc<Key>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(digest)
            .is_some_and(|known| Arc::ptr_eq(known, key))
    }
}
