//! Between the wire's common types and the kernel's.

use nonrecours_contracts::{common, google::r#type as wire};
use nonrecours_kernel::{Blocker, Invalid, Money, Warning};
use prost_types::Timestamp;
use time::{Date, Month, OffsetDateTime};

/// Reads an amount in euros. Absent: refused as REQUIRED.
pub fn money(value: Option<&wire::Money>) -> Result<Money, Invalid> {
    let value = value.ok_or_else(required)?;
    Money::from_units_nanos(&value.currency_code, value.units, value.nanos)
}

/// Writes an amount.
pub fn to_money(value: Money) -> wire::Money {
    let (units, nanos) = value.to_units_nanos();
    wire::Money {
        currency_code: "EUR".to_owned(),
        units,
        nanos,
    }
}

/// Reads a whole civil day. Absent: refused as REQUIRED; a partial date (year or month only): as DATE_INVALID.
pub fn date(value: Option<&wire::Date>) -> Result<Date, Invalid> {
    let value = value.ok_or_else(required)?;
    let invalid = || {
        Invalid::new(
            "DATE_INVALID",
            "not a day of the calendar",
            "cette date n'existe pas au calendrier",
        )
    };
    let month = u8::try_from(value.month)
        .ok()
        .and_then(|month| Month::try_from(month).ok())
        .ok_or_else(invalid)?;
    let day = u8::try_from(value.day).map_err(|_| invalid())?;
    if !(1..=9999).contains(&value.year) {
        return Err(invalid());
    }
    Date::from_calendar_date(value.year, month, day).map_err(|_| invalid())
}

/// Reads a day that may be absent.
pub fn optional_date(value: Option<&wire::Date>) -> Result<Option<Date>, Invalid> {
    value.map(|value| date(Some(value))).transpose()
}

/// Writes a day.
pub fn to_date(value: Date) -> wire::Date {
    wire::Date {
        year: value.year(),
        month: i32::from(u8::from(value.month())),
        day: i32::from(value.day()),
    }
}

/// Reads an instant that may be missing. Refused with `TIMESTAMP_INVALID` when it is none of years 1 to 9999.
pub fn optional_timestamp(value: Option<&Timestamp>) -> Result<Option<OffsetDateTime>, Invalid> {
    let Some(value) = value else {
        return Ok(None);
    };
    let read = || {
        let instant = OffsetDateTime::from_unix_timestamp(value.seconds).ok()?;
        let nanos = u32::try_from(value.nanos).ok()?;
        let instant = instant.replace_nanosecond(nanos).ok()?;
        (instant.year() >= 1).then_some(instant)
    };
    read().map(Some).ok_or_else(|| {
        Invalid::new(
            "TIMESTAMP_INVALID",
            "this is no instant",
            "Cet instant n'existe pas : donnez une date et une heure.",
        )
    })
}

/// Writes an instant.
pub fn to_timestamp(value: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: value.unix_timestamp(),
        // At most 999 999 999: always fits.
        nanos: i32::try_from(value.nanosecond()).unwrap_or_default(),
    }
}

/// Writes a blocker.
pub fn to_blocker(value: &Blocker) -> common::Blocker {
    common::Blocker {
        reason: value.reason.to_owned(),
        subject: value.subject.clone(),
        message_fr: value.text.fr.to_string(),
        message_en: value.text.en.to_string(),
    }
}

/// Writes a warning.
pub fn to_warning(value: &Warning) -> common::Warning {
    common::Warning {
        field: value.field.clone(),
        reason: value.reason.to_owned(),
        message_fr: value.text.fr.to_string(),
        message_en: value.text.en.to_string(),
    }
}

fn required() -> Invalid {
    Invalid::new(
        "REQUIRED",
        "this field is needed",
        "ce champ est obligatoire",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_whole_days_of_the_calendar() {
        let wire = |year, month, day| wire::Date { year, month, day };
        assert!(date(Some(&wire(2024, 2, 29))).is_ok());
        for bad in [
            wire(2025, 2, 29),
            wire(2025, 0, 1),
            wire(2025, 13, 1),
            wire(2025, 1, 0),
            wire(0, 1, 1),
            wire(10000, 1, 1),
        ] {
            assert_eq!(date(Some(&bad)).unwrap_err().reason, "DATE_INVALID");
        }
        assert_eq!(date(None).unwrap_err().reason, "REQUIRED");
    }
}
