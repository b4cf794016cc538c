//! Changing keys while the service serves: persons' keys wrapped anew under the newest key of the ring, pseudonyms made
//! under a new key from the identities, those of a retired key removed. In batches, each its own transaction; instances
//! share the work.

use std::time::Duration;

use nonrecours_kernel::Scope;
use nonrecours_pg::{Db, Error as PgError, Tx};
use nonrecours_rpc::audit::{Audit, Kind};
use tokio_util::sync::CancellationToken;

use super::store::{self, Pseudonyms};
use crate::{
    SERVICE,
    erasure::tombstone,
    error::Error,
    vault::{
        KeyRing, Vault,
        store::{self as keys, Kept},
    },
};

/// How often the file of the ring is read again.
const REREAD_EVERY: Duration = Duration::from_secs(30);
/// How many more times it is looked whether a batch under way, or an instance that had yet to read the ring, has left
/// something under an older key. No more: two instances whose rings are in another order would undo each other's work.
const LATE_LOOKS: u32 = 4;
/// Persons in one transaction.
pub const BATCH: i64 = 500;

/// What a rotation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Keys wrapped anew.
    pub rewrapped: usize,
    /// Persons given a pseudonym under a new key.
    pub pseudonymised: usize,
    /// Pseudonyms removed with their key.
    pub retired: u64,
    /// Something was held by others, and is to be come back to.
    pub is_behind: bool,
}

impl Rotated {
    fn has_worked(&self) -> bool {
        (self.rewrapped, self.pseudonymised, self.retired) != (0, 0, 0)
    }
}

/// Keeps the database at the ring.
pub struct Rotation {
    db: Db,
    vault: Vault,
    audit: Audit,
    /// The keys that the database was last brought to.
    done: Option<Vec<String>>,
    /// Looks left for what comes late.
    looks: u32,
}

impl Rotation {
    /// Notes with `audit` that the keys are others.
    pub fn new(db: Db, vault: Vault, audit: Audit) -> Self {
        Self {
            db,
            vault,
            audit,
            done: None,
            looks: LATE_LOOKS,
        }
    }

    /// Reads the ring again from time to time, and catches up; until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.catch_up().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(REREAD_EVERY) => self.vault.reload(),
            }
        }
    }

    /// Brings the database to the ring when its keys are others than the last time, or when a batch that was under way has
    /// left something under an older one.
    pub async fn catch_up(&mut self) {
        let ring = self.vault.ring();
        let keys = ring.ids();
        if self.done.as_ref() == Some(&keys) {
            let look = self.looks > 0;
            self.looks = self.looks.saturating_sub(1);
            if !(look && self.has_older(&ring).await) {
                return;
            }
        } else {
            self.looks = LATE_LOOKS;
        }
        match rotate(&self.db, &ring).await {
            Ok(rotated) => {
                if rotated.is_behind {
                    tracing::info!(
                        rotated.rewrapped,
                        rotated.pseudonymised,
                        rotated.retired,
                        "some records were held by others during the rotation of keys; coming back to them"
                    );
                } else {
                    tracing::info!(
                        rotated.rewrapped,
                        rotated.pseudonymised,
                        rotated.retired,
                        "the database is at the key ring"
                    );
                }
                // A process that starts cannot tell another ring from the one before, unless there is work to do.
                let is_other = self.done.as_ref().is_some_and(|done| *done != keys);
                if is_other || rotated.has_worked() {
                    self.audit
                        .note(Kind::KeyRingChanged, told(&keys, rotated), "", "");
                }
                self.done = (!rotated.is_behind).then_some(keys);
            }
            Err(error) => tracing::warn!(?error, "rotation of keys failed; trying again"),
        }
    }

    async fn has_older(&self, ring: &KeyRing) -> bool {
        let looked = async {
            let mut tx = self.db.read(&Scope::of_service(SERVICE)).await?;
            wraps_with_older(&mut tx, ring).await
        };
        looked.await.unwrap_or_else(|error| {
            tracing::warn!(?error, "keys in use not read; trying again");
            false
        })
    }
}

/// The keys by their ids, and what was done: nothing of the keys themselves.
fn told(keys: &[String], rotated: Rotated) -> String {
    format!(
        "{}; {} wrapped anew, {} given a pseudonym, {} pseudonyms removed",
        keys.join(", "),
        rotated.rewrapped,
        rotated.pseudonymised,
        rotated.retired
    )
}

/// Brings the database to a ring, but for what others hold. Done again once they are through, it finds nothing to do.
pub async fn rotate(db: &Db, ring: &KeyRing) -> Result<Rotated, Error> {
    let mut rotated = Rotated::default();
    while let more @ 1.. = rewrap(db, ring).await? {
        rotated.rewrapped += more;
    }
    for key_id in ring.pseudonym_keys() {
        while let more @ 1.. = pseudonymise(db, ring, key_id).await? {
            rotated.pseudonymised += more;
        }
    }
    while let more @ 1.. = retire(db, ring).await? {
        rotated.retired += more;
    }
    rotated.is_behind = is_behind(db, ring).await?;
    Ok(rotated)
}

/// Whether something is left to do, held by others so far.
async fn is_behind(db: &Db, ring: &KeyRing) -> Result<bool, Error> {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    for key_id in ring.pseudonym_keys() {
        if store::lacks_pseudonym(&mut tx, key_id).await? {
            return Ok(true);
        }
    }
    Ok(wraps_with_older(&mut tx, ring).await?)
}

/// Whether a key of a person or of erasures is wrapped by another key of the ring than the newest.
async fn wraps_with_older(tx: &mut Tx, ring: &KeyRing) -> Result<bool, PgError> {
    let older = ring.older();
    let of_persons = keys::in_use(tx).await?;
    let of_erasures = tombstone::keys_in_use(tx).await?;
    let mut used = of_persons.iter().chain(&of_erasures);
    Ok(used.any(|used| older.contains(&used.as_str())))
}

async fn rewrap(db: &Db, ring: &KeyRing) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
    let mut batch = keys::wrapped_by(&mut tx, &ring.older(), BATCH).await?;
    for Kept { person, wrapped } in &mut batch {
        *wrapped = ring.wrap(person, &ring.unwrap(person, wrapped)?)?;
    }
    keys::rewrap(&mut tx, &batch).await?;
    let of_erasures = tombstone::rewrap(&mut tx, ring, BATCH).await?;
    tx.commit().await?;
    Ok(batch.len() + of_erasures)
}

async fn pseudonymise(db: &Db, ring: &KeyRing, key_id: &str) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
    let batch = store::without_pseudonym(&mut tx, key_id, BATCH).await?;
    let mut pseudonyms = Pseudonyms::default();
    for sealed in &batch {
        let identity = sealed.open(ring)?;
        let person = sealed.person;
        pseudonyms.add(ring, person.operator, person.beneficiary, &identity);
    }
    pseudonyms.insert(&mut tx).await?;
    tx.commit().await?;
    Ok(batch.len())
}

async fn retire(db: &Db, ring: &KeyRing) -> Result<u64, PgError> {
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
    let removed = store::retire(&mut tx, &ring.pseudonym_keys(), BATCH).await?;
    tx.commit().await?;
    Ok(removed)
}
