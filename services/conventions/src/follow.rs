//! What `payments` reports: how much is paid under each convention, and when everything is.

use nonrecours_contracts::{
    feed::Change,
    payments::{PaymentPlan, PaymentPlanState},
};
use nonrecours_feed::{Handler, snapshot};
use nonrecours_kernel::ConventionName;
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, convert::money, field};
use prost::Name as _;

use crate::{
    convention::{
        self,
        domain::{Learned, Plan},
    },
    error::Error,
    programme,
};

/// Applies the changes of `payments`.
pub struct Payments;

impl Handler for Payments {
    async fn apply(&self, tx: &mut Tx, change: &Change) -> Result<(), Failure> {
        // A plan's snapshot says all there is to know, whatever happened; other resources are none of our business.
        let is_plan = change
            .snapshot
            .as_ref()
            .is_some_and(|any| any.type_url == PaymentPlan::type_url());
        if !is_plan {
            return Ok(());
        }
        learn(tx, &snapshot(change)?).await.map_err(Failure::from)
    }
}

async fn learn(tx: &mut Tx, reported: &PaymentPlan) -> Result<(), Error> {
    let name: ConventionName = field("convention", &reported.convention)?;
    let plan = Plan {
        revision: reported.revision,
        paid: money(reported.paid_amount.as_ref())
            .map_err(|_| Failure::bug("a payment plan without the sum paid"))?,
        settled: reported.state() == PaymentPlanState::Settled,
    };
    let convention = convention::store::lock(tx, &name).await?;
    match convention.learn(plan, tx.now())? {
        Learned::Known => Ok(()),
        Learned::Noted(convention) => convention::store::update_state(tx, &convention).await,
        Learned::Changed {
            convention,
            kind,
            difference,
        } => {
            convention::store::update_state(tx, &convention).await?;
            let terms = &convention.terms;
            let programme = terms.framework_convention.parent();
            programme::store::pay_envelope(tx, &programme, terms.budget_year, difference).await?;
            convention::rpc::record(tx, kind, &convention).await
        }
    }
}
