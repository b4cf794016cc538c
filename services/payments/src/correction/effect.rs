//! A correction that is taken in charge: its order, its instalment and the books follow.

use nonrecours_kernel::{IdSource, SlipName};
use nonrecours_pg::Tx;
use nonrecours_rpc::Failure;

use super::{Correction, hearing::diverges};
use crate::{
    error::Error,
    instalment,
    return_file::Divergence,
    slip::{self, Stage},
};

/// Takes off its order what a correction takes off it: the slip of the order; or why that cannot be, for the order is no longer
/// to be paid by the accountant.
pub async fn take_in_charge(
    tx: &mut Tx,
    ids: &IdSource,
    correction: &Correction,
) -> Result<Result<SlipName, Divergence>, Error> {
    let found = slip::orders::get(tx, &[correction.order]).await?.pop();
    let (slip, _, order) =
        found.ok_or_else(|| Failure::bug("the order of a correction is not there"))?;
    let ended = || {
        diverges(
            correction,
            "A correction of the order is said to be taken in charge; the order was paid or rejected before.",
            "Une correction de ce mandat est dite prise en charge alors qu'il avait été payé ou rejeté.",
        )
    };
    if order.stage != Stage::TakenInCharge {
        return Ok(Err(ended()));
    }
    let name = &order.instalment;
    let (amount, motive) = (correction.amount, &correction.motive);
    if !instalment::correcting::correct(tx, ids, name, amount, motive).await? {
        return Ok(Err(ended()));
    }
    let corrected = order.correct(amount);
    let corrected = corrected.ok_or_else(|| Failure::bug("a correction beyond its order"))?;
    slip::orders::update(tx, &corrected).await?;
    Ok(Ok(slip))
}
