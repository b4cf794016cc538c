//! ISO-8859-1, the character set of flows: what it lacks is written with what it has, or refused.

/// A character that ISO-8859-1 has not, and that has no usual spelling in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("U+{:04X} at character {position} cannot be written", u32::from(*character))]
pub struct Unrepresentable {
    /// The character.
    pub character: char,
    /// Its place in the text, from 1.
    pub position: usize,
}

/// Letters with a mark, as the base letters and what each becomes with it.
const COMPOSED: [(char, &str, &str); 6] = [
    ('\u{300}', "AEIOUaeiou", "ÀÈÌÒÙàèìòù"),
    ('\u{301}', "AEIOUYaeiouy", "ÁÉÍÓÚÝáéíóúý"),
    ('\u{302}', "AEIOUaeiou", "ÂÊÎÔÛâêîôû"),
    ('\u{303}', "ANOano", "ÃÑÕãñõ"),
    ('\u{308}', "AEIOUaeiouy", "ÄËÏÖÜäëïöüÿ"),
    ('\u{327}', "Cc", "Çç"),
];

/// The text in characters of ISO-8859-1 alone, blanks of all kinds as spaces, trimmed.
///
/// Spelt otherwise: `œ` as `oe`, the curved apostrophes and quotation marks as the straight ones, dashes as `-`, `…` as
/// `...`, `€` as `EUR`, letters that only other languages have without their mark. A mark written apart joins its letter.
pub fn transliterate(text: &str) -> Result<String, Unrepresentable> {
    let mut written = String::with_capacity(text.len());
    for (index, character) in text.trim().chars().enumerate() {
        let position = index + 1;
        if let Some(with_mark) = joined(written.chars().last(), character) {
            written.pop();
            written.push(with_mark);
        } else if character.is_whitespace() {
            written.push(' ');
        } else if let Some(spelling) = spelling(character) {
            written.push_str(spelling);
        } else if !character.is_control() && u32::from(character) <= 0xff {
            written.push(character);
        } else {
            return Err(Unrepresentable {
                character,
                position,
            });
        }
    }
    Ok(written)
}

/// The letter before with this mark.
fn joined(before: Option<char>, mark: char) -> Option<char> {
    let before = before?;
    let (_, bases, results) = COMPOSED.iter().find(|(known, ..)| *known == mark)?;
    let place = bases.chars().position(|base| base == before)?;
    results.chars().nth(place)
}

const fn spelling(character: char) -> Option<&'static str> {
    Some(match character {
        'œ' => "oe",
        'Œ' => "OE",
        '’' | '‘' | '‚' | '‛' | 'ʼ' | '′' => "'",
        '“' | '”' | '„' | '‟' | '″' => "\"",
        '‹' => "<",
        '›' => ">",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        '…' => "...",
        '€' => "EUR",
        '•' | '‣' => "-",
        '™' => "TM",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        // Where a line may break: nothing to read.
        '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{2060}' => "",
        'Ÿ' => "Y",
        'Š' => "S",
        'š' => "s",
        'Ž' | 'Ź' | 'Ż' => "Z",
        'ž' | 'ź' | 'ż' => "z",
        'Ł' => "L",
        'ł' => "l",
        'Ą' | 'Ā' | 'Ă' => "A",
        'ą' | 'ā' | 'ă' => "a",
        'Ć' | 'Č' => "C",
        'ć' | 'č' => "c",
        'Ę' | 'Ě' | 'Ē' => "E",
        'ę' | 'ě' | 'ē' => "e",
        'Ğ' => "G",
        'ğ' => "g",
        'İ' => "I",
        'ı' => "i",
        'Ń' | 'Ň' => "N",
        'ń' | 'ň' => "n",
        'Ő' => "O",
        'ő' => "o",
        'Ř' => "R",
        'ř' => "r",
        'Ś' | 'Ş' | 'Ș' => "S",
        'ś' | 'ş' | 'ș' => "s",
        'Ţ' | 'Ț' => "T",
        'ţ' | 'ț' => "t",
        'Ű' | 'Ů' => "U",
        'ű' | 'ů' => "u",
        _ => return None,
    })
}

/// The bytes of a text already transliterated; none when a character is not of ISO-8859-1.
pub(crate) fn encode(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_french_texts_hold_is_spelt() {
        let spelt = |text: &str| transliterate(text).unwrap();
        assert_eq!(spelt("Cœur d’Ostrevent"), "Coeur d'Ostrevent");
        assert_eq!(spelt("9\u{202f}200,00\u{a0}€"), "9 200,00 EUR");
        assert_eq!(spelt("acompte – 80 %…"), "acompte - 80 %...");
        assert_eq!(spelt(" «\u{a0}Été\u{a0}» "), "« Été »");
        assert_eq!(spelt("De\u{301}le\u{301}gue\u{301}e"), "Déléguée");
        assert_eq!(spelt("Łódź"), "Lódz");
        assert_eq!(spelt("deux\nlignes"), "deux lignes");
    }

    #[test]
    fn what_has_no_spelling_is_refused_with_its_place() {
        assert_eq!(
            transliterate("abc 漢"),
            Err(Unrepresentable {
                character: '漢',
                position: 5
            })
        );
        assert!(transliterate("a\u{7}").is_err());
        assert!(transliterate("e\u{335}").is_err());
    }

    proptest! {
        #[test]
        fn what_is_spelt_is_of_the_character_set_and_spelt_once(text in ".{0,40}") {
            if let Ok(spelt) = transliterate(&text) {
                prop_assert!(encode(&spelt).is_some());
                prop_assert_eq!(transliterate(&spelt).unwrap(), spelt.trim());
            }
        }

        #[test]
        fn plain_text_is_kept(text in "[a-zA-Z0-9éèàçùâêîôûëïü'., -]{0,40}") {
            prop_assert_eq!(transliterate(&text).unwrap(), text.trim());
        }
    }
}
