//! Social security numbers (NIR), which the suite never stores: found in free text to refuse it.
//!
//! A NIR is sex (1), year (2), month (2), place of birth (5), rank (3), then a two-digit key that
//! people often leave out: `1 85 02 62 263 001 42`.

use crate::Invalid;

/// Digits of a NIR without its key.
const BODY: usize = 13;
/// Digits of a NIR with its key.
const FULL: usize = 15;
/// Blanks, dots or dashes that may stand between two groups.
const MAX_SEPARATORS: usize = 3;
/// How many characters of a NIR stand before each gap between its groups.
const GROUP_ENDS: [usize; 6] = [1, 3, 5, 7, 10, 13];

/// Whether a social security number stands anywhere in the text.
///
/// Fifteen characters count when their key is right, wherever they are cut by separators.
/// Thirteen, having no key, count when sex, month, place and rank exist and separators, if any,
/// stand between the groups: the form is rare enough in other numbers (a SIRET has fourteen
/// digits) for refusing to be the safer mistake.
pub fn contains_nir(text: &str) -> bool {
    if !may_hold(text) {
        return false;
    }
    let characters: Vec<char> = text.chars().collect();
    (0..characters.len()).any(|start| {
        let begins = start == 0 || !characters[start - 1].is_ascii_digit();
        begins
            && matches!(characters[start], '1'..='4' | '7' | '8')
            && (full_nir(&characters[start..]) || bare_nir(&characters[start..]))
    })
}

/// Whether as many characters as a NIR has stand together, separators aside: in most texts they do not.
fn may_hold(text: &str) -> bool {
    let (mut taken, mut separators) = (0, 0);
    for character in text.chars() {
        match character {
            '0'..='9' | 'A' | 'a' | 'B' | 'b' => {
                (taken, separators) = (taken + 1, 0);
                if taken == BODY {
                    return true;
                }
            }
            _ if separators < MAX_SEPARATORS && is_separator(character) => separators += 1,
            _ => (taken, separators) = (0, 0),
        }
    }
    false
}

/// Refuses a free text that holds a social security number, with `NIR_FORBIDDEN`.
pub fn screen(text: &str) -> Result<(), Invalid> {
    if contains_nir(text) {
        Err(Invalid::new(
            "NIR_FORBIDDEN",
            "the text contains a social security number, which must not be recorded",
            "Le texte contient un numéro de sécurité sociale, qui ne doit pas être enregistré : \
             retirez-le.",
        ))
    } else {
        Ok(())
    }
}

fn full_nir(characters: &[char]) -> bool {
    take(characters, FULL, |_| true)
        .is_some_and(|nir| is_structured(&nir[..BODY]) && has_right_key(&nir))
}

fn bare_nir(characters: &[char]) -> bool {
    take(characters, BODY, |taken| GROUP_ENDS.contains(&taken))
        .is_some_and(|nir| is_structured(&nir))
}

/// The first `count` characters a NIR may be made of, as upper case ASCII, when separators stand
/// only where `may_cut` allows (it is given how many characters came before) and no digit follows.
fn take(characters: &[char], count: usize, may_cut: fn(usize) -> bool) -> Option<Vec<u8>> {
    let mut taken = Vec::with_capacity(count);
    let mut separators = 0;
    for (position, character) in characters.iter().enumerate() {
        match character.to_ascii_uppercase() {
            digit if digit.is_ascii_digit() => taken.push(digit as u8),
            // Corsica: the seventh character is a letter.
            letter @ ('A' | 'B') if taken.len() == 6 => taken.push(letter as u8),
            separator if is_separator(separator) => {
                separators += 1;
                if separators > MAX_SEPARATORS || !may_cut(taken.len()) {
                    return None;
                }
                continue;
            }
            _ => return None,
        }
        separators = 0;
        if taken.len() == count {
            let next = characters.get(position + 1);
            return next
                .is_none_or(|next| !next.is_ascii_digit())
                .then_some(taken);
        }
    }
    None
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '.' | '-' | '\u{2010}'..='\u{2015}')
}

/// Whether the thirteen characters could have been given to somebody.
fn is_structured(nir: &[u8]) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        nir[range]
            .iter()
            .fold(0, |n, byte| n * 10 + u32::from(byte.wrapping_sub(b'0')))
    };
    // 20, 30 to 42 and 50 to 99 stand for a month that is unknown or whose numbers ran out.
    let month = matches!(digits(3..5), 1..=12 | 20 | 30..=42 | 50..=99);
    let corsica = matches!(&nir[5..7], b"2A" | b"2B");
    let place = corsica || (nir[6].is_ascii_digit() && digits(5..7) > 0);
    month && place && digits(7..10) > 0 && digits(10..13) > 0
}

/// Key: 97 minus the rest of the number divided by 97, with 2A read as 19 and 2B as 18.
fn has_right_key(nir: &[u8]) -> bool {
    let number = nir[..BODY]
        .iter()
        .enumerate()
        .fold(0_u64, |number, (position, byte)| {
            let digit = match (position, byte, nir[6]) {
                (5, _, b'A' | b'B') => 1,
                (6, b'A', _) => 9,
                (6, b'B', _) => 8,
                _ => u64::from(byte - b'0'),
            };
            number * 10 + digit
        });
    let key = u64::from(nir[13] - b'0') * 10 + u64::from(nir[14] - b'0');
    key == 97 - number % 97
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Computed apart from the code under test: the text rule of the key.
    fn with_key(body: &str) -> String {
        let number = body.replace("2A", "19").replace("2B", "18");
        let key = 97 - number.parse::<u64>().unwrap() % 97;
        format!("{body}{key:02}")
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let full = with_key("1850262263001");
        let key = &full[13..];
        for text in [
            full.clone(),
            format!("NIR{full}."),
            format!("son numéro:1 85 02 62 263 001 {key}, à rappeler"),
            format!("1.85.02.62.263.001.{key}"),
            format!("1-85-02-62-263-001-{key}"),
            format!("1\u{a0}85\u{202f}02 62 263 001 / {key}"),
            format!("1 – 85 – 02 – 62 – 263 – 001 – {key}"),
            format!("1850 2622 6300 1{key}"),
            "1850262263001".to_owned(),
            "n° 1 85 02 62 263 001 (sans clé)".to_owned(),
            "185 02 62263 001".to_owned(),
            format!("06 12 34 56 78 puis {full}"),
            format!("{full} puis 06 12 34 56 78"),
        ] {
            assert!(contains_nir(&text), "{text}");
        }
    }

    #[test]
    fn corsican_overseas_and_unknown_months_are_found() {
        for body in [
            "285072A004123",
            "185072B033123",
            "2990797411001",
            "1552099352001",
        ] {
            assert!(contains_nir(&with_key(body)), "{body}");
            assert!(contains_nir(body), "{body}");
        }
        assert!(contains_nir("2 85 07 2a 004 123"));
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "",
            "rendez-vous le 25/09/2025 à 14 h 30",
            "06 12 34 56 78",
            "SIRET 216 202 630 00010",
            "SIRET 21620263000010",
            "062-216202630-20250929-25D045-DE",
            "FR14 2004 1010 0505 0001 3M02 606",
            "FR1420041010050500013M02606",
            "01998b2e-6c00-7abc-8def-0123456789ab",
            "1758818400000",
            "185026226300",
            "5850262263001",
            "1851362263001",
            "1850200263001",
            "1850262000001",
            "1850262263000",
            "18502622630011",
            "dossier 1 du 85, 02 62 puis 263 et 001",
            "1    850262263001",
        ] {
            assert!(!contains_nir(text), "{text}");
        }
    }

    #[test]
    fn fifteen_digits_with_a_wrong_key_are_no_number() {
        let right = with_key("1850262263001");
        let wrong = format!(
            "{}{:02}",
            &right[..13],
            1 + right[13..].parse::<u32>().unwrap() % 97
        );
        assert!(!contains_nir(&wrong));
    }

    #[test]
    fn screening_refuses_without_repeating_the_number() {
        assert_eq!(screen("rien à signaler"), Ok(()));
        let refused = screen("1850262263001").unwrap_err();
        assert_eq!(refused.reason, "NIR_FORBIDDEN");
        assert!(!refused.text.fr.contains("1850262263001"));
    }

    proptest! {
        #[test]
        fn any_real_number_in_any_text_is_found(
            sex in prop::sample::select(vec!['1', '2', '3', '4', '7', '8']),
            year in 0..100_u32, month in 1..=12_u32, place in 1..=95_u32,
            commune in 1..=990_u32, rank in 1..=999_u32,
            before in "[^0-9]{0,20}", after in "[^0-9]{0,20}",
        ) {
            let body = format!("{sex}{year:02}{month:02}{place:02}{commune:03}{rank:03}");
            let full = with_key(&body);
            let texts = [full, body].map(|nir| format!("{before}{nir}{after}"));
            prop_assert!(texts.iter().all(|text| contains_nir(text)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = contains_nir(&text);
        }

        #[test]
        fn a_siret_is_not_taken_for_one(siret in 10_000_000_000_000_u64..100_000_000_000_000) {
            prop_assert!(!contains_nir(&siret.to_string()));
        }
    }
}
