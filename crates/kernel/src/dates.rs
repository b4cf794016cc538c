//! Civil dates: the law counts in days of the calendar, in Paris.

use std::fmt;

use time::{Date, Month, OffsetDateTime, UtcOffset};
use time_tz::{Offset, OffsetResult, TimeZone, timezones};

use crate::Invalid;
use crate::text::is_digits;

/// First budget year the suite knows.
pub const FIRST_BUDGET_YEAR: i16 = 2000;
/// Last budget year the suite knows.
pub const LAST_BUDGET_YEAR: i16 = 2100;

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// The date on a calendar in Paris at this instant.
pub fn paris_date(instant: OffsetDateTime) -> Date {
    let paris = timezones::db::europe::PARIS;
    let offset = paris.get_offset_utc(&instant).to_utc();
    // Only the last hours of the year 9999 have no date in Paris: theirs is the one given.
    instant.checked_to_offset(offset).unwrap_or(instant).date()
}

/// The instant at which this day begins in Paris, with Paris' offset.
pub fn paris_midnight(date: Date) -> OffsetDateTime {
    let midnight = date.midnight();
    let paris = timezones::db::europe::PARIS;
    let offset = match paris.get_offset_local(&midnight.assume_utc()) {
        OffsetResult::Some(offset) | OffsetResult::Ambiguous(offset, _) => offset.to_utc(),
        // Clocks were never moved forward over midnight since 1945; before, the day begins late.
        OffsetResult::None => paris.get_offset_utc(&midnight.assume_utc()).to_utc(),
    };
    midnight.assume_offset(offset)
}

/// The offset of Paris from UTC at this instant: +1 in winter, +2 in summer.
pub fn paris_offset(instant: OffsetDateTime) -> UtcOffset {
    timezones::db::europe::PARIS
        .get_offset_utc(&instant)
        .to_utc()
}

/// Reads an ISO date `2025-09-25`, years 0001 to 9999.
///
/// Refused with `DATE_FORMAT`, or `DATE_NOT_REAL` for a day that no calendar has.
pub fn parse_date(value: &str) -> Result<Date, Invalid> {
    let parts: Vec<&str> = value.splitn(3, '-').collect();
    let [year, month, day] = parts[..] else {
        return Err(bad_date_format());
    };
    let widths = [(year, 4), (month, 2), (day, 2)];
    if widths
        .iter()
        .any(|(part, width)| part.len() != *width || !is_digits(part))
    {
        return Err(bad_date_format());
    }
    date_from_digits(year, month, day).ok_or_else(|| {
        Invalid::new(
            "DATE_NOT_REAL",
            "this day does not exist in the calendar",
            "Cette date n'existe pas dans le calendrier : vérifiez le jour et le mois.",
        )
    })
}

/// A date from its digits, or nothing when the calendar has no such day.
pub(crate) fn date_from_digits(year: &str, month: &str, day: &str) -> Option<Date> {
    let year: i32 = year.parse().ok()?;
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let day = day.parse().ok()?;
    (year > 0)
        .then(|| Date::from_calendar_date(year, month, day).ok())
        .flatten()
}

fn bad_date_format() -> Invalid {
    Invalid::new(
        "DATE_FORMAT",
        "a date is written year-month-day, e.g. 2025-09-25",
        "Une date s'écrit année-mois-jour, par exemple 2025-09-25.",
    )
}

/// The day that many months later, as the law counts them: the same day of the month, or the month's last when it has
/// none (30 November after 31 August). The last day of the calendar when there is none later.
pub fn months_after(date: Date, months: u8) -> Date {
    let (mut year, mut month) = (date.year(), date.month());
    for _ in 0..months {
        if month == Month::December {
            year += 1;
        }
        month = month.next();
    }
    let day = date.day().min(month.length(year));
    Date::from_calendar_date(year, month, day).unwrap_or(Date::MAX)
}

/// `25/09/2025`.
pub fn french_date(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{day:02}/{:02}/{year:04}", u8::from(month))
}

/// `25 septembre 2025`, `1er octobre 2025`.
pub fn long_french_date(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    let ordinal = if day == 1 { "er" } else { "" };
    let month = MONTHS[usize::from(u8::from(month)) - 1];
    format!("{day}{ordinal} {month} {year}")
}

/// A budget year (exercice budgétaire): 1 January to 31 December, 2000 to 2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetYear {
    year: i16,
    first_day: Date,
    last_day: Date,
}

impl BudgetYear {
    /// Takes a year between 2000 and 2100, refused with `BUDGET_YEAR_RANGE` otherwise.
    pub fn new(year: i32) -> Result<Self, Invalid> {
        let known = i16::try_from(year)
            .ok()
            .filter(|year| (FIRST_BUDGET_YEAR..=LAST_BUDGET_YEAR).contains(year));
        let first_day = Date::from_calendar_date(year, Month::January, 1).ok();
        let last_day = Date::from_calendar_date(year, Month::December, 31).ok();
        let (Some(year), Some(first_day), Some(last_day)) = (known, first_day, last_day) else {
            return Err(Invalid::new(
                "BUDGET_YEAR_RANGE",
                "a budget year lies between 2000 and 2100",
                "L'exercice budgétaire est une année comprise entre 2000 et 2100.",
            ));
        };
        Ok(Self {
            year,
            first_day,
            last_day,
        })
    }

    /// The year as a number.
    pub const fn get(self) -> i16 {
        self.year
    }

    /// 1 January.
    pub const fn first_day(self) -> Date {
        self.first_day
    }

    /// 31 December.
    pub const fn last_day(self) -> Date {
        self.last_day
    }

    /// Whether the day belongs to the year.
    pub fn contains(self, date: Date) -> bool {
        (self.first_day..=self.last_day).contains(&date)
    }
}

impl TryFrom<i32> for BudgetYear {
    type Error = Invalid;

    fn try_from(year: i32) -> Result<Self, Invalid> {
        Self::new(year)
    }
}

impl TryFrom<i16> for BudgetYear {
    type Error = Invalid;

    fn try_from(year: i16) -> Result<Self, Invalid> {
        Self::new(i32::from(year))
    }
}

impl fmt::Display for BudgetYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.year.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::{date, datetime};

    #[test]
    fn the_date_in_paris_is_not_the_date_in_utc() {
        for (instant, expected) in [
            (datetime!(2025-12-31 22:59:59 UTC), date!(2025 - 12 - 31)),
            (datetime!(2025-12-31 23:00:00 UTC), date!(2026 - 01 - 01)),
            (datetime!(2025-06-30 21:59:59 UTC), date!(2025 - 06 - 30)),
            (datetime!(2025-06-30 22:00:00 UTC), date!(2025 - 07 - 01)),
            (datetime!(2024-02-28 23:00:00 UTC), date!(2024 - 02 - 29)),
            (datetime!(2024-02-29 23:00:00 UTC), date!(2024 - 03 - 01)),
            (datetime!(9999-12-31 23:30:00 UTC), date!(9999 - 12 - 31)),
        ] {
            assert_eq!(paris_date(instant), expected, "{instant}");
        }
    }

    #[test]
    fn days_last_23_and_25_hours_when_clocks_change() {
        let length = |date: Date| paris_midnight(date + Duration::DAY) - paris_midnight(date);
        assert_eq!(length(date!(2025 - 03 - 30)), Duration::hours(23));
        assert_eq!(length(date!(2025 - 10 - 26)), Duration::hours(25));
        assert_eq!(length(date!(2025 - 10 - 27)), Duration::hours(24));
        assert_eq!(
            paris_midnight(date!(2025 - 10 - 26)),
            datetime!(2025-10-25 22:00 UTC)
        );
        assert_eq!(
            paris_midnight(date!(2025 - 10 - 27)),
            datetime!(2025-10-26 23:00 UTC)
        );
    }

    #[test]
    fn summer_time_is_known_for_every_budget_year() {
        for year in i32::from(FIRST_BUDGET_YEAR)..i32::from(LAST_BUDGET_YEAR) {
            let day = |month| Date::from_calendar_date(year, month, 1).unwrap();
            let offset = |month| paris_offset(paris_midnight(day(month))).whole_hours();
            assert_eq!(
                (offset(Month::July), offset(Month::December)),
                (2, 1),
                "{year}"
            );
        }
    }

    #[test]
    fn iso_dates_are_read_strictly() {
        assert_eq!(parse_date("2025-09-25").unwrap(), date!(2025 - 09 - 25));
        assert_eq!(parse_date("2024-02-29").unwrap(), date!(2024 - 02 - 29));
        for (value, reason) in [
            ("", "DATE_FORMAT"),
            ("25/09/2025", "DATE_FORMAT"),
            ("2025-9-25", "DATE_FORMAT"),
            ("2025-09-25T00:00", "DATE_FORMAT"),
            ("2025-09-2é", "DATE_FORMAT"),
            ("-025-09-25", "DATE_FORMAT"),
            ("2025-02-29", "DATE_NOT_REAL"),
            ("2025-13-01", "DATE_NOT_REAL"),
            ("2025-00-10", "DATE_NOT_REAL"),
            ("0000-01-01", "DATE_NOT_REAL"),
        ] {
            assert_eq!(parse_date(value).unwrap_err().reason, reason, "{value}");
        }
    }

    #[test]
    fn dates_are_written_as_in_france() {
        assert_eq!(french_date(date!(2025 - 09 - 25)), "25/09/2025");
        assert_eq!(long_french_date(date!(2025 - 09 - 25)), "25 septembre 2025");
        assert_eq!(long_french_date(date!(2025 - 10 - 01)), "1er octobre 2025");
        assert_eq!(long_french_date(date!(2026 - 08 - 21)), "21 août 2026");
    }

    #[test]
    fn months_are_counted_by_the_calendar() {
        for (from, months, expected) in [
            (date!(2025 - 10 - 07), 3, date!(2026 - 01 - 07)),
            (date!(2025 - 11 - 30), 3, date!(2026 - 02 - 28)),
            (date!(2027 - 11 - 30), 3, date!(2028 - 02 - 29)),
            (date!(2025 - 08 - 31), 3, date!(2025 - 11 - 30)),
            (date!(2025 - 12 - 31), 0, date!(2025 - 12 - 31)),
            (date!(9999 - 12 - 31), 1, Date::MAX),
        ] {
            assert_eq!(months_after(from, months), expected, "{from} + {months}");
        }
    }

    #[test]
    fn a_budget_year_has_its_two_ends() {
        let year = BudgetYear::new(2025).unwrap();
        assert_eq!(year.first_day(), date!(2025 - 01 - 01));
        assert_eq!(year.last_day(), date!(2025 - 12 - 31));
        assert!(year.contains(date!(2025 - 12 - 31)));
        assert!(!year.contains(date!(2026 - 01 - 01)));
        assert!(!year.contains(date!(2024 - 12 - 31)));
        assert_eq!((year.get(), year.to_string()), (2025, "2025".to_owned()));
        for bad in [1999, 2101, 0, i32::MIN, i32::MAX] {
            assert_eq!(
                BudgetYear::new(bad).unwrap_err().reason,
                "BUDGET_YEAR_RANGE"
            );
        }
        assert_eq!(BudgetYear::try_from(2025_i16).unwrap(), year);
    }

    proptest! {
        #[test]
        fn a_day_begins_at_its_midnight(days in 0..60_000_i64) {
            let date = date!(1946 - 01 - 01) + Duration::days(days);
            let midnight = paris_midnight(date);
            prop_assert_eq!(paris_date(midnight), date);
            prop_assert_eq!(paris_date(midnight - Duration::MICROSECOND), date - Duration::DAY);
        }

        #[test]
        fn iso_text_roundtrips(days in 0..3_000_000_i64) {
            let date = date!(0001 - 01 - 01) + Duration::days(days);
            prop_assert_eq!(parse_date(&date.to_string()).unwrap(), date);
        }
    }
}
