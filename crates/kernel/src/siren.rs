//! Numbers of the Sirene register: SIREN of a legal unit, SIRET of one of its establishments.

use std::fmt;
use std::str::FromStr;

use crate::text::{is_digits, without_blanks_and_dots};
use crate::{InseeCode, Invalid};

const SIREN_LENGTH: usize = 9;
const SIRET_LENGTH: usize = 14;
/// Five digits of a SIRET come after its SIREN (numéro interne de classement).
const NIC_MODULUS: u64 = 100_000;

const LA_POSTE: u64 = 356_000_000;
const LA_POSTE_HEAD_OFFICE: u64 = 35_600_000_000_048;

/// Legal category prefix of communes in the SIREN numbers of public bodies.
const COMMUNE_PREFIX: &str = "21";

/// The nine-digit number of a legal unit, its Luhn key checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Siren(u64);

impl Siren {
    /// In groups of three: `216 202 630`.
    pub fn spaced(self) -> String {
        let digits = self.to_string();
        format!("{} {} {}", &digits[..3], &digits[3..6], &digits[6..])
    }

    /// The commune a commune's SIREN was built from: 21, department, 0, commune, key; overseas
    /// the department takes the place of the 0.
    ///
    /// Nothing for other bodies, for communes created by merger (numbered like any other body)
    /// and for Corsica, whose numbers still say department 20 and not 2A or 2B.
    pub fn commune_insee(self) -> Option<InseeCode> {
        let digits = self.to_string();
        let body = digits.strip_prefix(COMMUNE_PREFIX)?;
        match &body[..2] {
            "97" if &body[3..4] == "0" => format!("{}{}", &body[..3], &body[4..6]).parse().ok(),
            "20" | "97" | "98" => None,
            department if &body[2..3] == "0" => format!("{department}{}", &body[3..6]).parse().ok(),
            _ => None,
        }
    }
}

impl FromStr for Siren {
    type Err = Invalid;

    /// Reads nine digits; blanks and dots are accepted anywhere.
    ///
    /// Refused with `SIREN_NOT_DIGITS`, `SIREN_LENGTH` or `SIREN_CHECKSUM` (also all zeros).
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let compact = without_blanks_and_dots(value);
        if !compact.is_empty() && !is_digits(&compact) {
            return Err(Invalid::new(
                "SIREN_NOT_DIGITS",
                "a SIREN contains digits only",
                "Le SIREN ne contient que des chiffres : vérifiez qu'aucune lettre ne s'y est \
                 glissée (O pour 0, I pour 1).",
            ));
        }
        if compact.len() != SIREN_LENGTH {
            return Err(Invalid::new(
                "SIREN_LENGTH",
                "a SIREN has nine digits",
                "Le SIREN a neuf chiffres.",
            ));
        }
        siren_from_digits(&compact).ok_or_else(|| {
            Invalid::new(
                "SIREN_CHECKSUM",
                "the key of the SIREN is wrong: a digit is mistaken",
                "La clé du SIREN est fausse : un chiffre est erroné ou deux sont inversés.",
            )
        })
    }
}

/// A SIREN from nine digits, or nothing when the key is wrong.
pub(crate) fn siren_from_digits(digits: &str) -> Option<Siren> {
    let number = digits.parse().ok()?;
    (number > 0 && luhn(digits)).then_some(Siren(number))
}

impl fmt::Display for Siren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:09}", self.0)
    }
}

/// The fourteen-digit number of an establishment, its keys checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Siret(u64);

impl Siret {
    /// The legal unit the establishment belongs to.
    pub const fn siren(self) -> Siren {
        Siren(self.0 / NIC_MODULUS)
    }

    /// As people write it: `216 202 630 00010`.
    pub fn spaced(self) -> String {
        format!("{} {:05}", self.siren().spaced(), self.0 % NIC_MODULUS)
    }
}

impl FromStr for Siret {
    type Err = Invalid;

    /// Reads fourteen digits; blanks and dots are accepted anywhere.
    ///
    /// Both the SIREN and the whole number end with a Luhn key, except that the establishments of
    /// La Poste other than its head office have digits that add up to a multiple of five.
    ///
    /// Refused with `SIRET_NOT_DIGITS`, `SIRET_LENGTH`, `SIREN_CHECKSUM` (the error is in the
    /// first nine digits) or `SIRET_CHECKSUM`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let compact = without_blanks_and_dots(value);
        if !compact.is_empty() && !is_digits(&compact) {
            return Err(Invalid::new(
                "SIRET_NOT_DIGITS",
                "a SIRET contains digits only",
                "Le SIRET ne contient que des chiffres : vérifiez qu'aucune lettre ne s'y est \
                 glissée (O pour 0, I pour 1).",
            ));
        }
        let number = match compact.parse::<u64>() {
            Ok(number) if compact.len() == SIRET_LENGTH => number,
            _ => {
                return Err(Invalid::new(
                    "SIRET_LENGTH",
                    "a SIRET has fourteen digits",
                    "Le SIRET a quatorze chiffres : les neuf du SIREN puis les cinq de \
                     l'établissement.",
                ));
            }
        };
        let siren = siren_from_digits(&compact[..SIREN_LENGTH]).ok_or_else(|| {
            Invalid::new(
                "SIREN_CHECKSUM",
                "the key of the SIREN inside the SIRET is wrong: one of the first nine digits is \
                 mistaken",
                "Les neuf premiers chiffres du SIRET (le SIREN) sont erronés : leur clé est \
                 fausse.",
            )
        })?;
        let valid = if siren.0 == LA_POSTE && number != LA_POSTE_HEAD_OFFICE {
            compact.bytes().map(|b| u32::from(b - b'0')).sum::<u32>() % 5 == 0
        } else {
            luhn(&compact)
        };
        if valid {
            Ok(Self(number))
        } else {
            Err(Invalid::new(
                "SIRET_CHECKSUM",
                "the key of the SIRET is wrong: one of the last five digits is mistaken",
                "La clé du SIRET est fausse : un des cinq derniers chiffres est erroné.",
            ))
        }
    }
}

impl fmt::Display for Siret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

/// Compares a commune's SIREN with the commune code given beside it.
///
/// A remark (`SIREN_INSEE_MISMATCH`), never a refusal: numbering has exceptions. Nothing is said
/// of bodies whose SIREN does not tell a commune.
pub fn insee_warning(siren: Siren, insee: &InseeCode) -> Option<Invalid> {
    let agrees = match siren.commune_insee() {
        Some(expected) => expected == *insee,
        None => corsican_commune(siren).is_none_or(|commune| {
            matches!(insee.department(), "2A" | "2B") && insee.as_str().ends_with(&commune)
        }),
    };
    (!agrees).then(|| {
        Invalid::new(
            "SIREN_INSEE_MISMATCH",
            "the SIREN is the one of another commune than the commune code",
            "Le SIREN est celui d'une autre commune que celle du code INSEE : vérifiez l'un et \
             l'autre.",
        )
    })
}

/// The three digits of a Corsican commune: unique over 2A and 2B, numbered when they were one.
fn corsican_commune(siren: Siren) -> Option<String> {
    let digits = siren.to_string();
    Some(digits.strip_prefix("21200")?[..3].to_owned())
}

/// Luhn's key over ASCII digits (ISO/IEC 7812-1): from the right, every second digit counts double.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(position, byte)| {
            let digit = u32::from(byte - b'0');
            match (position % 2, digit) {
                (0, digit) => digit,
                (_, digit @ 0..=4) => digit * 2,
                (_, digit) => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
