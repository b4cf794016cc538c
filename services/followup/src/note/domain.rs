//! A note on a person. Its text is kept apart from it, sealed.

use nonrecours_kernel::{BeneficiaryId, IdSource, Invalid, NoteId, NoteName, OperatorId, screen};
use time::Date;

use crate::record::{About, Content, required};

/// Longest text, in characters.
pub const MAX_TEXT: usize = 2_000;

/// A note, apart from what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// On whom.
    pub beneficiary: BeneficiaryId,
    /// Day it was written.
    pub written_date: Date,
}

impl Content for Note {
    type Id = NoteId;
    type State = ();
    // Never refused: a note has one state.
    const STATE_FIELD: &'static str = "note";

    fn state(&self) {}

    fn new_id(ids: &IdSource) -> NoteId {
        ids.next()
    }

    fn name(operator: OperatorId, note: NoteId) -> String {
        NoteName { operator, note }.to_string()
    }
}

impl About for Note {
    type Rest = Date;
    const PERSON_FIELD: &'static str = "note.beneficiary_reference";

    fn about(beneficiary: BeneficiaryId, written_date: Date) -> Self {
        Self {
            beneficiary,
            written_date,
        }
    }
}

/// Reads a text: 1 to [`MAX_TEXT`] characters once trimmed, on several lines. Refused with `REQUIRED`, `TEXT_TOO_LONG`,
/// `TEXT_INVALID` (control characters but line ends and tabs), `NIR_FORBIDDEN`.
pub fn text(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(required());
    }
    if text.chars().count() > MAX_TEXT {
        return Err(Invalid::new(
            "TEXT_TOO_LONG",
            format!("at most {MAX_TEXT} characters are accepted"),
            format!("{MAX_TEXT} caractères au plus sont acceptés : abrégez, ou faites deux notes"),
        ));
    }
    let is_refused = |character: char| character.is_control() && !"\n\r\t".contains(character);
    if text.chars().any(is_refused) {
        return Err(Invalid::new(
            "TEXT_INVALID",
            "the text holds control characters",
            "le texte contient des caractères de contrôle : retirez-les",
        ));
    }
    screen(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_lines_and_limits() {
        assert_eq!(
            text(" Revient lundi.\n\tA sa carte. \n").unwrap(),
            "Revient lundi.\n\tA sa carte."
        );
        assert_eq!(
            text(&"é".repeat(MAX_TEXT)).unwrap().chars().count(),
            MAX_TEXT
        );
        for (bad, reason) in [
            (" \n", "REQUIRED"),
            (&*"é".repeat(MAX_TEXT + 1), "TEXT_TOO_LONG"),
            ("a\0b", "TEXT_INVALID"),
            ("son numéro : 1 85 02 62 263 001 42", "NIR_FORBIDDEN"),
        ] {
            assert_eq!(text(bad).unwrap_err().reason, reason);
        }
    }
}
