//! How long records are kept, who is due, and what is announced.

use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, RetentionNoticeName, RetentionPolicyName};
use time::{Date, Duration, OffsetDateTime};

use crate::codes::codes;

/// Months kept after the last contact unless a policy says otherwise (view `retention` has the same).
pub const DEFAULT_MONTHS: i32 = 24;
/// How long before the day an erasure is announced, and how long after its notice it comes by itself at the earliest.
pub const NOTICE_AHEAD: Duration = Duration::days(30);
/// Persons erased in one transaction at most.
pub const MAX_AT_ONCE: i32 = 200;

/// What was set for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Its name.
    pub name: RetentionPolicyName,
    /// Months kept after the last contact.
    pub months: i32,
    /// The service erases by itself who is due.
    pub automatic: bool,
    /// Counts the changes from 1; 0: the default.
    pub revision: i64,
    /// When one was first set, and last.
    pub times: Option<(OffsetDateTime, OffsetDateTime)>,
}

impl RetentionPolicy {
    /// What holds while nothing was set.
    pub const fn default_of(name: RetentionPolicyName) -> Self {
        Self {
            name,
            months: DEFAULT_MONTHS,
            automatic: false,
            revision: 0,
            times: None,
        }
    }

    /// Sets it anew.
    pub fn set(self, months: i32, automatic: bool, now: OffsetDateTime) -> Self {
        Self {
            months,
            automatic,
            revision: self.revision + 1,
            times: Some((self.times.map_or(now, |(first, _)| first), now)),
            ..self
        }
    }
}

/// A person who is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub beneficiary: BeneficiaryId,
    /// The operator's own reference.
    pub reference: String,
    /// Day of the last contact.
    pub last_contact_date: Date,
    /// Day from which they may be erased.
    pub due_date: Date,
    /// Under a legal hold.
    pub is_held: bool,
    /// When the erasure was announced.
    pub notice_time: Option<OffsetDateTime>,
}

codes! {
    /// What became of a notice.
    RetentionNoticeState {
        /// The person is about to be erased.
        Open = "OPEN",
        /// There was contact again, or a hold was put.
        Withdrawn = "WITHDRAWN",
    }
}

impl RetentionNoticeState {
    /// What happened when a notice came into this state, as the feed says it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Open => "retention_notice.raised",
            Self::Withdrawn => "retention_notice.withdrawn",
        }
    }
}

/// A notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionNotice {
    /// Its name.
    pub name: RetentionNoticeName,
    /// Of whom.
    pub beneficiary: BeneficiaryName,
    /// Day of the last contact.
    pub last_contact_date: Date,
    /// Day from which the person may be erased.
    pub due_date: Date,
    /// What became of it.
    pub state: RetentionNoticeState,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was raised.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::OperatorId;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_policy_is_the_default_until_it_is_set() {
        let operator = OperatorId::from_uuid(Uuid::from_u128(1));
        let policy = RetentionPolicy::default_of(RetentionPolicyName { operator });
        assert_eq!(
            (policy.months, policy.automatic, policy.revision),
            (24, false, 0)
        );
        let (first, later) = (
            datetime!(2025-10-07 07:00 UTC),
            datetime!(2025-10-08 07:00 UTC),
        );
        let policy = policy.set(12, true, first).set(18, false, later);
        assert_eq!(
            (policy.months, policy.automatic, policy.revision),
            (18, false, 2)
        );
        assert_eq!(policy.times, Some((first, later)));
    }
}
