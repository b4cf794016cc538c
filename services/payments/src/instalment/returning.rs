//! A payment that comes back: as a whole, and the instalment is ordered as before; or a part of it, and the rest stays paid.

use nonrecours_contracts::payments::PaymentPlan as WirePlan;
use nonrecours_kernel::{IdSource, InstalmentName, Money, Text};
use nonrecours_pg::{Change, Tx};
use nonrecours_rpc::Failure;

use super::{Instalment, Schedule, planning, store, wire};
use crate::{
    error::Error,
    ledger_entry::{self, LedgerEntry, Movement},
    payment_plan::{self, PaymentPlan},
    recovery,
};

/// Takes the payment of an instalment back, where it is PAID; or why it cannot be: something of it was claimed meanwhile, and
/// the books would say that more is claimed than was ever paid.
pub(crate) async fn take_back(
    tx: &mut Tx,
    ids: &IdSource,
    name: &InstalmentName,
) -> Result<Result<(), Text>, Error> {
    let schedule = lock(tx, name).await?;
    let current = schedule.find(name.instalment).ok_or_else(gone)?.clone();
    if current.state.paid().is_none() {
        return Ok(Ok(()));
    }
    if is_claimed(tx, &schedule, name).await? {
        return Ok(Err(claimed_meanwhile()));
    }
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    let next = current.returned(now)?;
    let entry = LedgerEntry::book(ids.next(), &next, Movement::Return, &actor, now);
    book(tx, schedule, next, [entry], "instalment.returned").await?;
    Ok(Ok(()))
}

/// Takes a part of the payment of a PAID instalment back, which leaves the rest paid, and plans the part again as far as it is
/// due; or why it cannot be.
pub(crate) async fn take_part_back(
    tx: &mut Tx,
    ids: &IdSource,
    name: &InstalmentName,
    amount: Money,
) -> Result<Result<(), Text>, Error> {
    let schedule = lock(tx, name).await?;
    let current = schedule.find(name.instalment).ok_or_else(gone)?.clone();
    if is_claimed(tx, &schedule, name).await? {
        return Ok(Err(claimed_meanwhile()));
    }
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    let next = current.returned_in_part(amount, now);
    let next = next.ok_or_else(|| Failure::bug("a part of a payment that is not one"))?;
    let both = [ids.next(), ids.next()];
    let entries = LedgerEntry::return_part(both, &next, amount, &actor, now);
    let plan = book(tx, schedule, next, entries, "instalment.partly_returned").await?;
    if !plan.measures.terminated {
        let why = "Une partie d'un virement est revenue.";
        planning::replan(tx, ids, &plan.convention, plan.last_cause(), why).await?;
    }
    Ok(Ok(()))
}

async fn lock(tx: &mut Tx, name: &InstalmentName) -> Result<Schedule, Error> {
    Ok(store::lock(tx, &name.parent()).await?.ok_or_else(gone)?)
}

fn gone() -> Failure {
    Failure::bug("an instalment in a slip is not there")
}

/// Whether anything of what was paid was claimed back, or kept for a claim.
async fn is_claimed(
    tx: &mut Tx,
    schedule: &Schedule,
    name: &InstalmentName,
) -> Result<bool, Error> {
    let plan = &schedule.plan;
    let set_off = recovery::store::set_off(tx, name).await?;
    let claimed = [plan.recovered.claimed, plan.measures.claimed, set_off];
    Ok(claimed.iter().any(|sum| sum.is_positive()))
}

/// Writes an instalment of which money came back, what that books, and the plan after it. The first entry says how much.
async fn book<const ENTRIES: usize>(
    tx: &mut Tx,
    mut schedule: Schedule,
    next: Instalment,
    entries: [LedgerEntry; ENTRIES],
    kind: &'static str,
) -> Result<PaymentPlan, Error> {
    let amount = entries.first().map_or(Money::ZERO, |entry| entry.amount);
    let plan = schedule.plan.clone().unpay(amount, tx.now())?;
    store::update(tx, &next).await?;
    for entry in &entries {
        ledger_entry::store::insert(tx, entry).await?;
    }
    payment_plan::store::update(tx, &plan).await?;
    let booked = payment_plan::store::get(tx, &plan.convention).await?;
    if booked.as_ref() != Some(&plan) {
        return Err(Failure::bug("the ledger and the plan disagree on the sum paid").into());
    }
    let change = Change {
        kind: "payment_plan.updated",
        operator: Some(plan.convention.operator),
        name: &plan.name().to_string(),
        revision: plan.revision,
    };
    tx.record(change, &WirePlan::from(plan.clone())).await?;
    schedule.plan = plan.clone();
    let change = Change {
        kind,
        operator: Some(next.name.operator()),
        name: &next.name.to_string(),
        revision: next.revision,
    };
    tx.record(change, &wire::change(&schedule, &next)).await?;
    Ok(plan)
}

fn claimed_meanwhile() -> Text {
    Text::new(
        "The payment came back, but something was claimed back or set off meanwhile: settle that first.",
        "Le virement est revenu, mais une somme a été réclamée ou compensée entre-temps : réglez d'abord ce titre de \
         recette, puis l'écart.",
    )
}
