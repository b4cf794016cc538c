//! Names of files as people gave them, made harmless.

use nonrecours_kernel::{Invalid, screen};

use super::media::MediaType;
use crate::text::required;

/// What no name of a file bears on the systems it may be saved on.
const FORBIDDEN: [char; 7] = ['<', '>', ':', '"', '|', '?', '*'];

/// The cleaned name of a file: no folder, nothing invisible, not hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Cleans a name. Refused with `REQUIRED` when nothing is left, with `NIR_FORBIDDEN` when it holds a social security
    /// number.
    pub fn clean(text: &str) -> Result<Self, Invalid> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let visible: String = last
            .chars()
            .filter(|character| !is_invisible(*character))
            .map(|character| match character {
                forbidden if FORBIDDEN.contains(&forbidden) => '_',
                other => other,
            })
            .collect();
        let words: Vec<&str> = visible.split_whitespace().collect();
        let name = words.join(" ");
        let name = name.trim_matches(|edge: char| edge == '.' || edge == ' ');
        if name.is_empty() {
            return Err(required());
        }
        screen(name)?;
        Ok(Self(name.to_owned()))
    }

    /// The name with an ending of its type: added when it has none, so that a document is never opened as a program.
    pub fn of_type(&self, media: MediaType) -> String {
        let ending = self.0.rsplit_once('.').map(|(_, ending)| ending);
        let known = ending.is_some_and(|ending| {
            media
                .endings()
                .iter()
                .any(|known| known.eq_ignore_ascii_case(ending))
        });
        match media.endings().first() {
            Some(usual) if !known => format!("{}.{usual}", self.0),
            _ => self.0.clone(),
        }
    }
}

/// Controls, and the marks that turn, join or hide what stands beside them: they make a name read otherwise than it is.
fn is_invisible(character: char) -> bool {
    (character.is_control() && !character.is_whitespace())
        || matches!(
            character,
            '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pdf(text: &str) -> String {
        FileName::clean(text).unwrap().of_type(MediaType::Pdf)
    }

    #[test]
    fn names_are_made_harmless() {
        for (given, kept) in [
            ("Émargement 2025-12.pdf", "Émargement 2025-12.pdf"),
            ("SCAN.PDF", "SCAN.PDF"),
            ("C:\\Users\\agent\\scan.pdf", "scan.pdf"),
            ("../../etc/passwd", "passwd.pdf"),
            (
                "  feuille\t de \n présence .pdf",
                "feuille de présence .pdf",
            ),
            (".htaccess", "htaccess.pdf"),
            ("facture.exe", "facture.exe.pdf"),
            // A mark that turns what follows: reads as « factureexe.pdf ».
            ("facture\u{202E}fdp.exe", "facturefdp.exe.pdf"),
            ("a\u{0}b<c>.pdf", "ab_c_.pdf"),
            ("rapport", "rapport.pdf"),
        ] {
            assert_eq!(pdf(given), kept);
        }
        assert_eq!(
            FileName::clean("photo.JPEG")
                .unwrap()
                .of_type(MediaType::Jpeg),
            "photo.JPEG"
        );
    }

    #[test]
    fn a_name_of_nothing_or_of_a_person_is_refused() {
        let reason = |text: &str| FileName::clean(text).unwrap_err().reason;
        for nothing in ["", " ", "...", "scans/", "\u{200B}\u{202E}"] {
            assert_eq!(reason(nothing), "REQUIRED", "{nothing:?}");
        }
        for nir in [
            "185026226300126.pdf",
            "dossier 1 85 02 62 263 001 26.pdf",
            "18502\u{200B}6226300126",
        ] {
            assert_eq!(reason(nir), "NIR_FORBIDDEN", "{nir:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_given_the_name_is_one_plain_name(text in "\\PC{0,40}", more in any::<String>()) {
            for given in [text, more] {
                if let Ok(name) = FileName::clean(&given) {
                    let kept = name.of_type(MediaType::Pdf);
                    prop_assert!(!kept.contains(['/', '\\', '\0', '\n']) && !kept.starts_with('.'));
                    prop_assert!(kept.to_ascii_lowercase().ends_with(".pdf"));
                    // Cleaned again, it is the same.
                    prop_assert_eq!(pdf(&kept), kept);
                }
            }
        }
    }
}
