//! What matters to security: who was refused and why, and which keys and certificates have changed, counted in the memory of an
//! instance until it is taken to where it is kept. A flood of refusals is a count, not a flood of entries.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use nonrecours_kernel::Clock;
use time::OffsetDateTime;

/// Different events counted between two takings; of further ones the kind alone is counted.
pub const MAX_EVENTS: usize = 200;

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A token was refused, or none was shown.
    TokenRefused,
    /// Who is let in has none of the roles of the rpc.
    RoleMissing,
    /// Who is let in asked for another operator's records.
    OutOfReach,
    /// A connection ended in its handshake: a certificate that is not good, or no TLS.
    HandshakeFailed,
    /// The keys of the issuer are others than before.
    IssuerKeysChanged,
    /// The service shows another certificate, or verifies by other authorities, than before.
    CertificateChanged,
    /// The keys that seal identities are others than before.
    KeyRingChanged,
}

impl Kind {
    /// As it is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenRefused => "TOKEN_REFUSED",
            Self::RoleMissing => "ROLE_MISSING",
            Self::OutOfReach => "OUT_OF_REACH",
            Self::HandshakeFailed => "HANDSHAKE_FAILED",
            Self::IssuerKeysChanged => "ISSUER_KEYS_CHANGED",
            Self::CertificateChanged => "CERTIFICATE_CHANGED",
            Self::KeyRingChanged => "KEY_RING_CHANGED",
        }
    }
}

/// An event. Never a token, nor anything of a request but its rpc.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// What it is.
    pub kind: Kind,
    /// Why, in a word or a sentence of ours.
    pub cause: String,
    /// Subject of the caller; empty when nobody knows it.
    pub subject: String,
    /// The rpc; empty when none was called.
    pub rpc: String,
}

/// How often an event came, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The event.
    pub event: Event,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: OffsetDateTime,
    /// When last.
    pub last: OffsetDateTime,
}

/// The events of this instance that nobody has taken yet. Clones share them.
#[derive(Clone)]
pub struct Audit {
    clock: Arc<dyn Clock>,
    events: Arc<Mutex<BTreeMap<Event, Seen>>>,
}

#[derive(Clone, Copy)]
struct Seen {
    count: u64,
    first: OffsetDateTime,
    last: OffsetDateTime,
}

impl Audit {
    /// Nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            events: Arc::default(),
        }
    }

    /// Counts an event.
    pub fn note(&self, kind: Kind, cause: impl Into<String>, subject: &str, rpc: &str) {
        let now = self.clock.now();
        let mut event = Event {
            kind,
            cause: cause.into(),
            subject: subject.to_owned(),
            rpc: rpc.to_owned(),
        };
        // Counts only: a panic elsewhere cannot have spoilt them.
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= MAX_EVENTS && !events.contains_key(&event) {
            event = Event {
                kind,
                cause: String::new(),
                subject: String::new(),
                rpc: String::new(),
            };
        }
        let seen = events.entry(event).or_insert(Seen {
            count: 0,
            first: now,
            last: now,
        });
        seen.count = seen.count.saturating_add(1);
        seen.last = now;
    }

    /// Takes what was counted, in an order of its own.
    pub fn take(&self) -> Vec<Counted> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *events);
        let counted = |(event, seen): (Event, Seen)| Counted {
            event,
            count: seen.count,
            first: seen.first,
            last: seen.last,
        };
        taken.into_iter().map(counted).collect()
    }

    /// Gives back what could not be kept, to be taken again.
    pub fn give_back(&self, taken: Vec<Counted>) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        for counted in taken {
            let seen = events.entry(counted.event).or_insert(Seen {
                count: 0,
                first: counted.first,
                last: counted.last,
            });
            seen.count = seen.count.saturating_add(counted.count);
            seen.first = seen.first.min(counted.first);
            seen.last = seen.last.max(counted.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::ManualClock;
    use time::{Duration, macros::datetime};

    use super::*;

    fn audit() -> (Audit, ManualClock) {
        let clock = ManualClock::at(datetime!(2026-03-01 12:00 UTC));
        (Audit::new(Arc::new(clock.clone())), clock)
    }

    #[test]
    fn the_same_again_is_a_count() {
        let (audit, clock) = audit();
        let begun = clock.now();
        for _ in 0..1000 {
            audit.note(Kind::TokenRefused, "expired", "", "/a.B/C");
            clock.advance(Duration::SECOND);
        }
        audit.note(Kind::RoleMissing, "", "camille", "/a.B/C");
        let taken = audit.take();
        assert_eq!(taken.len(), 2);
        assert_eq!((taken[0].count, taken[0].first), (1000, begun));
        assert_eq!(taken[0].last, begun + Duration::seconds(999));
        assert!(audit.take().is_empty());

        audit.note(Kind::TokenRefused, "expired", "", "/a.B/C");
        audit.give_back(taken);
        let again = audit.take();
        assert_eq!((again[0].count, again[0].first), (1001, begun));
    }

    #[test]
    fn a_flood_of_different_events_stays_small() {
        let (audit, _) = audit();
        for number in 0..10_000 {
            audit.note(Kind::OutOfReach, "", &number.to_string(), "/a.B/C");
        }
        let taken = audit.take();
        assert_eq!(taken.len(), MAX_EVENTS + 1);
        assert_eq!(
            taken.iter().map(|counted| counted.count).sum::<u64>(),
            10_000
        );
        let others = taken
            .iter()
            .find(|counted| counted.event.subject.is_empty());
        assert_eq!(others.unwrap().count, 10_000 - MAX_EVENTS as u64);
    }
}
