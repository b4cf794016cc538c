//! How a value is refused, or accepted with a remark.

use std::borrow::Cow;

/// One sentence in the two languages of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// For logs and for the people who integrate the API.
    pub en: Cow<'static, str>,
    /// For the agents who use the service: says what to do, not only what is wrong.
    pub fr: Cow<'static, str>,
}

impl Text {
    /// Pairs the English sentence with the French one.
    pub fn new(en: impl Into<Cow<'static, str>>, fr: impl Into<Cow<'static, str>>) -> Self {
        Self {
            en: en.into(),
            fr: fr.into(),
        }
    }
}

/// What is wrong with one value, before anybody knows which field it came from.
///
/// Displays the English sentence. Also used for a remark on a value that is accepted: it then
/// becomes a [`Warning`] where it would have become a [`Violation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text.en)]
pub struct Invalid {
    /// Stable machine reason in `SCREAMING_SNAKE_CASE`.
    pub reason: &'static str,
    /// The sentence for people.
    pub text: Text,
}

impl Invalid {
    /// Builds a refusal from its machine reason and its two sentences.
    pub fn new(
        reason: &'static str,
        en: impl Into<Cow<'static, str>>,
        fr: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            reason,
            text: Text::new(en, fr),
        }
    }
}

/// A refused field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path from the root of the request, e.g. `convention.grant.amount` or `records[3].siret`.
    pub field: String,
    /// Stable machine reason in `SCREAMING_SNAKE_CASE`.
    pub reason: String,
    /// The sentence for people.
    pub text: Text,
}

impl Violation {
    /// Places a refusal at a field path.
    pub fn at(field: impl Into<String>, invalid: Invalid) -> Self {
        Self {
            field: field.into(),
            reason: invalid.reason.to_owned(),
            text: invalid.text,
        }
    }
}

/// A remark on a field that was accepted: something a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Path from the root of the request.
    pub field: String,
    /// Stable machine reason in `SCREAMING_SNAKE_CASE`.
    pub reason: &'static str,
    /// The sentence for people.
    pub text: Text,
}

impl Warning {
    /// Places a remark at a field path.
    pub fn at(field: impl Into<String>, remark: Invalid) -> Self {
        Self {
            field: field.into(),
            reason: remark.reason,
            text: remark.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_reason_and_sentences_when_it_gets_a_field() {
        let invalid = Invalid::new("TOO_LONG", "too long", "trop long");
        assert_eq!(invalid.to_string(), "too long");
        let violation = Violation::at("a.b", invalid.clone());
        assert_eq!(violation.field, "a.b");
        assert_eq!(violation.reason, "TOO_LONG");
        assert_eq!(violation.text.fr, "trop long");
        let warning = Warning::at("a.b", invalid);
        assert_eq!(
            (warning.field.as_str(), warning.reason),
            ("a.b", "TOO_LONG")
        );
        assert_eq!(warning.text, violation.text);
    }
}
