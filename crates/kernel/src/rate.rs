//! Shares of an amount, such as the 80 % of an advance.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::Invalid;
use crate::text::{NotPlain, plain_decimal};

/// Decimals a rate may carry.
const SCALE: u32 = 6;
/// A whole, in the unit a rate is kept in: millionths.
const WHOLE: u32 = 1_000_000;

/// A share between 0 and 1 included, exact to six decimals; `0.8` is 80 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    millionths: u32,
}

impl Rate {
    /// Nothing.
    pub const ZERO: Rate = Rate { millionths: 0 };
    /// The whole amount.
    pub const ONE: Rate = Rate { millionths: WHOLE };
    /// A tenth: 10 %.
    pub const TENTH: Rate = Rate {
        millionths: WHOLE / 10,
    };
    /// How many millionths make a whole.
    pub(crate) const MILLIONTHS: i64 = WHOLE as i64;

    /// Reads a plain decimal such as `0.8` (no per cent sign, no comma).
    ///
    /// Refused with `RATE_FORMAT`, `RATE_SCALE` (more than six decimals) or `RATE_RANGE`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        let decimal = plain_decimal(value, SCALE as usize).map_err(|cause| match cause {
            NotPlain::Format => Invalid::new(
                "RATE_FORMAT",
                "a rate is a plain decimal number such as 0.8",
                "Un taux s'écrit comme un nombre décimal avec un point, par exemple 0.8 pour 80 %.",
            ),
            NotPlain::Scale => too_precise(),
            NotPlain::Range => out_of_range(),
        })?;
        Self::try_from(decimal)
    }

    /// The share as a decimal without trailing zeros: `0.8`.
    pub fn value(self) -> Decimal {
        Decimal::new(i64::from(self.millionths), SCALE).normalize()
    }

    /// The share as people write it: `80 %`, `33,3333 %`.
    pub fn french(self) -> String {
        let percent = Decimal::new(i64::from(self.millionths), SCALE - 2).normalize();
        format!("{percent}\u{a0}%").replace('.', ",")
    }

    pub(crate) const fn millionths(self) -> i64 {
        self.millionths as i64
    }
}

fn too_precise() -> Invalid {
    Invalid::new(
        "RATE_SCALE",
        "a rate has at most six decimals",
        "Un taux a au plus six décimales : arrondissez-le.",
    )
}

fn out_of_range() -> Invalid {
    Invalid::new(
        "RATE_RANGE",
        "a rate lies between 0 and 1",
        "Un taux est compris entre 0 et 1 : écrivez 0.8 pour 80 %.",
    )
}

impl TryFrom<Decimal> for Rate {
    type Error = Invalid;

    fn try_from(value: Decimal) -> Result<Self, Invalid> {
        if value < Decimal::ZERO || value > Decimal::ONE {
            return Err(out_of_range());
        }
        let exact = value.normalize();
        if exact.scale() > SCALE {
            return Err(too_precise());
        }
        let millionths = exact.mantissa() * 10_i128.pow(SCALE - exact.scale());
        let millionths = u32::try_from(millionths).map_err(|_| out_of_range())?;
        Ok(Self { millionths })
    }
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        Self::parse(value)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_a_share() {
        let rate = Rate::parse("0.80").unwrap();
        assert_eq!(rate.to_string(), "0.8");
        assert_eq!(rate.french(), "80\u{a0}%");
        assert_eq!(Rate::parse("0.333333").unwrap().french(), "33,3333\u{a0}%");
        assert_eq!(Rate::parse("1").unwrap(), Rate::ONE);
        assert_eq!(Rate::parse("-0").unwrap(), Rate::ZERO);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for (value, reason) in [
            ("", "RATE_FORMAT"),
            ("80 %", "RATE_FORMAT"),
            ("0,8", "RATE_FORMAT"),
            (".8", "RATE_FORMAT"),
            ("0.", "RATE_FORMAT"),
            ("1e-1", "RATE_FORMAT"),
            ("+0.8", "RATE_FORMAT"),
            ("0.1234567", "RATE_SCALE"),
            ("1.000001", "RATE_RANGE"),
            ("-0.1", "RATE_RANGE"),
            ("99999999999999999999999999999999", "RATE_RANGE"),
        ] {
            assert_eq!(Rate::parse(value).unwrap_err().reason, reason, "{value}");
        }
    }

    proptest! {
        #[test]
        fn text_roundtrips(millionths in 0..=WHOLE) {
            let rate = Rate { millionths };
            prop_assert_eq!(Rate::parse(&rate.to_string()).unwrap(), rate);
            prop_assert_eq!(Rate::try_from(rate.value()).unwrap(), rate);
        }
    }
}
