//! What a month of one row counts, as the roll-ups keep it.

use nonrecours_disclosure::MONTHS;

macro_rules! sums {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)+) => {
        /// Figures of one row in one month. Each is a sum over records: sums of sums are sums.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Sums {
            $($(#[$doc])* pub $field: $kind,)+
        }

        impl Sums {
            /// Both together.
            #[must_use]
            pub fn and(self, other: Self) -> Self {
                Self {
                    $($field: self.$field.saturating_add(other.$field),)+
                }
            }
        }
    };
}

sums! {
    /// Persons.
    persons_spotted: i64,
    /// Of them, informed or further.
    persons_informed: i64,
    /// Of them, oriented when this was counted.
    persons_oriented: i64,
    /// Of them, supported.
    persons_supported: i64,
    /// Persons with a right followed.
    persons_followed: i64,
    /// Persons with a right open.
    persons_opened: i64,
    /// Persons with a right decided on.
    persons_decided: i64,
    /// Persons who do it, helped.
    persons_in_autonomy: i64,
    /// Persons in whose place it is done.
    persons_on_behalf: i64,
    /// Persons with an interruption avoided.
    persons_avoiding: i64,
    /// Persons with a notified amount.
    persons_notified: i64,
    /// Persons with an estimated amount.
    persons_estimated: i64,
    /// Rights followed.
    entitlements_followed: i64,
    /// Rights open.
    entitlements_opened: i64,
    /// Rights whose filing and decision have a day.
    entitlements_decided: i64,
    /// Days between them, of all of these.
    decision_days: i64,
    /// Rights in autonomy.
    in_autonomy: i64,
    /// Rights on behalf.
    on_behalf: i64,
    /// Interruptions avoided.
    interruptions_avoided: i64,
    /// Sessions.
    sessions_held: i64,
    /// Persons met at them.
    persons_met: i64,
    /// Cents a year of open rights.
    notified_cents: i64,
    /// Cents a year of rights still pursued.
    estimated_cents: i64,
    /// Squares of the notified cents of each person.
    notified_squares: i128,
    /// Squares of the estimated cents of each person.
    estimated_squares: i128,
}

/// The months of one year.
pub type Months = [Sums; MONTHS];

/// The sum of a year's months, month by month.
pub fn add(one: &mut Months, other: &Months) {
    for (one, other) in one.iter_mut().zip(other) {
        *one = one.and(*other);
    }
}
