//! What was claimed back under a plan, and what became of it: sums, as the ledger has them.

use nonrecours_kernel::Money;
use time::Date;

use super::Mismatch;
use crate::ledger_entry::Movement;

/// Sums of all recoveries of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Claimed, reductions taken off.
    pub claimed: Money,
    /// Received, or set off.
    pub received: Money,
    /// Given up.
    pub written_off: Money,
    /// Of what is claimed: what breaches of the contrat d'engagement républicain withdraw.
    pub withdrawn: Money,
}

impl Recovered {
    /// After one more entry of a recovery, which was issued for a breach or not.
    pub fn book(self, movement: Movement, amount: Money, breach: bool) -> Result<Self, Mismatch> {
        let add = |sum: Money| sum.checked_add(amount).ok_or(Mismatch::Recovered);
        let less = |sum: Money| {
            let left = sum.checked_sub(amount).filter(|left| !left.is_negative());
            left.ok_or(Mismatch::Recovered)
        };
        let mut next = self;
        match movement {
            Movement::Claim => {
                next.claimed = add(self.claimed)?;
                if breach {
                    next.withdrawn = add(self.withdrawn)?;
                }
            }
            Movement::Reduction => {
                next.claimed = less(self.claimed)?;
                if breach {
                    next.withdrawn = less(self.withdrawn)?;
                }
            }
            Movement::Receipt => next.received = add(self.received)?,
            Movement::WriteOff => next.written_off = add(self.written_off)?,
            Movement::Liquidation
            | Movement::Payment
            | Movement::Return
            | Movement::Reversal
            | Movement::StateClaim
            | Movement::StateReceipt
            | Movement::StateReversal => {
                return Err(Mismatch::Recovered);
            }
        }
        let closed = next.received.checked_add(next.written_off);
        match closed {
            Some(closed) if closed <= next.claimed => Ok(next),
            _ => Err(Mismatch::Recovered),
        }
    }
}

/// The days that a convention runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first: that of the second signature, in Paris.
    pub first: Date,
    /// The last (art. 5), no earlier.
    pub last: Date,
}

impl Period {
    /// How many days it has, its first and last included.
    pub fn days(self) -> Option<u32> {
        days(self.first, self.last)
    }

    /// How many are left from this day on, that day included; none when it is outside.
    pub fn days_from(self, day: Date) -> Option<u32> {
        let within = self.first <= day;
        days(day, self.last).filter(|_| within)
    }
}

/// Civil days from one to the other, both included; none when the second comes first.
fn days(first: Date, last: Date) -> Option<u32> {
    let days = last.to_julian_day() - first.to_julian_day() + 1;
    u32::try_from(days).ok().filter(|days| *days > 0)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn both_ends_count_and_hours_do_not() {
        let period = Period {
            first: date!(2025 - 10 - 06),
            last: date!(2025 - 12 - 31),
        };
        assert_eq!(period.days(), Some(87));
        // Across the change of the clock at the end of October: days are days.
        assert_eq!(period.days_from(date!(2025 - 10 - 25)), Some(68));
        assert_eq!(period.days_from(date!(2025 - 10 - 27)), Some(66));
        assert_eq!(period.days_from(date!(2025 - 10 - 06)), Some(87));
        assert_eq!(period.days_from(date!(2025 - 12 - 31)), Some(1));
        assert_eq!(period.days_from(date!(2025 - 10 - 05)), None);
        assert_eq!(period.days_from(date!(2026 - 01 - 01)), None);
    }

    #[test]
    fn nothing_is_recovered_beyond_what_is_claimed() {
        let euros = Money::from_cents;
        let claimed = Recovered::default()
            .book(Movement::Claim, euros(300), true)
            .unwrap();
        assert_eq!(claimed.withdrawn, euros(300));
        let received = claimed.book(Movement::Receipt, euros(200), true).unwrap();
        assert_eq!(
            received.book(Movement::WriteOff, euros(101), true),
            Err(Mismatch::Recovered)
        );
        assert_eq!(
            received.book(Movement::Reduction, euros(101), true),
            Err(Mismatch::Recovered)
        );
        let reduced = received
            .book(Movement::Reduction, euros(100), true)
            .unwrap();
        assert_eq!(
            (reduced.claimed, reduced.withdrawn, reduced.received),
            (euros(200), euros(200), euros(200))
        );
        assert_eq!(
            reduced.book(Movement::Payment, euros(1), false),
            Err(Mismatch::Recovered)
        );
    }
}
