//! From stored values to the domain's: a value our own rules exclude means that the data are damaged.

use std::str::FromStr;

use nonrecours_kernel::{BudgetYear, Invalid, Money};
use nonrecours_pg::Error;
use rust_decimal::Decimal;

/// The data are damaged.
pub fn damaged(what: impl std::fmt::Display) -> Error {
    Error::Damaged(what.to_string())
}

/// An amount.
pub fn money(value: Decimal) -> Result<Money, Error> {
    Money::try_from(value).map_err(damaged)
}

/// A budget year.
pub fn budget_year(value: i16) -> Result<BudgetYear, Error> {
    BudgetYear::try_from(value).map_err(damaged)
}

/// A value that has a text form.
pub fn parse<T: FromStr<Err = Invalid>>(value: &str) -> Result<T, Error> {
    value.parse().map_err(damaged)
}

/// One of a few named values.
pub fn one_of<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    value: &str,
) -> Result<T, Error> {
    all.iter()
        .copied()
        .find(|candidate| name(*candidate) == value)
        .ok_or_else(|| damaged(format_args!("unknown value {value}")))
}
