//! The budget year that an order to pay is charged to.

use nonrecours_kernel::BudgetYear;
use time::{Date, Month};

/// Last day, in January, on which orders on the past budget year are given (journée complémentaire, art. L. 1612-11 CGCT).
const LAST_DAY: u8 = 31;

/// What an order of one day is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Calendar year of the budget.
    pub year: i32,
    /// Last day on which an order is charged to it; what is ordered later is carried over to the year after.
    pub last_day: Date,
}

impl Charge {
    /// That of an order of this day in Paris, under a convention of this budget year. None at the calendar's end.
    pub fn of(agreed: BudgetYear, day: Date) -> Option<Self> {
        let past = day.month() == Month::January && day.day() <= LAST_DAY;
        let open = if past { day.year() - 1 } else { day.year() };
        // Nothing is carried back: an order before its year is charged to the year agreed.
        Self::calendar(open.max(i32::from(agreed.get())))
    }

    /// That of all orders on a budget year. None at the calendar's end.
    pub fn year(year: BudgetYear) -> Option<Self> {
        Self::calendar(i32::from(year.get()))
    }

    fn calendar(year: i32) -> Option<Self> {
        let last_day = Date::from_calendar_date(year + 1, Month::January, LAST_DAY).ok()?;
        Some(Self { year, last_day })
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::paris_date;
    use proptest::prelude::*;
    use time::{
        Duration, OffsetDateTime,
        macros::{date, datetime},
    };

    use super::*;

    fn charged(day: Date) -> (i32, Date) {
        let agreed = BudgetYear::new(2025).unwrap();
        let charge = Charge::of(agreed, day).unwrap();
        (charge.year, charge.last_day)
    }

    #[test]
    fn january_still_belongs_to_the_past_year() {
        let of_2025 = (2025, date!(2026 - 01 - 31));
        let of_2026 = (2026, date!(2027 - 01 - 31));
        assert_eq!(charged(date!(2025 - 10 - 07)), of_2025);
        assert_eq!(charged(date!(2025 - 12 - 31)), of_2025);
        assert_eq!(charged(date!(2026 - 01 - 31)), of_2025);
        assert_eq!(charged(date!(2026 - 02 - 01)), of_2026);
        assert_eq!(charged(date!(2026 - 12 - 31)), of_2026);
        assert_eq!(charged(date!(2027 - 01 - 31)), of_2026);
        // Signed before the year that it is for.
        assert_eq!(charged(date!(2024 - 12 - 20)), of_2025);
        assert_eq!(charged(date!(2025 - 01 - 15)), of_2025);
    }

    #[test]
    fn the_day_is_that_of_paris() {
        let year = |instant: OffsetDateTime| charged(paris_date(instant)).0;
        assert_eq!(year(datetime!(2026-01-31 22:59:59 UTC)), 2025);
        assert_eq!(year(datetime!(2026-01-31 23:00 UTC)), 2026);
    }

    proptest! {
        #[test]
        fn a_charge_lasts_until_its_last_day_and_not_longer(days in 0_i64..20_000) {
            let agreed = BudgetYear::new(2025).unwrap();
            let day = date!(2024 - 06 - 01) + Duration::days(days);
            let charge = Charge::of(agreed, day).unwrap();
            prop_assert!(day <= charge.last_day && charge.year >= 2025);
            prop_assert_eq!(Charge::of(agreed, charge.last_day), Some(charge));
            let after = Charge::of(agreed, charge.last_day.next_day().unwrap()).unwrap();
            prop_assert_eq!(after.year, charge.year + 1);
        }
    }
}
