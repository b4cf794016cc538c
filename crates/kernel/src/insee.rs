//! Commune codes of the official geographic code (COG, INSEE).

use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::text::{is_digits, without_blanks};

/// Characters of a commune code.
const LENGTH: usize = 5;

/// A commune code such as `62263` (Dainville) or `2A004` (Ajaccio).
///
/// Not a postal code: Dainville's is 62217 and several communes may share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InseeCode(String);

impl InseeCode {
    /// The five characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The department: `62`, `2A`, or three digits overseas (`974`).
    pub fn department(&self) -> &str {
        let overseas = self.0.starts_with("97") || self.0.starts_with("98");
        &self.0[..if overseas { 3 } else { 2 }]
    }
}

impl FromStr for InseeCode {
    type Err = Invalid;

    /// Reads five digits, or `2A`/`2B` and three digits; blanks and lower case are accepted.
    /// Refused with `INSEE_FORMAT`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let code = without_blanks(value).to_ascii_uppercase();
        let digits = code
            .strip_prefix("2A")
            .or_else(|| code.strip_prefix("2B"))
            .unwrap_or(&code);
        if code.len() == LENGTH && is_digits(digits) {
            Ok(Self(code))
        } else {
            Err(Invalid::new(
                "INSEE_FORMAT",
                "a commune code has five digits, or 2A or 2B and three digits",
                "Le code commune (INSEE, à ne pas confondre avec le code postal) a cinq chiffres, \
                 ou 2A ou 2B suivi de trois chiffres, par exemple 62263.",
            ))
        }
    }
}

impl fmt::Display for InseeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_five_characters() {
        for (value, compact, department) in [
            ("62263", "62263", "62"),
            (" 62 263 ", "62263", "62"),
            ("2a004", "2A004", "2A"),
            ("2B033", "2B033", "2B"),
            ("97411", "97411", "974"),
        ] {
            let code: InseeCode = value.parse().unwrap();
            assert_eq!(code.to_string(), compact);
            assert_eq!(code.department(), department);
        }
        for wrong in [
            "", "6226", "622633", "2C004", "2A04", "A2004", "62é3", "6226٣",
        ] {
            let refused = wrong.parse::<InseeCode>().unwrap_err();
            assert_eq!(refused.reason, "INSEE_FORMAT", "{wrong}");
        }
    }
}
