//! After a restore: whoever was erased since the backup is erased again, and nobody comes back by a push.

use std::collections::{BTreeMap, HashMap};

use nonrecours_kernel::{BeneficiaryId, ErasureId, IdSource, OperatorId, Scope};
use nonrecours_pg::Db;
use uuid::Uuid;

pub use super::journal::{JournalError, OfOperator, parse};
use super::{
    domain::ErasureReason,
    erase::{carry_out, lock},
    store, tombstone, wire,
};
use crate::{SERVICE, error::Error, vault::KeyRing};

/// Persons erased in one transaction at most.
const BATCH: usize = 200;
/// References looked at at once.
const PAGE: i64 = 5_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Erasures in the journal.
    pub known: usize,
    /// Persons erased again.
    pub persons: usize,
    /// Erasures of persons that the backup did not know, told again.
    pub told: usize,
}

/// Brings the database to the journal, operator by operator. Running it again changes nothing. Legal holds are not asked: what
/// is done again was decided when there was none.
pub async fn run(
    db: &Db,
    ring: &KeyRing,
    ids: &IdSource,
    journal: BTreeMap<OperatorId, OfOperator>,
) -> Result<Replayed, Error> {
    let mut replayed = Replayed::default();
    for (operator, kept) in journal {
        replayed.known += kept.erasures.len();
        let due = due(db, ring, operator, &kept).await?;
        replayed.persons += due.len();
        let mut made = Vec::new();
        for reason in ErasureReason::ALL {
            let of: Vec<_> = due.iter().filter(|due| due.reason == *reason).collect();
            for batch in of.chunks(BATCH) {
                let as_kept: HashMap<BeneficiaryId, Option<ErasureId>> =
                    batch.iter().map(|due| (due.person, due.erasure)).collect();
                let persons: Vec<BeneficiaryId> = batch.iter().map(|due| due.person).collect();
                let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
                let persons = lock(&mut tx, operator, &persons).await?;
                if persons.is_empty() {
                    continue;
                }
                let id = |person| as_kept.get(&person).copied().flatten();
                let id = |person| id(person).unwrap_or_else(|| ids.next());
                let erased = carry_out(&mut tx, ring, &id, operator, &persons, *reason).await?;
                made.extend(erased.iter().map(|erasure| erasure.name.erasure.uuid()));
                tx.commit().await?;
            }
        }
        replayed.told += settle(db, operator, kept, made).await?;
    }
    Ok(replayed)
}

/// Somebody to be erased again.
struct Due {
    person: BeneficiaryId,
    reason: ErasureReason,
    /// The id that their erasure had; none for a duplicate that went with them.
    erasure: Option<ErasureId>,
}

/// Those whom the database still has, by their ids, and by the digests of their references: a duplicate that was merged after
/// the backup stands in it as a person of its own.
async fn due(
    db: &Db,
    ring: &KeyRing,
    operator: OperatorId,
    kept: &OfOperator,
) -> Result<Vec<Due>, Error> {
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
    let key = tombstone::key_or(&mut tx, ring, operator, kept.key.clone()).await?;
    let by_person: HashMap<BeneficiaryId, (ErasureReason, ErasureId)> = kept
        .erasures
        .iter()
        .map(|(erasure, _)| {
            let decided = (erasure.reason, erasure.name.erasure);
            (erasure.beneficiary.beneficiary, decided)
        })
        .collect();
    let by_digest: HashMap<&[u8], ErasureReason> = kept
        .erasures
        .iter()
        .flat_map(|(erasure, digests)| {
            let digests = digests.iter().map(Vec::as_slice);
            digests.map(|digest| (digest, erasure.reason))
        })
        .collect();
    let mut due = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let page = store::references(&mut tx, operator, after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = last.uuid();
        due.extend(page.into_iter().filter_map(|(person, reference)| {
            if let Some((reason, erasure)) = by_person.get(&person) {
                return Some(Due {
                    person,
                    reason: *reason,
                    erasure: Some(*erasure),
                });
            }
            let reason = by_digest.get(key.digest(&reference).as_slice())?;
            Some(Due {
                person,
                reason: *reason,
                erasure: None,
            })
        }));
    }
    tx.commit().await?;
    Ok(due)
}

/// The erasures of those whom the backup did not know, and the digests as they were kept.
async fn settle(
    db: &Db,
    operator: OperatorId,
    kept: OfOperator,
    mut made: Vec<Uuid>,
) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await?;
    let (erasures, digests): (Vec<_>, Vec<_>) = kept.erasures.into_iter().unzip();
    let added = store::insert_kept(&mut tx, operator, &erasures).await?;
    let persons: Vec<Uuid> = erasures
        .iter()
        .map(|erasure| erasure.beneficiary.beneficiary.uuid())
        .collect();
    let stored: HashMap<Uuid, Uuid> = store::of_persons(&mut tx, operator, &persons)
        .await?
        .into_iter()
        .collect();
    let digests: Vec<(Vec<u8>, Uuid)> = persons
        .iter()
        .zip(digests)
        .filter_map(|(person, digests)| Some((*stored.get(person)?, digests)))
        .flat_map(|(erasure, digests)| digests.into_iter().map(move |digest| (digest, erasure)))
        .collect();
    made.extend(stored.into_values());
    tombstone::settle(&mut tx, operator, &made, &digests).await?;
    let told: Vec<_> = erasures
        .iter()
        .filter(|erasure| added.contains(&erasure.name.erasure.uuid()))
        .map(|erasure| wire::entry("erasure.recorded", erasure))
        .collect();
    let count = told.len();
    if count > 0 {
        tx.record_all(&told).await?;
    }
    tx.commit().await?;
    Ok(count)
}
