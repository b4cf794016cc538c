//! A step of a recovery in the database: what it books, what that changes of the plan, and the change that tells of it.

use nonrecours_contracts::payments::Recovery as Wire;
use nonrecours_kernel::{IdSource, Money, Scope};
use nonrecours_pg::{Change, Entry, Tx};
use nonrecours_rpc::Failure;

use super::{Command, Recovery, store};
use crate::{
    error::Error,
    instalment::{Step, planning},
    ledger_entry::{self, LedgerEntry, Movement},
    payment_plan::{self, Cause},
};

/// Makes a step of a recovery whose plan is locked; none when it was known.
pub async fn step(
    tx: &mut Tx,
    ids: &IdSource,
    scope: &Scope,
    current: &Recovery,
    command: Command,
) -> Result<Option<Recovery>, Error> {
    let step = Step::of(scope, tx.now());
    let Some(next) = current.take(command, step)? else {
        return Ok(None);
    };
    let act = next.acts.get(current.acts.len());
    store::update(tx, &next, act).await?;
    let kind = match act {
        None => "recovery.notified",
        Some(act) => {
            tx.because(&act.reference);
            let booked = (act.kind.movement(), act.amount);
            book(tx, ids, &next, booked).await?;
            act.kind.change()
        }
    };
    tx.record_all(&[entry(kind, &next)]).await?;
    Ok(Some(next))
}

/// Books a step of a recovery, takes it into the locked plan, and plans again what is due again. The sums are counted
/// twice, by the plan and from the ledger.
pub async fn book(
    tx: &mut Tx,
    ids: &IdSource,
    recovery: &Recovery,
    booked: (Movement, Money),
) -> Result<(), Error> {
    let gone = || Failure::bug("a recovery without its plan");
    let convention = recovery.name.parent();
    let before = payment_plan::store::get(tx, &convention).await?;
    let before = before.ok_or_else(gone)?;
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    let entry = LedgerEntry::recover(ids.next(), recovery, booked, &actor, now);
    ledger_entry::store::insert(tx, &entry).await?;
    let (movement, amount) = booked;
    let sums = before
        .recovered
        .book(movement, amount, recovery.is_breach())?;
    let plan = before.clone().recover(sums, now);
    payment_plan::store::update(tx, &plan).await?;
    let counted = payment_plan::store::get(tx, &convention).await?;
    if counted.as_ref() != Some(&plan) {
        let disagree = "the ledger and the plan disagree on what is recovered";
        return Err(Failure::bug(disagree).into());
    }
    let entry = payment_plan::rpc::entry("payment_plan.recovery_updated", &plan);
    tx.record_all(&[entry]).await?;
    if plan.payable() != before.payable() {
        let why = "Une somme recouvrée est due à nouveau, ou ne l'est plus.";
        planning::replan(tx, ids, &convention, Cause::Decision, why).await?;
    }
    Ok(())
}

/// The change of a recovery.
pub fn entry(kind: &'static str, recovery: &Recovery) -> Entry {
    let change = Change {
        kind,
        operator: Some(recovery.name.operator),
        name: &recovery.name.to_string(),
        revision: recovery.revision,
    };
    Entry::new(change, &Wire::from(recovery))
}
