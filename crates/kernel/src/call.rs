//! What a caller has called, and whether the journal of accesses knows of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// One call of an rpc. Clones are the same call.
#[derive(Clone, Default)]
pub struct Call {
    rpc: Arc<str>,
    journalled: Arc<AtomicBool>,
}

impl Call {
    /// A call of the rpc of this path, e.g. `/nonrecours.followup.v1.NoteService/GetNote`.
    pub fn of(rpc: &str) -> Self {
        Self {
            rpc: rpc.into(),
            journalled: Arc::default(),
        }
    }

    /// Path of the rpc; empty when nothing was called: a service acts on its own.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// Notes that an entry of the journal of accesses has been committed for this call.
    pub fn mark_journalled(&self) {
        self.journalled.store(true, Ordering::Release);
    }

    /// Whether the journal of accesses has an entry of this call.
    pub fn is_journalled(&self) -> bool {
        self.journalled.load(Ordering::Acquire)
    }
}

/// What was called: whether it is journalled yet makes no other call of it.
impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.rpc == other.rpc
    }
}

impl Eq for Call {}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.rpc).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_call_share_what_is_known_of_it() {
        let call = Call::of("/a.B/C");
        let (same, other) = (call.clone(), Call::of("/a.B/C"));
        same.mark_journalled();
        assert!(call.is_journalled() && !other.is_journalled());
        assert_eq!(call, other);
        assert_eq!(format!("{call:?}"), "Call(\"/a.B/C\")");
        assert_eq!(Call::default().rpc(), "");
    }
}
