//! Bank accounts: IBAN (ISO 13616) with the French RIB key, and BIC (ISO 9362).

use std::fmt;
use std::str::FromStr;

use crate::Invalid;
use crate::text::{is_digits, without_blanks};

/// Shortest and longest IBAN of any country.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

/// Length per country of the single euro payments area; others have the general bounds only.
const COUNTRY_LENGTHS: [(&str, usize); 36] = [
    ("AD", 24),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("VA", 22),
];

/// Where the accounts of French local public bodies are held: Banque de France and DGFiP.
const TREASURY_BANKS: [&str; 2] = ["30001", "10071"];

/// An account number whose keys are right. Debug shows the [`Iban::masked`] form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iban(String);

impl Iban {
    /// The compact form, for the database and payment files.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two letters (ISO 3166): `FR`.
    pub fn country(&self) -> &str {
        &self.0[..2]
    }

    /// In groups of four, for people.
    pub fn spaced(&self) -> String {
        let mut spaced = String::new();
        for (position, character) in self.0.chars().enumerate() {
            if position > 0 && position.is_multiple_of(4) {
                spaced.push(' ');
            }
            spaced.push(character);
        }
        spaced
    }

    /// What may be logged: the first and last four characters.
    pub fn masked(&self) -> String {
        format!("{} **** … {}", &self.0[..4], &self.0[self.0.len() - 4..])
    }

    /// The five-digit bank code (code banque) of a French account.
    pub fn bank(&self) -> Option<&str> {
        (self.country() == "FR").then(|| &self.0[4..9])
    }

    /// What a person should look at before paying; never a refusal.
    ///
    /// `IBAN_NOT_AT_TREASURY`: a public body is normally paid at the Banque de France (30001) or
    /// the DGFiP (10071).
    pub fn warnings(&self, public_body: bool) -> Vec<Invalid> {
        let at_treasury = self
            .bank()
            .is_some_and(|bank| TREASURY_BANKS.contains(&bank));
        if !public_body || at_treasury {
            return Vec::new();
        }
        vec![Invalid::new(
            "IBAN_NOT_AT_TREASURY",
            "a public body's account is normally held at bank 30001 or 10071",
            "Le compte d'une collectivité est normalement tenu à la Banque de France (30001) ou \
             par la DGFiP (10071) : vérifiez le RIB auprès du comptable.",
        )]
    }
}

/// Compares the holder's name on the RIB with the operator's, without regard to case, accents and
/// punctuation; a remark `IBAN_HOLDER_DIFFERS` when they differ.
pub fn holder_warning(holder: &str, expected: &str) -> Option<Invalid> {
    (comparable(holder) != comparable(expected)).then(|| {
        Invalid::new(
            "IBAN_HOLDER_DIFFERS",
            "the account holder's name is not the operator's",
            "Le titulaire du compte n'est pas l'opérateur : vérifiez le RIB avant de payer.",
        )
    })
}

fn comparable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        match character {
            'à' | 'â' | 'ä' => text.push('a'),
            'ç' => text.push('c'),
            'é' | 'è' | 'ê' | 'ë' => text.push('e'),
            'î' | 'ï' => text.push('i'),
            'ô' | 'ö' => text.push('o'),
            'ù' | 'û' | 'ü' => text.push('u'),
            'ÿ' => text.push('y'),
            'œ' => text.push_str("oe"),
            'æ' => text.push_str("ae"),
            other if other.is_alphanumeric() => text.push(other),
            _ => {}
        }
    }
    text
}

impl FromStr for Iban {
    type Err = Invalid;

    /// Reads an IBAN; blanks and lower case are accepted.
    ///
    /// Refused with `IBAN_FORMAT`, `IBAN_LENGTH`, `IBAN_CHECKSUM`, or `IBAN_RIB_KEY` when the
    /// last two digits of a French account do not match the rest.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let iban = without_blanks(value).to_ascii_uppercase();
        let shaped = iban
            .bytes()
            .enumerate()
            .all(|(position, byte)| match position {
                0 | 1 => byte.is_ascii_uppercase(),
                2 | 3 => byte.is_ascii_digit(),
                _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            });
        if !shaped {
            return Err(bad_format());
        }
        let known = COUNTRY_LENGTHS
            .iter()
            .find(|(country, _)| iban.starts_with(country));
        let fits = known.map_or(LENGTHS.contains(&iban.len()), |(_, length)| {
            iban.len() == *length
        });
        if !fits {
            return Err(Invalid::new(
                "IBAN_LENGTH",
                "the IBAN is too short or too long for its country",
                "L'IBAN n'a pas le bon nombre de caractères pour son pays (27 en France).",
            ));
        }
        let french = iban.starts_with("FR");
        if french && !(is_digits(&iban[4..14]) && is_digits(&iban[25..])) {
            return Err(bad_format());
        }
        // Keys 00, 01 and 99 give a right remainder but are never attributed.
        let attributed = ("02"..="98").contains(&&iban[2..4]);
        if !attributed || mod_97(iban[4..].bytes().chain(iban[..4].bytes()), base_36) != 1 {
            return Err(Invalid::new(
                "IBAN_CHECKSUM",
                "the key of the IBAN is wrong: a character is mistaken",
                "La clé de l'IBAN est fausse : un caractère est erroné ou deux sont inversés.",
            ));
        }
        // The key 97 - (89 bank + 15 branch + 3 account) mod 97 is the one that makes the whole
        // RIB, its letters read as digits, a multiple of 97.
        if french && mod_97(iban[4..].bytes(), rib_digit) != 0 {
            return Err(Invalid::new(
                "IBAN_RIB_KEY",
                "the RIB key, the last two digits, does not match the account",
                "La clé RIB (les deux derniers chiffres) ne correspond pas au compte : recopiez \
                 l'IBAN depuis le RIB.",
            ));
        }
        Ok(Self(iban))
    }
}

fn bad_format() -> Invalid {
    Invalid::new(
        "IBAN_FORMAT",
        "an IBAN is two letters, two digits, then letters and digits",
        "Un IBAN est formé de deux lettres (le pays), de deux chiffres, puis du numéro de compte, \
         par exemple FR14 2004 1010 0505 0001 3M02 606.",
    )
}

/// The number whose digits the characters stand for, modulo 97.
fn mod_97(bytes: impl Iterator<Item = u8>, value: fn(u8) -> u32) -> u32 {
    bytes.fold(0, |remainder, byte| {
        let value = value(byte);
        let shift = if value < 10 { 10 } else { 100 };
        (remainder * shift + value) % 97
    })
}

/// ISO 13616: A is 10 … Z is 35.
fn base_36(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.to_ascii_uppercase().saturating_sub(b'A')) + 10,
    }
}

/// The RIB's reading of letters: A and J are 1 … I, R and Z are 9 (S is 2).
fn rib_digit(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'I' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        _ => u32::from(byte.saturating_sub(b'S')) + 2,
    }
}

impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Iban({})", self.masked())
    }
}

/// A bank's identifier: eight or eleven characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bic(String);

impl Bic {
    /// The compact form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Bic {
    type Err = Invalid;

    /// Reads six letters, two characters and optionally three more; blanks and lower case are
    /// accepted. Refused with `BIC_FORMAT`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let bic = without_blanks(value).to_ascii_uppercase();
        let shaped = bic.bytes().enumerate().all(|(position, byte)| {
            byte.is_ascii_uppercase() || (position >= 6 && byte.is_ascii_digit())
        });
        if shaped && matches!(bic.len(), 8 | 11) {
            Ok(Self(bic))
        } else {
            Err(Invalid::new(
                "BIC_FORMAT",
                "a BIC is six letters, then two or five letters or digits",
                "Le BIC a huit ou onze caractères, dont six lettres au début : recopiez-le \
                 depuis le RIB.",
            ))
        }
    }
}

impl fmt::Display for Bic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
