//! Small helpers for identifiers typed by people.

use rust_decimal::Decimal;

/// Drops every blank, non-breaking ones included, wherever it stands.
pub(crate) fn without_blanks(value: &str) -> String {
    value.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Drops blanks and the dots some people write between groups of digits.
pub(crate) fn without_blanks_and_dots(value: &str) -> String {
    value
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '.')
        .collect()
}

/// True when there is at least one character and all are ASCII digits.
pub(crate) fn is_digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

/// How a plain decimal was refused.
pub(crate) enum NotPlain {
    Format,
    Scale,
    Range,
}

/// Reads `-?digits[.digits]` with at most `scale` significant decimals: no sign `+`, exponent,
/// blank or comma, so that a number has one spelling per value and never loses a digit.
pub(crate) fn plain_decimal(value: &str, scale: usize) -> Result<Decimal, NotPlain> {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return Err(NotPlain::Format),
        None => (unsigned, ""),
    };
    if !is_digits(whole) {
        return Err(NotPlain::Format);
    }
    if fraction.trim_end_matches('0').len() > scale {
        return Err(NotPlain::Scale);
    }
    Decimal::from_str_exact(value).map_err(|_| NotPlain::Range)
}
