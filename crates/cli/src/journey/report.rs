//! What a step did, for people.

use nonrecours_rpc::details::Details;
use time::OffsetDateTime;

/// One step as it went.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it was, in French.
    pub title: &'static str,
    /// When, by the suite's clock.
    pub time: OffsetDateTime,
    /// What happened, a sentence a line.
    pub lines: Vec<String>,
}

impl Report {
    pub(super) fn new(title: &'static str, time: OffsetDateTime) -> Self {
        Self {
            title,
            time,
            lines: Vec::new(),
        }
    }

    pub(super) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A refusal with every blocker and every wrong field.
    pub(super) fn refusal(mut self, details: &Details) -> Self {
        self.lines
            .push(format!("refus {} : {}", details.reason, details.french));
        for blocker in &details.blockers {
            self.lines
                .push(format!("  • {} — {}", blocker.r#type, blocker.description));
        }
        for violation in &details.violations {
            let french = violation
                .localized_message
                .as_ref()
                .map_or("", |text| &text.message);
            self.lines
                .push(format!("  • {} — {french}", violation.field));
        }
        self
    }
}
