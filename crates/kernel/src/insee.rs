//! Commune codes of the official geographic code (COG, INSEE).

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// Characters of a commune code.
const LENGTH: usize = 5;

/// A commune code such as `62263` (Dainville) or `2A004` (Ajaccio).
///
/// Not a postal code: Dainville's is 62217 and several communes may share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InseeCode([u8; LENGTH]);

impl InseeCode {
    /// The five characters.
    pub fn as_str(&self) -> &str {
        // ASCII, or it would not have been read.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The department: `62`, `2A`, or three digits overseas (`974`).
    pub fn department(&self) -> &str {
        let code = self.as_str();
        let overseas = code.starts_with("97") || code.starts_with("98");
        &code[..if overseas { 3 } else { 2 }]
    }
}

impl FromStr for InseeCode {
    type Err = Invalid;

    /// Reads five digits, or `2A`/`2B` and three digits; blanks and lower case are accepted.
    /// Refused with `INSEE_FORMAT`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let read = || {
            let mut code = [0; LENGTH];
            let mut characters = value.chars().filter(|character| !character.is_whitespace());
            for place in &mut code {
                *place = u8::try_from(characters.next()?).ok()?.to_ascii_uppercase();
            }
            let digits = match code {
                [b'2', b'A' | b'B', ref rest @ ..] => rest,
                ref all => all.as_slice(),
            };
            (characters.next().is_none() && digits.iter().all(u8::is_ascii_digit))
                .then_some(Self(code))
        };
        read().ok_or_else(|| {
            Invalid::new(
                "INSEE_FORMAT",
                "a commune code has five digits, or 2A or 2B and three digits",
                "Le code commune (INSEE, à ne pas confondre avec le code postal) a cinq chiffres, \
                 ou 2A ou 2B suivi de trois chiffres, par exemple 62263.",
            )
        })
    }
}

impl fmt::Debug for InseeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for InseeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
