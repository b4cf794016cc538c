//! One person, several operators: a pseudonym that only who holds the programme's key can make, and that says nothing
//! without it.
//!
//! It is HMAC-SHA-256, under a key of the ring, of `nonrecours.pseudonym.v1` and four values, each after a `|`:
//! birth name, first first name, birth date (`1980-01-31`), birth place. All four must be known. A name is
//! [normalised](letters); of the first names only the first one counts, up to a blank or a comma, since people give the
//! others or not (a compound one is written with a hyphen, as on the civil register); a place is its INSEE code when it is
//! one, else normalised like a name.

use hmac::{Hmac, KeyInit as _, Mac as _};
use nonrecours_kernel::InseeCode;
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;
use time::Date;
use unicode_normalization::UnicodeNormalization as _;

use super::ring::{KEY_BYTES, KeyRing};

/// A person over all operators, under one key.
pub type Pseudonym = [u8; 32];

/// What makes a person one and the same: normalised, none of it empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Traits(String);

impl Traits {
    /// Those of a person; `None` when one of them is not known, or has no letter.
    pub fn of(
        birth_name: &str,
        first_names: &str,
        birth_date: Date,
        birth_place: &str,
    ) -> Option<Self> {
        let first_name = first_names
            .split(|separator: char| separator == ',' || separator.is_whitespace())
            .find(|name| !name.is_empty())?;
        let place = birth_place
            .parse::<InseeCode>()
            .map_or_else(|_| letters(birth_place), |code| code.as_str().to_owned());
        let (name, first_name) = (letters(birth_name), letters(first_name));
        let all = [&name, &first_name, &place];
        all.iter().all(|text| !text.is_empty()).then(|| {
            Self(format!(
                "nonrecours.pseudonym.v1|{name}|{first_name}|{birth_date}|{place}"
            ))
        })
    }
}

/// One spelling of a name: compatibility decomposition (NFKD), upper case, letters only; œ is OE and æ is AE, which
/// Unicode does not decompose. `Lefèvre-d'Ormesson` is `LEFEVREDORMESSON`.
pub fn letters(text: &str) -> String {
    let kept: String = upper_letters(text.nfkd()).collect();
    // What stood between two marks may have kept them out of their order (Unicode, canonical ordering).
    upper_letters(kept.nfkd()).fold(String::with_capacity(kept.len()), |mut name, letter| {
        match letter {
            'Œ' => name.push_str("OE"),
            'Æ' => name.push_str("AE"),
            letter => name.push(letter),
        }
        name
    })
}

fn upper_letters(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(char::to_uppercase)
        .filter(|character| character.is_alphabetic())
}

impl KeyRing {
    /// The person's pseudonym under every live key, with the id of the key.
    pub fn pseudonyms<'a>(
        &'a self,
        traits: &'a Traits,
    ) -> impl Iterator<Item = (&'a str, Pseudonym)> {
        self.making()
            .iter()
            .map(|key| (key.id.as_str(), pseudonym(key.bytes(), traits)))
    }
}

fn pseudonym(key: &[u8; KEY_BYTES], traits: &Traits) -> Pseudonym {
    mac(key, traits.0.as_bytes())
}

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8; KEY_BYTES], text: &[u8]) -> [u8; 32] {
    // HMAC fills a shorter key up with zeros (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    const BORN: Date = date!(1980 - 01 - 31);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Computed apart from the code under test, with Python's hmac and hashlib.
    #[test]
    fn pseudonyms_are_those_of_the_rule() {
        let ascending: [u8; KEY_BYTES] = std::array::from_fn(|place| place as u8);
        for (key, name, first_names, place, expected) in [
            (
                ascending,
                "Lefèvre-d’Ormesson",
                "Jean-Pierre Marie",
                "62041",
                "e77233791c6d25d36c160d00b0b76b53eb56feab529f01ee2697382a1f4fcd16",
            ),
            (
                [0x0b; KEY_BYTES],
                "Lefèvre-d’Ormesson",
                "Jean-Pierre Marie",
                "62041",
                "ed59f2a902bcf2bee31ca35bd049b135588c9b610951b1a8c71da696a3575066",
            ),
            (
                ascending,
                "Cœur",
                "Zoë, Anaïs",
                "L'Haÿ-les-Roses",
                "f8b0edc23662c16b9fa7449b3197fb0f344416d773f5d5d91adabb814cbc175c",
            ),
            (
                ascending,
                "Ajaccio",
                "Ange",
                "2A004",
                "a06b98979d613f9242969eddbdc9bb6ecc46d34d9dffbdf232c3d1505a6d7feb",
            ),
        ] {
            let traits = Traits::of(name, first_names, BORN, place).unwrap();
            assert_eq!(hex(&pseudonym(&key, &traits)), expected);
        }
    }

    #[test]
    fn spellings_of_one_person_are_one() {
        let person = Traits::of("Lefèvre", "Jean-Pierre Marie", BORN, "62041").unwrap();
        for (name, first_names, place) in [
            ("LEFEVRE", "JEAN-PIERRE", "62041"),
            (" lefèvre ", "  Jean‑Pierre, Marie", "62 041"),
            ("Lefe\u{300}vre", "Jean-pierre  Paul", "62041"),
        ] {
            assert!(person == Traits::of(name, first_names, BORN, place).unwrap());
        }
        for other in [
            Traits::of("Lefebvre", "Jean-Pierre", BORN, "62041"),
            Traits::of("Lefèvre", "Jean", BORN, "62041"),
            Traits::of("Lefèvre", "Jean-Pierre", date!(1980 - 02 - 01), "62041"),
            Traits::of("Lefèvre", "Jean-Pierre", BORN, "Arras"),
        ] {
            assert!(person != other.unwrap());
        }
        assert!(
            Traits::of("D'Œuf", "A", BORN, "Bœurs-en-Othe (89)")
                == Traits::of("DOEUF", "a", BORN, "BOEURS EN OTHE")
        );
    }

    #[test]
    fn who_is_not_wholly_known_has_no_pseudonym() {
        for (name, first_names, place) in [
            ("", "Jean", "62041"),
            ("Lefèvre", " , ", "62041"),
            ("Lefèvre", "Jean", ""),
            ("-", "Jean", "62041"),
            ("Lefèvre", "?", "62041"),
            ("Lefèvre", "Jean", "123"),
        ] {
            assert!(Traits::of(name, first_names, BORN, place).is_none());
        }
    }

    #[test]
    fn marks_that_meet_once_what_parted_them_is_gone_are_put_in_order() {
        let once = letters("\u{1e01b}[\u{16ff0}");
        assert_eq!(once, "\u{16ff0}\u{1e01b}");
        assert_eq!(letters(&once), once);
    }

    proptest! {
        #[test]
        fn normalising_again_changes_nothing(text in "\\PC{0,40}") {
            let once = letters(&text);
            prop_assert!(once.chars().all(char::is_alphabetic));
            prop_assert_eq!(letters(&once), once);
        }

        #[test]
        fn case_and_accents_do_not_count(name in "[a-zA-Zéèêëàâîïôûùüç' -]{1,30}") {
            prop_assert_eq!(letters(&name), letters(&name.to_uppercase()));
            prop_assert_eq!(letters(&name), letters(&name.nfd().collect::<String>()));
        }
    }
}
