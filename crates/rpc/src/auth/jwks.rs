//! The issuer's keys, kept in memory and read again when that may help.

use std::{
    error::Error,
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};

use http::Uri;
use nonrecours_kernel::Clock;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    discovery::DiscoveryError,
    fetch::{self, FetchError},
    keys::{self, Key, KeySet},
};
use crate::audit::{Audit, Kind};

/// Least time between two reads of the keys, however many tokens name a key we do not have.
pub const REFRESH_INTERVAL: Duration = Duration::seconds(30);

/// Age at which the keys are read again, so that a withdrawn key stops counting.
pub const REFRESH_MAX_AGE: Duration = Duration::minutes(10);

/// Keys named when they change, and how much of the identifier of each.
const MAX_NAMED: usize = 5;
const MAX_SHOWN: usize = 44;

/// Reads at start before giving up: about half a minute when each fails at once.
const START: Attempts = Attempts {
    count: 10,
    first_wait: std::time::Duration::from_millis(200),
    longest_wait: std::time::Duration::from_secs(5),
};

/// Where the issuer's keys are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// An https or http address.
    Url(Uri),
    /// A file.
    File(PathBuf),
    /// Where the metadata of this issuer say, at this moment.
    Issuer(String),
}

impl FromStr for JwksSource {
    type Err = http::uri::InvalidUri;

    /// What begins with `https://` or `http://` is an address, anything else a path.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        if value.starts_with("https://") || value.starts_with("http://") {
            Ok(Self::Url(value.parse()?))
        } else {
            Ok(Self::File(value.into()))
        }
    }
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::File(path) => path.display().fmt(f),
            Self::Issuer(issuer) => write!(f, "the metadata of {issuer}"),
        }
    }
}

/// Why the issuer's keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The file cannot be read.
    #[error("the file of the issuer's keys cannot be read")]
    File(#[source] io::Error),
    /// They could not be fetched.
    #[error("the issuer's keys: {0}")]
    Fetch(#[from] FetchError),
    /// The issuer's metadata do not say where they are.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// More keys than any honest key set.
    #[error("the issuer's key set has too many keys")]
    TooManyKeys,
    /// Not a JWK Set.
    #[error("the issuer's keys are not a JWK Set")]
    Format(#[source] serde_json::Error),
    /// No key that could verify a token.
    #[error("the issuer's key set has no key for EdDSA, ES256 or RS256")]
    NoUsableKey,
}

/// The keys of one issuer.
pub(super) struct Jwks {
    source: JwksSource,
    clock: Arc<dyn Clock>,
    audit: Audit,
    held: RwLock<Held>,
    /// Instant of the last attempt to read; whoever holds it is reading.
    last_attempt: Arc<Mutex<OffsetDateTime>>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    read_at: OffsetDateTime,
}

struct Attempts {
    count: u32,
    first_wait: std::time::Duration,
    longest_wait: std::time::Duration,
}

impl Jwks {
    /// Reads the keys a first time.
    pub(super) async fn load(
        source: JwksSource,
        clock: Arc<dyn Clock>,
        audit: Audit,
    ) -> Result<Arc<Self>, JwksError> {
        let keys = START.read(&source).await?;
        tracing::info!(%source, keys = keys.len(), "issuer's keys read");
        let read_at = clock.now();
        Ok(Arc::new(Self {
            source,
            clock,
            audit,
            held: RwLock::new(Held {
                keys: Arc::new(keys),
                read_at,
            }),
            last_attempt: Arc::new(Mutex::new(read_at)),
        }))
    }

    /// The key of this identifier, after another read if it is unknown or the keys are old.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Option<Arc<Key>> {
        let held = self.held();
        let known = held.keys.contains_key(kid);
        if known && elapsed(held.read_at, self.clock.now()) < REFRESH_MAX_AGE {
            return held.keys.get(kid).cloned();
        }
        let turn = Arc::clone(&self.last_attempt);
        if known {
            // One caller reads; the others go on with the keys there are.
            if let Ok(turn) = turn.try_lock_owned() {
                self.refresh(turn).await;
            }
        } else {
            self.refresh(turn.lock_owned().await).await;
        }
        self.held().keys.get(kid).cloned()
    }

    /// Reads the keys unless that was just tried. What cannot be read leaves the keys as they are.
    async fn refresh(self: &Arc<Self>, mut turn: OwnedMutexGuard<OffsetDateTime>) {
        let now = self.clock.now();
        if elapsed(*turn, now) < REFRESH_INTERVAL {
            return;
        }
        *turn = now;
        // In a task of its own: a caller who hangs up, by design or not, must not stop what the others wait for.
        let this = Arc::clone(self);
        let reading = tokio::spawn(async move {
            match read(&this.source).await {
                Ok(keys) => {
                    if let Some(change) = change(&this.held().keys, &keys) {
                        tracing::warn!(change, "the issuer's keys have changed");
                        this.audit.note(Kind::IssuerKeysChanged, change, "", "");
                    }
                    *this.held.write().unwrap_or_else(PoisonError::into_inner) = Held {
                        keys: Arc::new(keys),
                        read_at: now,
                    };
                }
                Err(error) => tracing::warn!(
                    source = %this.source,
                    error = &error as &dyn Error,
                    "issuer's keys not read: the earlier ones still count"
                ),
            }
            drop(turn);
        });
        if let Err(error) = reading.await {
            tracing::error!(
                error = &error as &dyn Error,
                "reading of the issuer's keys broke off"
            );
        }
    }

    fn held(&self) -> Held {
        // Replaced whole or not at all: a panic elsewhere cannot have spoilt it.
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

impl Attempts {
    async fn read(&self, source: &JwksSource) -> Result<KeySet, JwksError> {
        let mut wait = self.first_wait;
        for attempt in 1..self.count {
            match read(source).await {
                Ok(keys) => return Ok(keys),
                Err(error) => tracing::warn!(
                    %source, attempt, error = &error as &dyn Error, "issuer's keys not read yet"
                ),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.longest_wait);
        }
        read(source).await
    }
}

/// Reads them once.
pub(super) async fn read(source: &JwksSource) -> Result<KeySet, JwksError> {
    keys::parse(&fetch::keys(source).await?)
}

/// Which keys came and went, by their identifiers; none when they are the same.
fn change(before: &KeySet, now: &KeySet) -> Option<String> {
    let beyond = |one: &KeySet, other: &KeySet| {
        let mut kids: Vec<String> = one
            .keys()
            .filter(|kid| !other.contains_key(*kid))
            .map(|kid| kid.chars().take(MAX_SHOWN).collect())
            .collect();
        kids.sort();
        kids.truncate(MAX_NAMED);
        kids.join(" ")
    };
    let (new, gone) = (beyond(now, before), beyond(before, now));
    (!new.is_empty() || !gone.is_empty()).then(|| format!("new: {new}; gone: {gone}"))
}

/// Time between two instants, whichever way the clock was put meanwhile.
fn elapsed(earlier: OffsetDateTime, now: OffsetDateTime) -> Duration {
    (now - earlier).abs()
}
