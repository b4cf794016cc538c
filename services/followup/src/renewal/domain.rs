//! An alert about one date by which one right must be renewed.

use nonrecours_kernel::{
    BeneficiaryId, EntitlementId, OperatorId, RenewalAlertId, RenewalAlertName,
};
use time::{Date, Duration, OffsetDateTime};

use crate::codes::codes;

/// How long before a renewal date an alert is raised, and from when on a step renews for that date (view `renewal`): a
/// renewal takes weeks.
pub const ALERT_AHEAD: Duration = Duration::days(60);

codes! {
    /// What became of an alert.
    RenewalAlertState {
        /// The date comes up.
        Due = "DUE",
        /// The date has passed without renewal.
        Interrupted = "INTERRUPTED",
        /// Renewed by the date.
        Avoided = "AVOIDED",
        /// Renewed, or opened again, after it.
        Resumed = "RESUMED",
        /// Nothing to renew any more.
        Cleared = "CLEARED",
    }
}

impl RenewalAlertState {
    /// A new alert is about to come, or too late already.
    pub fn of_new(renewal_date: Date, today: Date) -> Self {
        if renewal_date < today {
            Self::Interrupted
        } else {
            Self::Due
        }
    }

    /// Settled alerts stay as they are.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Avoided | Self::Resumed | Self::Cleared)
    }

    /// What happened when an alert came into this state, as the feed says it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Due => "renewal_alert.raised",
            Self::Interrupted => "renewal_alert.interrupted",
            Self::Avoided => "renewal_alert.avoided",
            Self::Resumed => "renewal_alert.resumed",
            Self::Cleared => "renewal_alert.cleared",
        }
    }
}

/// An alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalAlert {
    /// Whose record the right is.
    pub operator: OperatorId,
    /// Its id.
    pub id: RenewalAlertId,
    /// The right.
    pub entitlement: EntitlementId,
    /// Day by which it must be renewed.
    pub renewal_date: Date,
    /// What became of it.
    pub state: RenewalAlertState,
    /// Day on which it was settled, exactly when it is.
    pub settled_date: Option<Date>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was raised.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What a right says of its renewal now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Day by which it must be renewed.
    pub renewal_date: Date,
    /// The same person has been given the same right again since, or a step has renewed it.
    pub is_renewed: bool,
}

impl RenewalAlert {
    /// Resource name.
    pub fn name(&self) -> RenewalAlertName {
        RenewalAlertName {
            operator: self.operator,
            renewal_alert: self.id,
        }
    }

    /// The alert as it becomes when its right stands so (`None`: nothing to renew) on a day; `None`: as it is.
    pub fn next(
        self,
        standing: Option<Standing>,
        now: OffsetDateTime,
        today: Date,
    ) -> Option<Self> {
        use RenewalAlertState::*;
        let in_time = self.state == Due && today <= self.renewal_date;
        let state = match standing {
            _ if self.state.is_settled() => self.state,
            None => Cleared,
            Some(standing) if standing.is_renewed || standing.renewal_date > self.renewal_date => {
                if in_time {
                    Avoided
                } else {
                    Resumed
                }
            }
            // Corrected to an earlier day, which has an alert of its own.
            Some(standing) if standing.renewal_date < self.renewal_date => Cleared,
            Some(_) if in_time => Due,
            Some(_) => Interrupted,
        };
        (state != self.state).then(|| Self {
            state,
            settled_date: state.is_settled().then_some(today),
            revision: self.revision + 1,
            update_time: now,
            ..self
        })
    }
}

/// A right to be renewed, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Whose record it is.
    pub operator: OperatorId,
    /// The right.
    pub entitlement: EntitlementId,
    /// The operator's own reference of it.
    pub reference: String,
    /// The person.
    pub beneficiary: BeneficiaryId,
    /// Code of the right.
    pub right: String,
    /// Day by which it must be renewed.
    pub renewal_date: Date,
    /// Filed again since its decision.
    pub is_filed: bool,
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::*;

    const BY: Date = date!(2025 - 12 - 31);
    const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn alert(state: RenewalAlertState) -> RenewalAlert {
        RenewalAlert {
            operator: OperatorId::from_uuid(Uuid::nil()),
            id: RenewalAlertId::from_uuid(Uuid::from_u128(1)),
            entitlement: EntitlementId::from_uuid(Uuid::from_u128(2)),
            renewal_date: BY,
            state,
            settled_date: state.is_settled().then_some(BY),
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    #[test]
    fn an_alert_follows_its_right() {
        use RenewalAlertState::*;
        let standing = |renewal_date, is_renewed| {
            Some(Standing {
                renewal_date,
                is_renewed,
            })
        };
        let later = date!(2026 - 12 - 31);
        let after = date!(2026 - 01 - 01);
        for (from, standing, today, to) in [
            (Due, standing(BY, false), BY, Due),
            (Due, standing(BY, false), after, Interrupted),
            (Due, standing(later, false), BY, Avoided),
            (Due, standing(later, false), after, Resumed),
            (Due, standing(BY, true), BY, Avoided),
            (Interrupted, standing(BY, false), after, Interrupted),
            (Interrupted, standing(later, false), after, Resumed),
            (Interrupted, standing(BY, true), after, Resumed),
            // Whatever the clock says: what was interrupted was.
            (Interrupted, standing(later, false), BY, Resumed),
            (Due, standing(date!(2025 - 12 - 01), false), BY, Cleared),
            (Due, None, BY, Cleared),
            (Interrupted, None, after, Cleared),
            (Avoided, None, after, Avoided),
            (Resumed, standing(BY, false), after, Resumed),
            (Cleared, standing(later, false), BY, Cleared),
        ] {
            let next = alert(from).next(standing, NOW, today);
            let state = next.map_or(from, |next| next.state);
            assert_eq!(state, to, "{from:?} with {standing:?} on {today}");
            assert_eq!(next.is_some(), from != to);
            if let Some(next) = next {
                assert_eq!(next.revision, 2);
                assert_eq!(next.settled_date, to.is_settled().then_some(today));
            }
        }
    }

    #[test]
    fn a_new_alert_may_be_too_late() {
        assert_eq!(RenewalAlertState::of_new(BY, BY), RenewalAlertState::Due);
        let after = date!(2026 - 01 - 01);
        assert_eq!(
            RenewalAlertState::of_new(BY, after),
            RenewalAlertState::Interrupted
        );
    }
}
