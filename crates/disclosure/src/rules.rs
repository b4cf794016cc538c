//! What is sensitive, and how far from its true value nobody may come.

use crate::series::Contribution;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Persons, or what belongs to one person each.
    Count,
    /// Money.
    Amount,
}

/// The rules for one audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A figure with fewer contributors is sensitive. Zero is: it would tell of a whole group what none of it has.
    pub threshold: u64,
    /// So is an amount of which one contributor has more than this many hundredths.
    pub dominance_percent: u64,
}

/// Hundredths of an amount that one contributor may have: the use for figures on households and firms.
const DOMINANCE_PERCENT: u64 = 85;

/// How far the range of a withheld figure must reach on both sides of its true value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Below.
    pub down: u64,
    /// Above.
    pub up: u64,
}

impl Rules {
    /// Of a threshold, with a dominance of 85 %.
    pub const fn from_threshold(threshold: u64) -> Self {
        Self {
            threshold,
            dominance_percent: DOMINANCE_PERCENT,
        }
    }

    /// What a sensitive figure needs; `None`: it may be told.
    ///
    /// A count of fewer than `threshold` must be able to be anything from 0 to `threshold - 1`; an amount must be able to
    /// be lower by what the dominance leaves to the others, and higher than nothing.
    pub fn need(&self, kind: Kind, figure: Contribution) -> Option<Need> {
        let few = figure.contributors < self.threshold;
        match kind {
            Kind::Count => few.then(|| Need {
                down: figure.value,
                up: (self.threshold - 1).saturating_sub(figure.value),
            }),
            Kind::Amount => {
                let (value, percent) =
                    (u128::from(figure.value), u128::from(self.dominance_percent));
                let dominated = u128::from(figure.largest) * 100 > value * percent;
                let rest = (value * 100_u128.saturating_sub(percent)).div_ceil(100);
                (few || dominated).then(|| Need {
                    down: u64::try_from(rest).unwrap_or(u64::MAX).min(figure.value),
                    up: u64::from(figure.value == 0),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: Rules = Rules::from_threshold(11);
    const INTERNAL: Rules = Rules::from_threshold(5);

    #[test]
    fn a_count_below_the_threshold_is_sensitive_and_zero_is() {
        let need = |number| PUBLIC.need(Kind::Count, Contribution::count(number));
        assert_eq!(need(0), Some(Need { down: 0, up: 10 }));
        assert_eq!(need(10), Some(Need { down: 10, up: 0 }));
        assert_eq!(need(11), None);
    }

    #[test]
    fn an_amount_of_few_or_of_one_above_all_is_sensitive() {
        let need = |value, contributors, largest| {
            let figure = Contribution {
                value,
                contributors,
                largest,
            };
            INTERNAL.need(Kind::Amount, figure)
        };
        assert_eq!(need(1000, 5, 850), None);
        assert_eq!(need(1000, 5, 851), Some(Need { down: 150, up: 0 }));
        assert_eq!(need(1001, 4, 300), Some(Need { down: 151, up: 0 }));
        assert_eq!(need(0, 0, 0), Some(Need { down: 0, up: 1 }));
        // Beyond 64 bits in between, never beyond in the end.
        assert_eq!(need(u64::MAX, 9, u64::MAX / 2), None);
    }
}
