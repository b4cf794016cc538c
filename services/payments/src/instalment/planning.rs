//! Planning the instalments of a plan again in the database, and telling of it.

use nonrecours_kernel::{ConventionName, IdSource};
use nonrecours_pg::{Change, Entry, Tx};
use nonrecours_rpc::Failure;

use super::{Instalment, Schedule, document_store, store, wire};
use crate::{
    error::Error,
    ledger_entry::{self, LedgerEntry},
    payment_plan::Cause,
};

/// Plans the instalments of a locked plan again.
pub(crate) async fn replan(
    tx: &mut Tx,
    ids: &IdSource,
    convention: &ConventionName,
    cause: Cause,
    why: &str,
) -> Result<(), Error> {
    let mut schedule = store::schedule(tx, convention)
        .await?
        .ok_or_else(|| Failure::bug("a locked plan is not there"))?;
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    for replanned in schedule.replan(cause, ids, now)? {
        let next = &replanned.next;
        match &replanned.before {
            Some(before) => {
                store::update(tx, next).await?;
                if before.documents != next.documents {
                    document_store::write(tx, next).await?;
                }
            }
            None => store::insert(tx, next).await?,
        }
        if let Some(certified) = replanned.liquidated() {
            let entry = LedgerEntry::reverse(ids.next(), certified, &actor, now);
            ledger_entry::store::insert(tx, &entry).await?;
        }
        tx.because(&replanned.why(why));
        let entry = entry(replanned.kind(), &schedule, next);
        tx.record_all(&[entry]).await?;
    }
    Ok(())
}

/// The change of an instalment.
pub(crate) fn entry(kind: &'static str, schedule: &Schedule, instalment: &Instalment) -> Entry {
    let change = Change {
        kind,
        operator: Some(instalment.name.operator),
        name: &instalment.name.to_string(),
        revision: instalment.revision,
    };
    Entry::new(change, &wire::change(schedule, instalment))
}
