//! What this service does with the changes of others.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState},
    feed::Change,
};
use nonrecours_feed::{Handler, snapshot};
use nonrecours_kernel::{ConventionName, Invalid, Money};
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, convert::money, field};
use prost::Name as _;

use crate::convention::{Convention as Known, Terms, store};

/// Keeps what is known of each convention up to date with the feed of `conventions`.
pub struct Conventions;

impl Handler for Conventions {
    async fn apply(&self, tx: &mut Tx, change: &Change) -> Result<(), Failure> {
        // Programmes, operators, acts and reports are in the same feed.
        let is_convention = change
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.type_url == Convention::type_url());
        if !is_convention {
            return Ok(());
        }
        let convention: Convention = snapshot(change)?;
        let name: ConventionName = field("name", &convention.name)?;
        let known = Known {
            name,
            revision: convention.revision,
            in_force: convention.state() == ConventionState::InForce,
            terms: terms(&convention).map_err(|invalid| Failure::internal(&invalid))?,
        };
        Ok(store::learn(tx, &known).await?)
    }
}

fn terms(convention: &Convention) -> Result<Terms, Invalid> {
    let due = match convention.due_amount.as_ref() {
        Some(due) => money(Some(due))?,
        None => Money::ZERO,
    };
    let targets = convention.targets.unwrap_or_default();
    Ok(Terms {
        signed: convention.version > 0,
        // Years of four figures.
        budget_year: i16::try_from(convention.budget_year).unwrap_or_default(),
        due,
        targets: [
            targets.persons_spotted,
            targets.persons_supported,
            targets.entitlements_opened,
        ],
    })
}
