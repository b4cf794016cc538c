//! What was found, and how it is told.

use std::fmt::Write as _;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Well,
    /// Could not be looked at, or should be looked at otherwise.
    Unknown,
    /// Goes on for now.
    Warning,
    /// Does not work, or is not safe.
    Fault,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The service.
    pub service: &'static str,
    /// What was looked at, in a word.
    pub subject: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found, in French.
    pub says: String,
    /// What to do, in French; empty when there is nothing to do.
    pub advice: String,
}

/// Findings about one service.
pub struct Findings {
    service: &'static str,
    found: Vec<Finding>,
}

impl Findings {
    /// None yet.
    pub(super) fn of(service: &'static str) -> Self {
        Self {
            service,
            found: Vec::new(),
        }
    }

    pub(super) fn into_inner(self) -> Vec<Finding> {
        self.found
    }

    pub(super) fn well(&mut self, subject: &'static str, says: impl Into<String>) {
        self.add(subject, Level::Well, says, "");
    }

    pub(super) fn add(
        &mut self,
        subject: &'static str,
        level: Level,
        says: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.found.push(Finding {
            service: self.service,
            subject,
            level,
            says: says.into(),
            advice: advice.into(),
        });
    }
}

/// The findings as they are read, and whether none is a fault.
pub fn report(findings: &[Finding]) -> (String, bool) {
    let mut text = String::new();
    let mut service = "";
    for finding in findings {
        if finding.service != service {
            service = finding.service;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{service}");
        }
        let mark = match finding.level {
            Level::Well => "✓",
            Level::Unknown => "?",
            Level::Warning => "!",
            Level::Fault => "✗",
        };
        let _ = writeln!(text, "  {mark} {} : {}", finding.subject, finding.says);
        if !finding.advice.is_empty() {
            let _ = writeln!(text, "    → {}", finding.advice);
        }
    }
    let count = |level| findings.iter().filter(|found| found.level == level).count();
    let (faults, warnings) = (count(Level::Fault), count(Level::Warning));
    let _ = match (faults, warnings) {
        (0, 0) => writeln!(text, "Tout va bien."),
        _ => writeln!(text, "{faults} défaut(s), {warnings} avertissement(s)."),
    };
    (text, faults == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_to_do_and_decides_the_verdict() {
        let mut findings = Findings::of("payments");
        findings.well("horloge", "à 0 s de celle de la base");
        let (text, well) = report(&findings.found);
        assert!(well && text.ends_with("Tout va bien.\n"), "{text}");
        findings.add("disque", Level::Warning, "8 % libres", "Agrandissez-le.");
        assert!(report(&findings.found).1, "a warning is no fault");
        findings.add("base", Level::Fault, "injoignable", "Démarrez-la.");
        let (text, well) = report(&findings.found);
        assert!(!well);
        assert!(
            text.contains("  ✗ base : injoignable\n    → Démarrez-la.\n"),
            "{text}"
        );
        assert!(
            text.ends_with("1 défaut(s), 1 avertissement(s).\n"),
            "{text}"
        );
    }
}
