//! Retention as the rpcs and the feed show it.

use nonrecours_contracts::followup::{
    RetentionCandidate, RetentionNotice as WireNotice, RetentionPolicy as WirePolicy,
};
use nonrecours_kernel::{BeneficiaryName, OperatorId};
use nonrecours_pg::{Change, Entry};
use nonrecours_rpc::{
    convert::{to_date, to_timestamp},
    etag,
};

use super::domain::{Candidate, RetentionNotice, RetentionPolicy};

impl From<&RetentionPolicy> for WirePolicy {
    fn from(policy: &RetentionPolicy) -> Self {
        Self {
            name: policy.name.to_string(),
            months: policy.months,
            automatic: policy.automatic,
            revision: policy.revision,
            create_time: policy.times.map(|(first, _)| to_timestamp(first)),
            update_time: policy.times.map(|(_, last)| to_timestamp(last)),
            etag: etag::of(policy.revision),
        }
    }
}

impl From<&RetentionNotice> for WireNotice {
    fn from(notice: &RetentionNotice) -> Self {
        Self {
            name: notice.name.to_string(),
            beneficiary: notice.beneficiary.to_string(),
            last_contact_date: Some(to_date(notice.last_contact_date)),
            due_date: Some(to_date(notice.due_date)),
            state: notice.state.to_wire(),
            revision: notice.revision,
            create_time: Some(to_timestamp(notice.create_time)),
            update_time: Some(to_timestamp(notice.update_time)),
            etag: etag::of(notice.revision),
        }
    }
}

/// What the feed tells of a notice.
pub fn entry(notice: &RetentionNotice) -> Entry {
    let change = Change {
        kind: notice.state.kind(),
        operator: Some(notice.name.operator),
        name: &notice.name.to_string(),
        revision: notice.revision,
    };
    Entry::new(change, &WireNotice::from(notice))
}

/// A person who is due.
pub fn candidate(operator: OperatorId, candidate: &Candidate) -> RetentionCandidate {
    RetentionCandidate {
        beneficiary: BeneficiaryName {
            operator,
            beneficiary: candidate.beneficiary,
        }
        .to_string(),
        external_reference: candidate.reference.clone(),
        last_contact_date: Some(to_date(candidate.last_contact_date)),
        due_date: Some(to_date(candidate.due_date)),
        held: candidate.is_held,
        notice_time: candidate.notice_time.map(to_timestamp),
    }
}
