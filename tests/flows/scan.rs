//! Looking for what must not be told, in whatever form it may have been written.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use nonrecours_kernel::{Iban, nir::contains_nir};

/// Shortest text that is looked for: a shorter one would be found anywhere.
const SHORTEST: usize = 4;

/// Texts that were planted, and what is wrong wherever it comes from: tokens, IBANs, social security numbers.
#[derive(Default)]
pub struct Scanner {
    planted: Vec<Planted>,
}

struct Planted {
    text: String,
    forms: Vec<String>,
}

impl Scanner {
    /// Looks for this text from now on.
    pub fn plant(&mut self, text: &str) {
        let plain = flat(text);
        assert!(plain.len() >= SHORTEST, "{text} is found anywhere");
        let bytes = text.as_bytes();
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![plain, numbers.join(","), hex];
        // The last characters depend on what follows.
        let whole = bytes.len() / 3 * 3;
        for coded in [
            STANDARD_NO_PAD.encode(&bytes[..whole]),
            URL_SAFE_NO_PAD.encode(&bytes[..whole]),
        ] {
            if coded.len() >= SHORTEST * 2 {
                forms.push(flat(&coded));
            }
        }
        let escaped: String = text.chars().flat_map(char::escape_default).collect();
        forms.push(flat(&escaped));
        self.planted.push(Planted {
            text: text.to_owned(),
            forms,
        });
    }

    /// What is found in a text, or in bytes that hold texts.
    pub fn find(&self, written: &[u8]) -> Vec<String> {
        let written = String::from_utf8_lossy(written);
        let plain = flat(&written);
        let mut found: Vec<String> = self
            .planted
            .iter()
            .filter(|planted| planted.forms.iter().any(|form| plain.contains(form)))
            .map(|planted| planted.text.clone())
            .collect();
        for word in written.split(|character: char| !is_of_a_token(character)) {
            if is_token(word) {
                found.push(format!("a token: {word}"));
            }
        }
        for word in written.split(|character: char| !character.is_ascii_alphanumeric()) {
            if word.len() >= 15 && word.starts_with("FR") && word.parse::<Iban>().is_ok() {
                found.push(format!("an IBAN: {word}"));
            }
            if word.len() == 15 && contains_nir(word) {
                found.push(format!("a social security number: {word}"));
            }
        }
        found
    }
}

/// Without blanks, separators and case.
fn flat(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{a0}'));
    kept.flat_map(char::to_lowercase).collect()
}

fn is_of_a_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// A compact JWS: three parts, the first of which is a JSON object.
fn is_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts[..], [header, _, signature] if header.starts_with("eyJ") && !signature.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner() -> Scanner {
        let mut scanner = Scanner::default();
        scanner.plant("Lefèvre-Planté");
        scanner.plant("FR76 3000 6000 0112 3456 7890 189");
        scanner
    }

    #[test]
    fn what_was_planted_is_found_in_every_form() {
        for written in [
            "Lefèvre-Planté",
            "LEFÈVRE PLANTÉ",
            r#"{"message":"name: \"Lefèvre-Planté\""}"#,
            "Lef\\u{e8}vre-Plant\\u{e9}",
            "[76, 101, 102, 195, 168, 118, 114, 101, 45, 80, 108, 97, 110, 116, 195, 169]",
            "4c6566c3a87672652d506c616e74c3a9",
            &STANDARD_NO_PAD.encode("Lefèvre-Planté"),
            "fr7630006000011234567890189",
            "FR76 3000 6000 0112 3456 7890 189",
        ] {
            assert!(!scanner().find(written.as_bytes()).is_empty(), "{written}");
        }
        let within = [
            b"\x0a\x10\xff".as_slice(),
            "Lefèvre-Planté".as_bytes(),
            b"\x00",
        ]
        .concat();
        assert_eq!(scanner().find(&within), ["Lefèvre-Planté"]);
    }

    #[test]
    fn what_nobody_planted_is_found_by_its_form() {
        let found = |written: &str| Scanner::default().find(written.as_bytes());
        assert!(
            found("authorization: Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA")[0].starts_with("a token")
        );
        assert!(found("iban=FR7630006000011234567890189;")[0].starts_with("an IBAN"));
        assert!(found("nir 269054958815780.")[0].starts_with("a social security number"));
    }

    #[test]
    fn an_honest_log_is_clean() {
        let line = r#"{"timestamp":"2026-03-01T12:00:00.123456Z","level":"INFO","target":"nonrecours::access",
            "fields":{"method":"nonrecours.followup.v1.PushService/PushRecords","code":"OK","duration_ms":12},
            "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#;
        assert_eq!(scanner().find(line.as_bytes()), Vec::<String>::new());
    }
}
