//! What people wrote, made such that the fonts can show it and the lines can hold it.

use serde_json::Value;
use typst::text::Font;

use crate::world::FONTS;

/// In the place of a character that the fonts do not have: it would be an empty box, which PDF/A forbids.
const UNKNOWN: char = '\u{fffd}';
/// Where a line may break in a word that has no other place for it.
const BREAK: char = '\u{200b}';
/// Longest run without a blank that no line could be too short for.
const LONGEST_RUN: usize = 40;

/// Replaces in every text what cannot be shown.
pub fn showable(data: &mut Value) {
    match data {
        Value::String(text) => *text = shown(text),
        Value::Array(values) => values.iter_mut().for_each(showable),
        Value::Object(values) => values.values_mut().for_each(showable),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut run = 0;
    for character in text.chars() {
        let character = match character {
            '\n' => '\n',
            '\t' => ' ',
            it if it.is_control() => continue,
            // What shows nothing by itself: marks of direction, joiners, selectors of variants, byte order marks.
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => continue,
            '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => continue,
            it if FONTS.iter().all(|font| has(font, it)) => it,
            _ => UNKNOWN,
        };
        run = if character.is_whitespace() {
            0
        } else {
            run + 1
        };
        if run > LONGEST_RUN {
            shown.push(BREAK);
            run = 1;
        }
        shown.push(character);
    }
    shown
}

fn has(font: &Font, character: char) -> bool {
    font.info().coverage.contains(u32::from(character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_french_texts_are_made_of_stays_as_it_is() {
        for text in [
            "L’été, à Noël : « aller-vers », cœur — 11\u{202f}500,00\u{a0}€ ; n° 5 !",
            "Ÿ À É Æ Œ ÿ ï û",
            "#panic() *gras* _italique_ $x$ <a> @b \\ // /* */ `",
            "deux\nlignes",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_the_fonts_lack_is_replaced_wherever_it_is() {
        let mut data = json!({"a": ["住所 🙂", {"b": "x\u{0}\u{feff}\u{202e}y\tz"}], "c": 1});
        showable(&mut data);
        assert_eq!(data, json!({"a": ["�� �", {"b": "xy z"}], "c": 1}));
    }

    #[test]
    fn a_word_that_no_line_could_hold_may_be_broken() {
        let broken = shown(&"a".repeat(100));
        let parts: Vec<_> = broken.split(BREAK).map(str::len).collect();
        assert_eq!(parts, [40, 40, 20]);
    }
}
