//! An order that the accountant had taken in charge, and of which a correction takes off a part or all: its instalment follows.

use nonrecours_kernel::{IdSource, InstalmentName, Money};
use nonrecours_pg::{Change, Tx};
use nonrecours_rpc::Failure;

use super::{document_store, planning, store, wire};
use crate::{
    error::Error,
    ledger_entry::{self, LedgerEntry},
};

/// Takes this much off the order of an instalment, books that, and plans again what is due all the same. False when the
/// instalment is not ORDERED: paid meanwhile.
pub(crate) async fn correct(
    tx: &mut Tx,
    ids: &IdSource,
    name: &InstalmentName,
    amount: Money,
    motive: &str,
) -> Result<bool, Error> {
    let gone = || Failure::bug("an instalment in a slip is not there");
    let mut schedule = store::lock(tx, &name.parent()).await?.ok_or_else(gone)?;
    let current = schedule.find(name.instalment).ok_or_else(gone)?;
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    let Ok(next) = current.clone().corrected(amount, now) else {
        return Ok(false);
    };
    store::update(tx, &next).await?;
    if current.documents != next.documents {
        document_store::write(tx, &next).await?;
    }
    let entry = LedgerEntry::correct(ids.next(), &next, amount, &actor, now);
    ledger_entry::store::insert(tx, &entry).await?;
    let (kind, why) = if next.is_ordered() {
        ("instalment.order_reduced", "Un mandat a été réduit.")
    } else {
        ("instalment.order_cancelled", "Un mandat a été annulé.")
    };
    if let Some(place) = schedule
        .instalments
        .iter_mut()
        .find(|one| one.name == next.name)
    {
        *place = next.clone();
    }
    let before = tx.why().to_owned();
    tx.because(motive);
    let change = Change {
        kind,
        operator: Some(next.name.operator()),
        name: &next.name.to_string(),
        revision: next.revision,
    };
    tx.record(change, &wire::change(&schedule, &next)).await?;
    let plan = &schedule.plan;
    // A termination leaves the others as they are: nothing more is due.
    if !plan.measures.terminated {
        planning::replan(tx, ids, &plan.convention, plan.last_cause(), why).await?;
    }
    tx.because(&before);
    Ok(true)
}
