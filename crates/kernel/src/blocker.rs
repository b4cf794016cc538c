//! What stands in the way of a step.

use std::borrow::Cow;

use crate::invalid::Text;

/// Something that stands in the way of a step and that a person can lift.
///
/// Collected, not thrown: whoever asks for the step gets all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Stable machine reason in `SCREAMING_SNAKE_CASE`.
    pub reason: &'static str,
    /// What is in the way: a resource name or a field path.
    pub subject: String,
    /// What to do about it.
    pub text: Text,
}

impl Blocker {
    /// Builds a blocker from its reason, its subject and its two sentences.
    pub fn new(
        reason: &'static str,
        subject: impl Into<String>,
        en: impl Into<Cow<'static, str>>,
        fr: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            reason,
            subject: subject.into(),
            text: Text::new(en, fr),
        }
    }
}
