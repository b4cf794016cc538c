//! The passes that keep the journal: sealing what has been entered, purging what is older than its retention. Every
//! instance makes them; one at a time has the chain.

use nonrecours_kernel::Scope;
use nonrecours_pg::{Db, Error};

use super::{
    chain::{Anchor, Place},
    store,
};

/// Entries sealed in one transaction at most.
const SEAL_BATCH: i64 = 1000;
/// Transactions of one pass at most; what is left waits for the next.
const MAX_BATCHES: u32 = 100;
/// Links removed in one transaction at most.
const PURGE_BATCH: i64 = 10_000;

/// Shortest retention, months (CNIL).
pub const MIN_RETENTION_MONTHS: i32 = 6;
/// Longest retention, months: beyond it, the journal would outlive what it is for.
pub const MAX_RETENTION_MONTHS: i32 = 60;
/// Retention unless configured otherwise, months (CNIL).
pub const DEFAULT_RETENTION_MONTHS: i32 = 12;

/// Seals what is behind the horizon of running transactions. Gives how many entries it sealed.
pub async fn seal(db: &Db, service: &'static str) -> Result<usize, Error> {
    let mut sealed = 0;
    for _ in 0..MAX_BATCHES {
        let batch = seal_batch(db, service).await?;
        if batch == 0 {
            break;
        }
        sealed += batch;
    }
    Ok(sealed)
}

async fn seal_batch(db: &Db, service: &'static str) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(service)).await?;
    if !store::try_take_chain(&mut tx).await? {
        return Ok(0);
    }
    let (mut head, after) = match store::head(&mut tx).await? {
        Some((head, place)) => (head, place),
        // All that was sealed is purged, with its entries.
        None => {
            let checkpoint = store::checkpoint(&mut tx).await?;
            (checkpoint.unwrap_or(Anchor::START), Place::START)
        }
    };
    let entries = store::sealable(&mut tx, after, SEAL_BATCH).await?;
    let mut links = Vec::with_capacity(entries.len());
    for entry in &entries {
        let number = head.number + 1;
        head = Anchor {
            number,
            link: entry.link(number, &head.link),
        };
        links.push((head, entry.place));
    }
    store::append(&mut tx, &links).await?;
    tx.commit().await?;
    if !links.is_empty() {
        // Logs are kept elsewhere: each such line is an anchor.
        tracing::info!(access.anchor = %head, sealed = links.len(), "journal of accesses sealed");
    }
    Ok(links.len())
}

/// Purges what was sealed more than `months` ago; the chain stays verifiable from the checkpoint that each purge leaves.
/// Gives how many entries it purged. Refuses less than [`MIN_RETENTION_MONTHS`], as the database does.
pub async fn purge(db: &Db, service: &'static str, months: i32) -> Result<u64, Error> {
    let mut purged = 0;
    for _ in 0..MAX_BATCHES {
        let mut tx = db.begin(&Scope::of_service(service)).await?;
        if !store::try_take_chain(&mut tx).await? {
            break;
        }
        let Some(upto) = store::outdated(&mut tx, months, PURGE_BATCH).await? else {
            break;
        };
        purged += store::purge(&mut tx, &upto, months).await?;
        tx.commit().await?;
        tracing::info!(access.checkpoint = %upto, "journal of accesses purged up to its retention");
    }
    Ok(purged)
}
