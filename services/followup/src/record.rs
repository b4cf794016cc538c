//! What the kinds of record have in common: a reference of the operator's own, a version, a content, and how a
//! pushed record changes the stored one.

use std::{fmt, str::FromStr, sync::Arc};

use nonrecours_kernel::{
    BeneficiaryId, ConventionName, IdSource, Invalid, OperatorId, Violation, contains_nir, screen,
};
use nonrecours_pg::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::codes;

/// Longest reference, in characters.
pub const MAX_REFERENCE: usize = 100;

/// The operator's own reference of a record: found again by it, told apart from others by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(Arc<str>);

impl Reference {
    /// That of a stored record.
    pub fn stored(reference: String) -> Self {
        Self(reference.into())
    }

    /// The text, exactly as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = Invalid;

    /// Takes 1 to [`MAX_REFERENCE`] characters, not all blank, no control character, no social security number.
    /// Refused with `REFERENCE_INVALID`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let accepted = !value.trim().is_empty()
            && value.chars().count() <= MAX_REFERENCE
            && !value.chars().any(char::is_control)
            && !contains_nir(value);
        if !accepted {
            return Err(Invalid::new(
                "REFERENCE_INVALID",
                format!(
                    "a reference has 1 to {MAX_REFERENCE} characters, and is never a social security number"
                ),
                format!(
                    "la référence compte de 1 à {MAX_REFERENCE} caractères et ne contient jamais de numéro de \
                     sécurité sociale : donnez celle de votre logiciel"
                ),
            ));
        }
        Ok(Self(value.into()))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The states of a record and the steps between them, which make no circle.
pub trait State: Copy + PartialEq + 'static {
    /// The states one step further.
    fn next(self) -> &'static [Self];

    /// Whether the other state is this one or lies ahead: software may not have sent each step.
    fn leads_to(self, other: Self) -> bool {
        self == other || self.next().iter().any(|next| next.leads_to(other))
    }
}

/// A record without states: always where it is.
impl State for () {
    fn next(self) -> &'static [Self] {
        &[]
    }
}

/// What one kind of record says.
pub trait Content: PartialEq {
    /// Its id.
    type Id: Copy + fmt::Debug + PartialEq + Into<Uuid>;
    /// Its states.
    type State: State;
    /// Path of the state in a pushed record.
    const STATE_FIELD: &'static str;

    /// Where it stands.
    fn state(&self) -> Self::State;

    /// Whether a code of a catalogue is its own already, in the field of this path in a pushed record. Kinds without such
    /// codes have none.
    fn has_code(&self, _field: &str, _code: &str) -> bool {
        false
    }

    /// A new id.
    fn new_id(ids: &IdSource) -> Self::Id;

    /// Resource name of a record of this kind.
    fn name(operator: OperatorId, id: Self::Id) -> String;
}

/// A record about a person, whom it names by reference.
pub trait About: Content {
    /// All but the person.
    type Rest;
    /// Path of the person's reference in a pushed record.
    const PERSON_FIELD: &'static str;

    /// The whole.
    fn about(person: BeneficiaryId, rest: Self::Rest) -> Self;
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<C: Content> {
    /// Convention it falls under, and by its name the operator whose record it is.
    pub convention: ConventionName,
    /// Its id.
    pub id: C::Id,
    /// The operator's own reference.
    pub reference: Reference,
    /// The operator's own version.
    pub version: i64,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was created.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
    /// What it says.
    pub content: C,
}

impl<C: Content> Record<C> {
    /// Resource name.
    pub fn name(&self) -> String {
        C::name(self.convention.operator, self.id)
    }
}

/// Stored records that are about to change, column by column, in the order of their ids.
pub struct Changed<'a> {
    /// Their ids.
    pub ids: Vec<Uuid>,
    /// Their references.
    pub references: Vec<&'a str>,
    /// The revisions that they are to have: each the one after what is stored.
    pub revisions: Vec<i64>,
}

impl<'a> Changed<'a> {
    /// Those records.
    pub fn of<C: Content>(records: &'a [Record<C>]) -> Self {
        let mut rows: Vec<(Uuid, &Record<C>)> = records
            .iter()
            .map(|record| (record.id.into(), record))
            .collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        Self {
            ids: rows.iter().map(|(id, _)| *id).collect(),
            references: rows
                .iter()
                .map(|(_, record)| record.reference.as_str())
                .collect(),
            revisions: rows.iter().map(|(_, record)| record.revision).collect(),
        }
    }
}

/// A pushed record as far as it could be read, with every fault found.
#[derive(Clone, Debug)]
pub struct Candidate<C: Content> {
    /// Its place in the batch, from 0.
    pub place: usize,
    /// Reference, when it is one.
    pub reference: Option<Reference>,
    /// Version.
    pub version: i64,
    /// State, when it was readable.
    pub state: Option<C::State>,
    /// Content, when all of it was readable: with the codes in doubt, which the faults name.
    pub content: Option<C>,
    /// What is kept apart from the content changes with it.
    pub differs_apart: bool,
    /// What is wrong.
    pub faults: Faults,
}

/// The faults of one record, all of them, and its doubts: codes that no catalogue has on the day of the record, and that are a
/// fault unless the record has them already. What a catalogue no longer has breaks no record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Fault>);

#[derive(Clone, Debug, PartialEq)]
struct Fault {
    violation: Violation,
    /// The code in doubt; `None`: wrong, whatever is stored.
    doubt: Option<String>,
}

impl Faults {
    /// Notes a fault, unless the field has one already: the first is enough to act on.
    pub fn refuse(&mut self, field: impl Into<String>, invalid: Invalid) {
        self.note(field.into(), invalid, None);
    }

    /// Notes a code that is in no list, or not on that day (`UNKNOWN_CODE`): settled when what is stored is known.
    pub fn doubt(&mut self, field: impl Into<String>, code: &str) {
        self.note(field.into(), codes::unknown(), Some(code.to_owned()));
    }

    fn note(&mut self, field: String, invalid: Invalid, doubt: Option<String>) {
        if !self.0.iter().any(|known| known.violation.field == field) {
            self.0.push(Fault {
                violation: Violation::at(field, invalid),
                doubt,
            });
        }
    }

    /// Drops the doubts of which the stored record, told field and code, knows.
    pub fn settle(&mut self, knows: impl Fn(&str, &str) -> bool) {
        self.0.retain(|fault| {
            let code = fault.doubt.as_deref();
            code.is_none_or(|code| !knows(&fault.violation.field, code))
        });
    }

    /// Takes a value, or notes why there is none.
    pub fn take<T>(&mut self, field: &str, value: Result<T, Invalid>) -> Option<T> {
        value.map_err(|invalid| self.refuse(field, invalid)).ok()
    }

    /// Takes a value that must be there: its absence is a fault too.
    pub fn need<T>(&mut self, field: &str, value: Result<Option<T>, Invalid>) -> Option<T> {
        self.take(field, value.and_then(|value| value.ok_or_else(required)))
    }

    /// Nothing is wrong, though codes may be in doubt.
    pub fn is_readable(&self) -> bool {
        self.0.iter().all(|fault| fault.doubt.is_some())
    }

    /// Nothing is wrong nor in doubt.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn into_violations(self) -> Vec<Violation> {
        let violations = self.0.into_iter().map(|fault| fault.violation);
        violations.collect()
    }
}

/// A statement on a batch of records that did not reach all of them was overtaken by another transaction.
pub(crate) fn only_all(reached: u64, records: usize) -> Result<(), Error> {
    if u64::try_from(records) == Ok(reached) {
        Ok(())
    } else {
        Err(Error::Conflict(sqlx::Error::RowNotFound))
    }
}

/// A stored value that its own type refuses: damage, since rows are written by this program only.
pub(crate) fn damage(invalid: Invalid) -> Error {
    Error::Damaged(invalid.to_string())
}

/// Reads a text on one line: at most `max` characters once trimmed; empty: not known. Refused with `TEXT_TOO_LONG`,
/// `TEXT_INVALID` (control characters), `NIR_FORBIDDEN`.
pub(crate) fn line(text: &str, max: usize) -> Result<String, Invalid> {
    let text = text.trim();
    if text.chars().count() > max {
        return Err(Invalid::new(
            "TEXT_TOO_LONG",
            format!("at most {max} characters are accepted"),
            format!("{max} caractères au plus sont acceptés : abrégez"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(
            "TEXT_INVALID",
            "the text holds control characters",
            "le texte contient des caractères de contrôle : retirez-les (retours à la ligne compris)",
        ));
    }
    screen(text)?;
    Ok(text.to_owned())
}

/// `REQUIRED`.
pub(crate) fn required() -> Invalid {
    Invalid::new(
        "REQUIRED",
        "this field is needed",
        "ce champ est obligatoire : renseignez-le",
    )
}

/// `DATE_IN_FUTURE`.
pub(crate) fn in_future() -> Invalid {
    Invalid::new(
        "DATE_IN_FUTURE",
        "this day lies in the future",
        "cette date est dans l'avenir : indiquez un jour déjà passé, ou celui d'aujourd'hui",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_are_short_texts_without_social_security_number() {
        for good in ["1", "B-0001", "é".repeat(MAX_REFERENCE).as_str(), " 1"] {
            assert_eq!(good.parse::<Reference>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "  ",
            "a\0b",
            "a\nb",
            "é".repeat(MAX_REFERENCE + 1).as_str(),
            "1 85 02 62 263 001 42",
        ] {
            assert_eq!(
                bad.parse::<Reference>().unwrap_err().reason,
                "REFERENCE_INVALID"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_kept_as_it_is_or_refused(text in "\\PC{0,120}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
