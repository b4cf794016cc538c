//! What this service does with the changes of others.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState},
    feed::Change,
};
use nonrecours_feed::{Handler, snapshot};
use nonrecours_kernel::ConventionName;
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, field};
use prost::Name as _;

use crate::convention::{Convention as Known, store};

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
        };
        Ok(store::learn(tx, &known).await?)
    }
}
