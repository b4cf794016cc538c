//! Exact amounts in euros.

use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::text::{NotPlain, plain_decimal};
use crate::{Invalid, Rate};

/// Largest magnitude of an amount in cents: what `NUMERIC(14,2)` holds.
const MAX_CENTS: i64 = 99_999_999_999_999;
/// Decimals of the euro.
const SCALE: u32 = 2;
/// Nanos of one cent in `google.type.Money`.
const NANOS_PER_CENT: i32 = 10_000_000;
/// Most parts one amount is split into.
pub const MAX_SHARES: usize = 366;

/// An amount in euros, exact to the cent, of at most 999 999 999 999.99 either way.
///
/// There is no operator that could overflow or round in silence: sums are checked and the only
/// rounding is in [`Money::share`], [`Money::allocate`] and [`Money::apportion`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    cents: i64,
}

impl Money {
    /// 0.00 €.
    pub const ZERO: Money = Money { cents: 0 };
    /// 999 999 999 999.99 €.
    pub const MAX: Money = Money { cents: MAX_CENTS };

    /// An amount known in cents: a constant, or a figure already inside the range.
    ///
    /// # Panics
    /// Outside the range of [`Money`]; a figure from outside goes through [`Money::try_from_cents`].
    pub const fn from_cents(cents: i64) -> Self {
        assert!(
            -MAX_CENTS <= cents && cents <= MAX_CENTS,
            "amount beyond NUMERIC(14,2)"
        );
        Self { cents }
    }

    /// An amount in cents, refused with `MONEY_RANGE` beyond the range.
    pub fn try_from_cents(cents: i64) -> Result<Self, Invalid> {
        if (-MAX_CENTS..=MAX_CENTS).contains(&cents) {
            Ok(Self { cents })
        } else {
            Err(out_of_range())
        }
    }

    /// Reads a plain decimal in euros such as `9200`, `9200.5` or `-0.01`.
    ///
    /// Refused with `MONEY_FORMAT`, `MONEY_SCALE` (a fraction of a cent) or `MONEY_RANGE`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        let decimal = plain_decimal(value, SCALE as usize).map_err(|cause| match cause {
            NotPlain::Format => Invalid::new(
                "MONEY_FORMAT",
                "an amount is a plain decimal number of euros such as 9200.00",
                "Un montant s'écrit en euros, sans espace et avec un point, par exemple 9200.00.",
            ),
            NotPlain::Scale => too_precise(),
            NotPlain::Range => out_of_range(),
        })?;
        Self::try_from(decimal)
    }

    /// The amount in cents.
    pub const fn cents(self) -> i64 {
        self.cents
    }

    /// The amount in euros, with two decimals.
    pub fn amount(self) -> Decimal {
        Decimal::new(self.cents, SCALE)
    }

    /// The sum, or nothing beyond the range.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        Self::try_from_cents(self.cents.checked_add(other.cents)?).ok()
    }

    /// The difference, or nothing beyond the range.
    pub fn checked_sub(self, other: Money) -> Option<Money> {
        Self::try_from_cents(self.cents.checked_sub(other.cents)?).ok()
    }

    /// The sum of all amounts, or nothing as soon as a partial sum leaves the range.
    pub fn sum(amounts: impl IntoIterator<Item = Money>) -> Option<Money> {
        amounts
            .into_iter()
            .try_fold(Money::ZERO, Money::checked_add)
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.cents < 0
    }

    /// Exactly zero.
    pub const fn is_zero(self) -> bool {
        self.cents == 0
    }

    /// Above zero.
    pub const fn is_positive(self) -> bool {
        self.cents > 0
    }

    /// This share of the amount, rounded to the cent: half a cent goes away from zero.
    pub const fn share(&self, rate: Rate) -> Money {
        let magnitude = self.cents.abs();
        // Millions of cents and the rest apart: every product stays within 64 bits and exact.
        let whole = magnitude / Rate::MILLIONTHS * rate.millionths();
        let rest = magnitude % Rate::MILLIONTHS * rate.millionths();
        let share = whole + (rest + Rate::MILLIONTHS / 2) / Rate::MILLIONTHS;
        Money {
            cents: if self.cents < 0 { -share } else { share },
        }
    }

    /// Splits the amount into one part per rate; the parts always add up to the amount.
    ///
    /// Each part is its [`Money::share`], except the last, which is what remains. Rounding up
    /// several tiny parts could take more than there is, so a part never exceeds what is left:
    /// no part has the sign opposite to the amount's.
    ///
    /// Refused with `RATES_TOTAL` when the rates do not add up to 1 (no rate at all included) and
    /// `RATES_TOO_MANY` above [`MAX_SHARES`].
    pub fn allocate(&self, rates: &[Rate]) -> Result<Vec<Money>, Invalid> {
        if rates.len() > MAX_SHARES {
            return Err(Invalid::new(
                "RATES_TOO_MANY",
                format!("an amount is split into at most {MAX_SHARES} parts"),
                format!("Un montant se répartit en {MAX_SHARES} parts au plus."),
            ));
        }
        let total: i64 = rates.iter().map(|rate| rate.millionths()).sum();
        if total != Rate::MILLIONTHS {
            return Err(Invalid::new(
                "RATES_TOTAL",
                "the rates must add up to exactly 1",
                "La somme des taux doit être exactement égale à 1 (100 %).",
            ));
        }
        let magnitude = Money {
            cents: self.cents.abs(),
        };
        let mut left = magnitude.cents;
        let mut parts = Vec::with_capacity(rates.len());
        for (index, rate) in rates.iter().enumerate() {
            let last = index + 1 == rates.len();
            let cents = if last {
                left
            } else {
                magnitude.share(*rate).cents.min(left)
            };
            left -= cents;
            let cents = if self.cents < 0 { -cents } else { cents };
            parts.push(Money { cents });
        }
        Ok(parts)
    }

    /// Splits the amount in the proportion of these weights; the parts always add up to the amount.
    ///
    /// As in [`Money::allocate`] each part is rounded to the cent and never exceeds what is left, and the last is what
    /// remains. Nothing when the amount is negative, or a weight is not positive, or there is none.
    pub fn apportion(&self, weights: &[Money]) -> Option<Vec<Money>> {
        let sound = weights.iter().all(|weight| weight.is_positive());
        if self.is_negative() || !sound {
            return None;
        }
        let total: i128 = weights.iter().map(|weight| i128::from(weight.cents)).sum();
        let (_, others) = weights.split_last()?;
        let mut left = self.cents;
        let mut parts = Vec::with_capacity(weights.len());
        for weight in others {
            // Two factors of 47 bits each: the product fits in 128.
            let twice = 2 * i128::from(self.cents) * i128::from(weight.cents);
            let cents = i64::try_from((twice + total) / (2 * total)).ok()?.min(left);
            left -= cents;
            parts.push(Money { cents });
        }
        parts.push(Money { cents: left });
        Some(parts)
    }

    /// What falls on so many days of a period (prorata temporis), rounded to the cent: half a cent goes up. Nothing when the
    /// amount is negative, the period empty, or the days more than it has.
    pub fn of_days(&self, days: u32, period: u32) -> Option<Money> {
        if self.is_negative() || period == 0 || days > period {
            return None;
        }
        let (period, twice) = (
            i128::from(period),
            2 * i128::from(self.cents) * i128::from(days),
        );
        let cents = i64::try_from((twice + period) / (2 * period)).ok()?;
        Some(Money { cents })
    }

    /// Reads the three fields of a `google.type.Money`.
    ///
    /// Refused with `MONEY_CURRENCY` (not EUR), `MONEY_SIGN` (units and nanos of opposite signs),
    /// `MONEY_NANOS` (a whole unit or more in nanos), `MONEY_SCALE` or `MONEY_RANGE`.
    pub fn from_units_nanos(currency: &str, units: i64, nanos: i32) -> Result<Self, Invalid> {
        if currency != "EUR" {
            return Err(Invalid::new(
                "MONEY_CURRENCY",
                "amounts are in euros: the currency code must be EUR",
                "Les montants sont en euros : indiquez la devise EUR.",
            ));
        }
        if nanos.unsigned_abs() >= 1_000_000_000 {
            return Err(Invalid::new(
                "MONEY_NANOS",
                "nanos lie between -999,999,999 and 999,999,999",
                "La partie décimale (nanos) doit rester inférieure à une unité.",
            ));
        }
        if (units > 0 && nanos < 0) || (units < 0 && nanos > 0) {
            return Err(Invalid::new(
                "MONEY_SIGN",
                "units and nanos must have the same sign",
                "La partie entière et la partie décimale du montant doivent avoir le même signe.",
            ));
        }
        if nanos % NANOS_PER_CENT != 0 {
            return Err(too_precise());
        }
        units
            .checked_mul(100)
            .and_then(|cents| cents.checked_add(i64::from(nanos / NANOS_PER_CENT)))
            .ok_or_else(out_of_range)
            .and_then(Self::try_from_cents)
    }

    /// The `units` and `nanos` of a `google.type.Money` whose currency code is `EUR`.
    pub const fn to_units_nanos(self) -> (i64, i32) {
        let nanos = (self.cents % 100) as i32 * NANOS_PER_CENT;
        (self.cents / 100, nanos)
    }

    /// The amount as people write it in France: `9 200,00 €`, with a narrow no-break space
    /// between thousands and a no-break space before the sign.
    pub fn french(self) -> String {
        let euros = (self.cents / 100).unsigned_abs().to_string();
        let mut text = String::new();
        if self.cents < 0 {
            text.push('-');
        }
        for (index, digit) in euros.chars().enumerate() {
            if index > 0 && (euros.len() - index).is_multiple_of(3) {
                text.push('\u{202f}');
            }
            text.push(digit);
        }
        let cents = (self.cents % 100).unsigned_abs();
        format!("{text},{cents:02}\u{a0}€")
    }
}

fn too_precise() -> Invalid {
    Invalid::new(
        "MONEY_SCALE",
        "an amount is exact to the cent",
        "Un montant s'arrête au centime : deux décimales au plus.",
    )
}

fn out_of_range() -> Invalid {
    Invalid::new(
        "MONEY_RANGE",
        "an amount is at most 999,999,999,999.99 euros",
        "Un montant ne peut pas dépasser 999 999 999 999,99 euros.",
    )
}

impl TryFrom<Decimal> for Money {
    type Error = Invalid;

    fn try_from(value: Decimal) -> Result<Self, Invalid> {
        let exact = value.normalize();
        if exact.scale() > SCALE {
            return Err(too_precise());
        }
        // A mantissa has 96 bits: times 100 it still fits in 128.
        let cents = exact.mantissa() * 10_i128.pow(SCALE - exact.scale());
        i64::try_from(cents)
            .map_err(|_| out_of_range())
            .and_then(Self::try_from_cents)
    }
}

impl FromStr for Money {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        Self::parse(value)
    }
}

impl Neg for Money {
    type Output = Money;

    /// The same amount the other way round: the range is symmetric, so this cannot overflow.
    fn neg(self) -> Money {
        Money { cents: -self.cents }
    }
}

impl fmt::Display for Money {
    /// The plain decimal with two decimals: `9200.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.amount().fmt(f)
    }
}
