//! A payment that comes back: the money is there again, and the instalment ordered as before.

use nonrecours_contracts::payments::PaymentPlan as WirePlan;
use nonrecours_kernel::{IdSource, InstalmentName, Text};
use nonrecours_pg::{Change, Tx};
use nonrecours_rpc::Failure;

use super::{store, wire};
use crate::{
    error::Error,
    ledger_entry::{self, LedgerEntry, Movement},
    payment_plan, recovery,
};

/// Takes the payment of an instalment back, where it is PAID; or why it cannot be: something of it was claimed meanwhile, and
/// the books would say that more is claimed than was ever paid.
pub(crate) async fn take_back(
    tx: &mut Tx,
    ids: &IdSource,
    name: &InstalmentName,
) -> Result<Result<(), Text>, Error> {
    let gone = || Failure::bug("an instalment in a slip is not there");
    let mut schedule = store::lock(tx, &name.parent()).await?.ok_or_else(gone)?;
    let current = schedule.find(name.instalment).ok_or_else(gone)?;
    if current.state.paid().is_none() {
        return Ok(Ok(()));
    }
    let plan = &schedule.plan;
    let set_off = recovery::store::set_off(tx, name).await?;
    let claimed = [plan.recovered.claimed, plan.measures.claimed, set_off];
    if claimed.iter().any(|sum| sum.is_positive()) {
        return Ok(Err(claimed_meanwhile()));
    }
    let now = tx.now();
    let next = current.clone().returned(now)?;
    let plan = plan.clone().unpay(next.amount, now)?;
    store::update(tx, &next).await?;
    let actor = tx.actor().to_owned();
    let entry = LedgerEntry::book(ids.next(), &next, Movement::Return, &actor, now);
    ledger_entry::store::insert(tx, &entry).await?;
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
    schedule.plan = plan;
    let change = Change {
        kind: "instalment.returned",
        operator: Some(next.name.operator()),
        name: &next.name.to_string(),
        revision: next.revision,
    };
    tx.record(change, &wire::change(&schedule, &next)).await?;
    Ok(Ok(()))
}

fn claimed_meanwhile() -> Text {
    Text::new(
        "The payment came back, but something was claimed back or set off meanwhile: settle that first.",
        "Le virement est revenu, mais une somme a été réclamée ou compensée entre-temps : réglez d'abord ce titre de \
         recette, puis l'écart.",
    )
}
