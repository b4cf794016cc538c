//! The figures of the tables: what each counts, along which breakdowns, and within which other one.

use nonrecours_disclosure::{Contribution, Kind};

use super::{sums::Sums, table::Breakdown};

/// A figure of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Persons spotted.
    PersonsSpotted,
    /// Of them, informed or further.
    PersonsInformed,
    /// Of them, oriented.
    PersonsOriented,
    /// Of those spotted, supported.
    PersonsSupported,
    /// Rights followed for them.
    EntitlementsFollowed,
    /// Of them, open.
    EntitlementsOpened,
    /// Of those followed, filed and decided on.
    EntitlementsDecided,
    /// Of those followed, in autonomy.
    InAutonomy,
    /// Of those followed, on behalf.
    OnBehalf,
    /// Interruptions avoided of open rights.
    InterruptionsAvoided,
    /// Euros a year of open rights.
    AmountNotified,
    /// Euros a year of rights still pursued.
    AmountEstimated,
    /// Sessions.
    SessionsHeld,
    /// Persons met at them.
    PersonsMet,
}

impl Measure {
    /// Every figure, each after the one it is part of.
    pub const ALL: [Self; 14] = [
        Self::PersonsSpotted,
        Self::PersonsInformed,
        Self::PersonsOriented,
        Self::PersonsSupported,
        Self::EntitlementsFollowed,
        Self::EntitlementsOpened,
        Self::EntitlementsDecided,
        Self::InAutonomy,
        Self::OnBehalf,
        Self::InterruptionsAvoided,
        Self::AmountNotified,
        Self::AmountEstimated,
        Self::SessionsHeld,
        Self::PersonsMet,
    ];

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What it is part of: nowhere is it told where that is not, or a part would tell of its whole.
    pub const fn part_of(self) -> Option<Self> {
        match self {
            Self::PersonsSpotted | Self::SessionsHeld | Self::PersonsMet => None,
            Self::PersonsInformed | Self::PersonsSupported => Some(Self::PersonsSpotted),
            Self::PersonsOriented => Some(Self::PersonsInformed),
            Self::EntitlementsFollowed => Some(Self::PersonsSupported),
            Self::EntitlementsOpened
            | Self::EntitlementsDecided
            | Self::InAutonomy
            | Self::OnBehalf
            | Self::AmountEstimated => Some(Self::EntitlementsFollowed),
            Self::InterruptionsAvoided | Self::AmountNotified => Some(Self::EntitlementsOpened),
        }
    }

    /// Whether records bear the breakdown: persons stand under no channel, sessions under no public, no right.
    pub const fn is_along(self, breakdown: Breakdown) -> bool {
        let of_sessions = matches!(self, Self::SessionsHeld | Self::PersonsMet);
        let of_persons = matches!(
            self,
            Self::PersonsSpotted
                | Self::PersonsInformed
                | Self::PersonsOriented
                | Self::PersonsSupported
        );
        match breakdown {
            Breakdown::Total | Breakdown::Operator | Breakdown::Convention | Breakdown::Commune => {
                true
            }
            Breakdown::Public => !of_sessions,
            Breakdown::Right | Breakdown::Reason => !of_sessions && !of_persons,
            Breakdown::Channel => of_sessions,
        }
    }

    /// Whether it tells of persons: a session is none.
    pub const fn is_controlled(self) -> bool {
        !matches!(self, Self::SessionsHeld)
    }

    /// How it is controlled.
    pub const fn kind(self) -> Kind {
        match self {
            Self::AmountNotified | Self::AmountEstimated => Kind::Amount,
            _ => Kind::Count,
        }
    }

    /// The figure with the persons behind it. Of an amount the largest share is bounded by the root of the sum of the
    /// squares, which is never less.
    pub fn figure(self, sums: &Sums) -> Contribution {
        let (value, persons, squares) = match self {
            Self::PersonsSpotted => (sums.persons_spotted, sums.persons_spotted, 0),
            Self::PersonsInformed => (sums.persons_informed, sums.persons_informed, 0),
            Self::PersonsOriented => (sums.persons_oriented, sums.persons_oriented, 0),
            Self::PersonsSupported => (sums.persons_supported, sums.persons_supported, 0),
            Self::EntitlementsFollowed => (sums.entitlements_followed, sums.persons_followed, 0),
            Self::EntitlementsOpened => (sums.entitlements_opened, sums.persons_opened, 0),
            Self::EntitlementsDecided => (sums.entitlements_decided, sums.persons_decided, 0),
            Self::InAutonomy => (sums.in_autonomy, sums.persons_in_autonomy, 0),
            Self::OnBehalf => (sums.on_behalf, sums.persons_on_behalf, 0),
            Self::InterruptionsAvoided => (sums.interruptions_avoided, sums.persons_avoiding, 0),
            Self::AmountNotified => (
                sums.notified_cents,
                sums.persons_notified,
                sums.notified_squares,
            ),
            Self::AmountEstimated => (
                sums.estimated_cents,
                sums.persons_estimated,
                sums.estimated_squares,
            ),
            Self::SessionsHeld => (sums.sessions_held, sums.sessions_held, 0),
            Self::PersonsMet => (sums.persons_met, sums.persons_met, 0),
        };
        let positive = |number: i64| u64::try_from(number).unwrap_or_default();
        let squares = u128::try_from(squares).unwrap_or_default();
        Contribution {
            value: positive(value),
            contributors: positive(persons),
            largest: u64::try_from(squares.isqrt()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_in_its_place_after_what_it_is_part_of() {
        for (place, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure.index(), place);
            assert!(
                measure
                    .part_of()
                    .is_none_or(|whole| whole.index() < measure.index())
            );
        }
    }

    #[test]
    fn the_largest_amount_is_never_above_its_bound() {
        let amounts = [120_000_i64, 3_000, 50];
        let sums = Sums {
            notified_cents: amounts.iter().sum(),
            notified_squares: amounts
                .iter()
                .map(|amount| i128::from(amount * amount))
                .sum(),
            persons_notified: 3,
            ..Sums::default()
        };
        let figure = Measure::AmountNotified.figure(&sums);
        assert_eq!((figure.value, figure.contributors), (123_050, 3));
        assert!(figure.largest >= 120_000 && figure.largest < 120_100);
    }
}
