//! A cell as the file has it.

use std::borrow::Cow;

use calamine::{DataRef, ExcelDateTime, ExcelDateTimeType};
use nonrecours_kernel::french_date;
use rust_decimal::Decimal;
use time::{Date, Month};

/// Longest text of a cell that is read, characters: no field is longer.
pub const MAX_TEXT: usize = 4_000;

/// The serial number after the last day of spreadsheets, 31/12/9999.
const END_OF_CALENDAR: f64 = 2_958_466.0;

/// What a cell holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// A text.
    Text(String),
    /// A number, to the 15 digits that spreadsheets keep.
    Number(Decimal),
    /// A day.
    Date(Date),
    /// True or false.
    Bool(bool),
    /// What a formula gave in the place of a value, e.g. `#REF!`.
    Error(String),
}

impl Cell {
    /// A cell of a CSV file.
    pub fn of_text(text: &str) -> Self {
        match text.trim() {
            "" => Self::Empty,
            text => Self::Text(text.to_owned()),
        }
    }

    /// A cell of a workbook.
    pub fn of_workbook(data: &DataRef<'_>) -> Self {
        match data {
            DataRef::Empty => Self::Empty,
            DataRef::String(text) => Self::of_text(text),
            DataRef::SharedString(text) => Self::of_text(text),
            DataRef::Int(number) => Self::Number(Decimal::from(*number)),
            DataRef::Float(number) => match Decimal::try_from(*number) {
                Ok(number) => Self::Number(number.normalize()),
                Err(_) => Self::Text(number.to_string()),
            },
            DataRef::Bool(value) => Self::Bool(*value),
            DataRef::DateTime(moment) => match day(moment) {
                Some(day) => Self::Date(day),
                None => Self::Text(moment.as_f64().to_string()),
            },
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Self::of_text(text),
            DataRef::Error(error) => Self::Error(error.to_string()),
        }
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    /// What people read in it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) | Self::Error(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Date(date) => Cow::Owned(french_date(*date)),
            Self::Bool(true) => Cow::Borrowed("Oui"),
            Self::Bool(false) => Cow::Borrowed("Non"),
        }
    }
}

/// The day of a serial number of a spreadsheet that begins in 1900, in a cell that is not shown as a day.
pub fn day_of_serial(serial: Decimal) -> Option<Date> {
    let number: f64 = serial.trunc().try_into().ok()?;
    let is_day = (1.0..END_OF_CALENDAR).contains(&number);
    is_day
        .then(|| ExcelDateTime::new(number, ExcelDateTimeType::DateTime, false))
        .and_then(|moment| day(&moment))
}

fn day(moment: &ExcelDateTime) -> Option<Date> {
    if !moment.is_datetime() {
        return None;
    }
    let (year, month, day, ..) = moment.to_ymd_hms_milli();
    let month = Month::try_from(month).ok()?;
    Date::from_calendar_date(i32::from(year), month, day).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn numbers_keep_what_people_typed() {
        for (float, shown) in [
            (184.5, "184.5"),
            (0.300_000_000_000_000_04, "0.3"),
            (62263.0, "62263"),
        ] {
            assert_eq!(Cell::of_workbook(&DataRef::Float(float)).text(), shown);
        }
    }

    #[test]
    fn serial_numbers_are_days() {
        assert_eq!(
            day_of_serial(Decimal::from(45936)),
            Some(date!(2025 - 10 - 06))
        );
        assert_eq!(day_of_serial(Decimal::from(0)), None);
        assert_eq!(day_of_serial(Decimal::from(4_000_000)), None);
    }
}
