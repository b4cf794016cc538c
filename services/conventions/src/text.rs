//! What people write, what amounts they give, and what is refused in any of them.

use nonrecours_kernel::{Invalid, Money, screen};
use time::Date;

/// A text people read: not blank, and without a social security number. Refused with `REQUIRED` or `NIR_FORBIDDEN`.
pub fn text(value: &str) -> Result<String, Invalid> {
    if value.trim().is_empty() {
        return Err(required());
    }
    screen(value)?;
    Ok(value.to_owned())
}

/// Nothing stands where something must: `REQUIRED`.
pub fn required() -> Invalid {
    Invalid::new(
        "REQUIRED",
        "this field is needed",
        "ce champ est obligatoire",
    )
}

/// An amount above zero. Refused with `AMOUNT_NOT_POSITIVE`.
pub fn positive(amount: Money) -> Result<Money, Invalid> {
    if amount.is_positive() {
        Ok(amount)
    } else {
        Err(Invalid::new(
            "AMOUNT_NOT_POSITIVE",
            "the amount is above zero",
            "Le montant doit être supérieur à zéro.",
        ))
    }
}

/// The value stands twice where it may stand once: `DUPLICATE`.
pub fn duplicate() -> Invalid {
    Invalid::new(
        "DUPLICATE",
        "this value stands twice",
        "Cette valeur figure deux fois : retirez l'une des deux.",
    )
}

/// A day that has come. Refused with `DATE_IN_FUTURE`.
pub fn past(day: Date, today: Date) -> Result<Date, Invalid> {
    if day <= today {
        Ok(day)
    } else {
        Err(in_future())
    }
}

/// The day has not come yet: `DATE_IN_FUTURE`.
pub fn in_future() -> Invalid {
    Invalid::new(
        "DATE_IN_FUTURE",
        "the day has not come yet",
        "Cette date est dans le futur : attendez ce jour, ou corrigez-la.",
    )
}
