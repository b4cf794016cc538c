//! A territory's programme and its envelopes.

use nonrecours_kernel::{BudgetYear, InseeCode, Money, ProgrammeName, Siret};
use time::OffsetDateTime;

/// A programme as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Resource name.
    pub name: ProgrammeName,
    /// What it was opened with.
    pub terms: Terms,
    /// One a budget year, in their order.
    pub envelopes: Vec<Envelope>,
    /// Counts the changes from 1; the running sums of the envelopes do not count.
    pub revision: i64,
    /// When it was opened.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What a programme is opened with, besides its envelopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Name people use.
    pub display_name: String,
    /// Legal name of the authority.
    pub authority_name: String,
    /// Establishment of the authority.
    pub authority_siret: Siret,
    /// Communes of the territory; none: every commune.
    pub commune_codes: Vec<InseeCode>,
}

/// Money voted for one budget year, and what has become of it: 0 ≤ paid ≤ engaged ≤ voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Voted.
    pub voted: Money,
    /// Grants of the conventions in force.
    pub engaged: Money,
    /// Paid under them.
    pub paid: Money,
}

impl Envelope {
    /// An envelope of which nothing is engaged.
    pub const fn voted(budget_year: BudgetYear, voted: Money) -> Self {
        Self {
            budget_year,
            voted,
            engaged: Money::ZERO,
            paid: Money::ZERO,
        }
    }

    /// What can still be engaged.
    pub fn available(&self) -> Money {
        // Both lie between zero and the largest amount: the difference exists.
        self.voted.checked_sub(self.engaged).unwrap_or(Money::ZERO)
    }

    /// Engages a grant; nothing when it is more than what is available.
    pub fn engage(self, grant: Money) -> Option<Self> {
        let engaged = self.engaged.checked_add(grant)?;
        (grant.is_positive() && engaged <= self.voted).then_some(Self { engaged, ..self })
    }

    /// Moves the sum paid by a difference; nothing when it would leave its bounds.
    pub fn pay(self, difference: Money) -> Option<Self> {
        let paid = self.paid.checked_add(difference)?;
        (!paid.is_negative() && paid <= self.engaged).then_some(Self { paid, ..self })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn year() -> BudgetYear {
        BudgetYear::new(2025).unwrap()
    }

    #[test]
    fn a_grant_of_exactly_what_is_available_fits_and_a_cent_more_does_not() {
        let envelope = Envelope::voted(year(), Money::from_cents(1_150_000));
        assert_eq!(envelope.engage(Money::from_cents(1_150_001)), None);
        let engaged = envelope.engage(Money::from_cents(1_150_000)).unwrap();
        assert_eq!(engaged.available(), Money::ZERO);
        assert_eq!(engaged.engage(Money::from_cents(1)), None);
        assert_eq!(engaged.pay(Money::from_cents(1_150_001)), None);
        assert_eq!(engaged.pay(Money::from_cents(-1)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_engaged_and_paid_the_bounds_hold(
            voted in 1..10_000_i64,
            steps in prop::collection::vec((any::<bool>(), -3_000..3_000_i64), 0..40),
        ) {
            let mut envelope = Envelope::voted(year(), Money::from_cents(voted));
            for (engages, cents) in steps {
                let money = Money::from_cents(cents);
                let next = if engages { envelope.engage(money) } else { envelope.pay(money) };
                envelope = next.unwrap_or(envelope);
                prop_assert!(Money::ZERO <= envelope.paid);
                prop_assert!(envelope.paid <= envelope.engaged);
                prop_assert!(envelope.engaged <= envelope.voted);
                prop_assert_eq!(envelope.available().checked_add(envelope.engaged), Some(envelope.voted));
            }
        }
    }
}
