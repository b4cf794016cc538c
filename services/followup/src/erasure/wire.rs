//! Erasures as the rpcs and the feed show them.

use nonrecours_contracts::followup::Erasure as Wire;
use nonrecours_pg::{Change, Entry};
use nonrecours_rpc::{convert::to_timestamp, etag};

use super::domain::Erasure;

impl From<&Erasure> for Wire {
    fn from(erasure: &Erasure) -> Self {
        Self {
            name: erasure.name.to_string(),
            beneficiary: erasure.beneficiary.to_string(),
            reason: erasure.reason.to_wire(),
            entitlements: erasure.records.entitlements,
            steps: erasure.records.steps,
            notes: erasure.records.notes,
            referrals: erasure.records.referrals,
            revision: erasure.revision,
            create_time: Some(to_timestamp(erasure.create_time)),
            update_time: Some(to_timestamp(erasure.update_time)),
            etag: etag::of(erasure.revision),
        }
    }
}

/// What the feed tells of an erasure.
pub fn entry(kind: &'static str, erasure: &Erasure) -> Entry {
    let change = Change {
        kind,
        operator: Some(erasure.name.operator),
        name: &erasure.name.to_string(),
        revision: erasure.revision,
    };
    Entry::new(change, &Wire::from(erasure))
}
