//! What an attachment is about.

use std::{fmt, str::FromStr};

use nonrecours_kernel::{
    ActName, ActivityReportName, AmendmentName, BudgetName, CommitmentName, ConventionName,
    DecisionName, DisputeName, DocumentName, FormalNoticeName, HearingName, InspectionName,
    Invalid,
};
use uuid::Uuid;

/// A convention, or something under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The convention as a whole.
    Convention(ConventionName),
    /// An authorising act.
    Act(ActName),
    /// An activity report.
    ActivityReport(ActivityReportName),
    /// An amendment.
    Amendment(AmendmentName),
    /// The budget.
    Budget(BudgetName),
    /// A commitment.
    Commitment(CommitmentName),
    /// A decision.
    Decision(DecisionName),
    /// A dispute.
    Dispute(DisputeName),
    /// A document that the suite wrote: the copy that was signed, for one.
    Document(DocumentName),
    /// A formal notice.
    FormalNotice(FormalNoticeName),
    /// A hearing.
    Hearing(HearingName),
    /// An inspection.
    Inspection(InspectionName),
}

impl Subject {
    /// The subject under that convention; nothing written stands for the convention itself. Refused with
    /// `RESOURCE_NAME_INVALID` or `SUBJECT_ELSEWHERE`.
    pub fn read(text: &str, convention: &ConventionName) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self::Convention(*convention));
        }
        let subject: Self = text.parse()?;
        if subject.convention() == *convention {
            return Ok(subject);
        }
        Err(Invalid::new(
            "SUBJECT_ELSEWHERE",
            "the subject is not under this convention",
            "Cet objet ne relève pas de la convention indiquée.",
        ))
    }

    /// The convention it is under.
    pub const fn convention(&self) -> ConventionName {
        match self {
            Self::Convention(name) => *name,
            Self::Act(name) => name.parent(),
            Self::ActivityReport(name) => name.parent(),
            Self::Amendment(name) => name.parent(),
            Self::Budget(name) => name.parent(),
            Self::Commitment(name) => name.parent(),
            Self::Decision(name) => name.parent(),
            Self::Dispute(name) => name.parent(),
            Self::Document(name) => name.parent(),
            Self::FormalNotice(name) => name.parent(),
            Self::Hearing(name) => name.parent(),
            Self::Inspection(name) => name.parent(),
        }
    }

    /// Its table, and its own id in it: none for what a convention has once.
    pub const fn row(&self) -> (&'static str, Option<Uuid>) {
        match self {
            Self::Convention(_) => ("convention", None),
            Self::Act(name) => ("act", Some(name.act.uuid())),
            Self::ActivityReport(name) => ("activity_report", Some(name.activity_report.uuid())),
            Self::Amendment(name) => ("amendment", Some(name.amendment.uuid())),
            Self::Budget(_) => ("budget", None),
            Self::Commitment(name) => ("commitment", Some(name.commitment.uuid())),
            Self::Decision(name) => ("decision", Some(name.decision.uuid())),
            Self::Dispute(name) => ("dispute", Some(name.dispute.uuid())),
            Self::Document(name) => ("document", Some(name.document.uuid())),
            Self::FormalNotice(name) => ("formal_notice", Some(name.formal_notice.uuid())),
            Self::Hearing(name) => ("hearing", Some(name.hearing.uuid())),
            Self::Inspection(name) => ("inspection", Some(name.inspection.uuid())),
        }
    }
}

impl FromStr for Subject {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .map(Self::Convention)
            .or_else(|_| text.parse().map(Self::Act))
            .or_else(|_| text.parse().map(Self::ActivityReport))
            .or_else(|_| text.parse().map(Self::Amendment))
            .or_else(|_| text.parse().map(Self::Budget))
            .or_else(|_| text.parse().map(Self::Commitment))
            .or_else(|_| text.parse().map(Self::Decision))
            .or_else(|_| text.parse().map(Self::Dispute))
            .or_else(|_| text.parse().map(Self::Document))
            .or_else(|_| text.parse().map(Self::FormalNotice))
            .or_else(|_| text.parse().map(Self::Hearing))
            .or_else(|_| text.parse().map(Self::Inspection))
            .map_err(|_: Invalid| {
                Invalid::new(
                    "RESOURCE_NAME_INVALID",
                    "neither a convention nor something under it that takes attachments",
                    "Ce nom n'est ni celui d'une convention, ni celui d'un de ses actes, avenants, bilans, engagements, \
                     mises en demeure, contrôles, auditions, décisions, litiges, documents ou de son budget.",
                )
            })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convention(name) => name.fmt(f),
            Self::Act(name) => name.fmt(f),
            Self::ActivityReport(name) => name.fmt(f),
            Self::Amendment(name) => name.fmt(f),
            Self::Budget(name) => name.fmt(f),
            Self::Commitment(name) => name.fmt(f),
            Self::Decision(name) => name.fmt(f),
            Self::Dispute(name) => name.fmt(f),
            Self::Document(name) => name.fmt(f),
            Self::FormalNotice(name) => name.fmt(f),
            Self::Hearing(name) => name.fmt(f),
            Self::Inspection(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVENTION: &str = "operators/01980000-0000-7000-8000-000000000001/conventions/\
                              01980000-0000-7000-8000-000000000002";
    const ID: &str = "01980000-0000-7000-8000-000000000003";

    #[test]
    fn each_is_written_as_it_was_read_and_names_its_convention() {
        let convention: ConventionName = CONVENTION.parse().unwrap();
        let below = [
            "acts",
            "activityReports",
            "amendments",
            "commitments",
            "decisions",
            "disputes",
            "documents",
            "formalNotices",
            "hearings",
            "inspections",
        ];
        let below = below.map(|collection| format!("{CONVENTION}/{collection}/{ID}"));
        let once = [CONVENTION.to_owned(), format!("{CONVENTION}/budget")];
        let mut tables = std::collections::BTreeSet::new();
        for text in below.iter().chain(&once) {
            let subject = Subject::read(text, &convention).unwrap();
            assert_eq!(subject.to_string(), *text);
            let (table, id) = subject.row();
            assert_eq!(id.is_some(), text.ends_with(ID), "{text}");
            assert!(tables.insert(table));
        }
        let whole = Subject::read("", &convention).unwrap();
        assert_eq!(whole, Subject::Convention(convention));
    }

    #[test]
    fn another_convention_and_another_thing_are_refused() {
        let convention: ConventionName = CONVENTION.parse().unwrap();
        let reason = |text: &str| Subject::read(text, &convention).unwrap_err().reason;
        let other = CONVENTION.replace("0002", "0009");
        assert_eq!(reason(&other), "SUBJECT_ELSEWHERE");
        assert_eq!(reason(&format!("{other}/acts/{ID}")), "SUBJECT_ELSEWHERE");
        for wrong in [
            "x".to_owned(),
            format!("{CONVENTION}/paymentPlan"),
            format!("{CONVENTION}/attachments/{ID}"),
        ] {
            assert_eq!(reason(&wrong), "RESOURCE_NAME_INVALID");
        }
    }
}
