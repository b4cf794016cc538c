//! Numbers of the national register of associations (répertoire national des associations).

use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::text::{is_digits, without_blanks};

/// Digits after the W.
const DIGITS: usize = 9;

/// An association's number: `W` and nine digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rna(String);

impl Rna {
    /// The number, compact.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Rna {
    type Err = Invalid;

    /// Accepts blanks and lower case. Refused with `RNA_FORMAT`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let number = without_blanks(value).to_ascii_uppercase();
        match number.strip_prefix('W') {
            Some(digits) if digits.len() == DIGITS && is_digits(digits) => Ok(Self(number)),
            _ => Err(Invalid::new(
                "RNA_FORMAT",
                "an RNA number is the letter W and nine digits",
                "Le numéro RNA est la lettre W suivie de neuf chiffres : il figure sur le \
                 récépissé de déclaration de l'association.",
            )),
        }
    }
}

impl fmt::Display for Rna {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_w_and_nine_digits() {
        let rna: Rna = "w 621 000 123".parse().unwrap();
        assert_eq!(rna.to_string(), "W621000123");
        assert_eq!(rna.as_str().parse::<Rna>().unwrap(), rna);
        for wrong in [
            "",
            "W",
            "621000123",
            "W62100012",
            "W6210001234",
            "W62100012A",
            "WW21000123",
        ] {
            assert_eq!(wrong.parse::<Rna>().unwrap_err().reason, "RNA_FORMAT");
        }
    }
}
