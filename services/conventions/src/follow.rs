//! What `payments` reports: how much is paid under each convention, and when everything is.

use nonrecours_contracts::{
    feed::Change,
    google::r#type::Money as Amount,
    payments::{PaymentPlan, PaymentPlanState},
};
use nonrecours_feed::{Handler, snapshot};
use nonrecours_kernel::{ConventionName, Money};
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, convert::money, field};
use prost::Name as _;

use crate::{
    convention::{
        self,
        domain::{Learned, Plan, Recovered},
    },
    error::Error,
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
    let convention = convention::store::lock(tx, &name).await?;
    // A plan of another grant than the one in force does not know of the amendment yet.
    let current = amount(reported.grant_amount.as_ref())? == convention.terms.grant;
    let plan = Plan {
        revision: reported.revision,
        paid: amount(reported.paid_amount.as_ref())?,
        settled: current && reported.state() == PaymentPlanState::Settled,
        recovered: Recovered {
            claimed: later(reported.claimed_amount.as_ref())?,
            received: later(reported.recovered_amount.as_ref())?,
            written_off: later(reported.written_off_amount.as_ref())?,
        },
    };
    let before = convention.held();
    match convention.learn(plan, tx.now())? {
        Learned::Known => Ok(()),
        Learned::Noted(convention) => convention::store::advance(tx, before, &convention).await,
        Learned::Changed { convention, kind } => {
            convention::store::advance(tx, before, &convention).await?;
            convention::rpc::record(tx, kind, &convention).await
        }
    }
}

/// A sum that plans did not tell at first: none is nothing.
fn later(given: Option<&Amount>) -> Result<Money, Failure> {
    given.map_or(Ok(Money::ZERO), |given| amount(Some(given)))
}

fn amount(given: Option<&Amount>) -> Result<Money, Failure> {
    money(given).map_err(|_| Failure::bug("a payment plan with an amount that is not one"))
}
