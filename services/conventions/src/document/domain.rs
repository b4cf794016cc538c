//! Documents, and what each kind is about.

use nonrecours_kernel::{
    ActivityReportName, AmendmentName, ConventionName, DecisionName, Digest, DocumentName,
    FormalNoticeName, Invalid,
};
use time::OffsetDateTime;

/// A document, as it was written: never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Resource name.
    pub name: DocumentName,
    /// What it is about, and so its kind.
    pub subject: Subject,
    /// Counts the documents of that kind about that subject from 1.
    pub version: i32,
    /// Of its data.
    pub data: Digest,
    /// Of its bytes.
    pub content: Digest,
    /// Of its bytes.
    pub size: i64,
    /// Subject of the token that asked for it.
    pub created_by: String,
    /// When it was written.
    pub create_time: OffsetDateTime,
}

/// Kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The convention itself.
    Convention,
    /// État des sommes versées.
    StatementOfPayments,
    /// Mise en demeure.
    FormalNotice,
    /// Décision.
    Decision,
    /// Bilan.
    ActivityReport,
    /// Avenant.
    Amendment,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Convention,
        Self::StatementOfPayments,
        Self::FormalNotice,
        Self::Decision,
        Self::ActivityReport,
        Self::Amendment,
    ];

    /// Its name in the database, in the contract and for the typesetting program.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Convention => "CONVENTION",
            Self::StatementOfPayments => "STATEMENT_OF_PAYMENTS",
            Self::FormalNotice => "FORMAL_NOTICE",
            Self::Decision => "DECISION",
            Self::ActivityReport => "ACTIVITY_REPORT",
            Self::Amendment => "AMENDMENT",
        }
    }
}

/// What a document is about: each kind has its own sort of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The convention, as it reads.
    Convention(ConventionName),
    /// The convention, as it is paid.
    StatementOfPayments(ConventionName),
    /// A formal notice.
    FormalNotice(FormalNoticeName),
    /// A decision.
    Decision(DecisionName),
    /// An activity report.
    ActivityReport(ActivityReportName),
    /// An amendment.
    Amendment(AmendmentName),
}

impl Subject {
    /// The subject of a document of that kind under that convention. Refused with `RESOURCE_NAME_INVALID` or
    /// `SUBJECT_ELSEWHERE`.
    pub fn read(kind: Kind, text: &str, convention: &ConventionName) -> Result<Self, Invalid> {
        let subject = Self::of(kind, text)?;
        if subject.convention() == *convention {
            return Ok(subject);
        }
        Err(Invalid::new(
            "SUBJECT_ELSEWHERE",
            "the subject is not under this convention",
            "Cet objet ne relève pas de la convention indiquée.",
        ))
    }

    /// The subject of that name. Refused with `RESOURCE_NAME_INVALID` unless it is what the kind is about.
    pub fn of(kind: Kind, text: &str) -> Result<Self, Invalid> {
        Ok(match kind {
            Kind::Convention => Self::Convention(text.parse()?),
            Kind::StatementOfPayments => Self::StatementOfPayments(text.parse()?),
            Kind::FormalNotice => Self::FormalNotice(text.parse()?),
            Kind::Decision => Self::Decision(text.parse()?),
            Kind::ActivityReport => Self::ActivityReport(text.parse()?),
            Kind::Amendment => Self::Amendment(text.parse()?),
        })
    }

    /// The kind of its documents.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Convention(_) => Kind::Convention,
            Self::StatementOfPayments(_) => Kind::StatementOfPayments,
            Self::FormalNotice(_) => Kind::FormalNotice,
            Self::Decision(_) => Kind::Decision,
            Self::ActivityReport(_) => Kind::ActivityReport,
            Self::Amendment(_) => Kind::Amendment,
        }
    }

    /// The convention it is under.
    pub const fn convention(&self) -> ConventionName {
        match self {
            Self::Convention(name) | Self::StatementOfPayments(name) => *name,
            Self::FormalNotice(name) => name.parent(),
            Self::Decision(name) => name.parent(),
            Self::ActivityReport(name) => name.parent(),
            Self::Amendment(name) => name.parent(),
        }
    }

    /// Its resource name.
    pub fn name(&self) -> String {
        match self {
            Self::Convention(name) | Self::StatementOfPayments(name) => name.to_string(),
            Self::FormalNotice(name) => name.to_string(),
            Self::Decision(name) => name.to_string(),
            Self::ActivityReport(name) => name.to_string(),
            Self::Amendment(name) => name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198b2e6-c000-7abc-8def-0123456789ab";
    const OTHER: &str = "0198b2e6-c000-7abc-8def-0123456789ac";

    #[test]
    fn each_kind_has_its_own_sort_of_subject() {
        let convention = format!("operators/{ID}/conventions/{ID}");
        let names = [
            convention.clone(),
            format!("{convention}/formalNotices/{OTHER}"),
            format!("{convention}/decisions/{OTHER}"),
            format!("{convention}/activityReports/{OTHER}"),
            format!("{convention}/amendments/{OTHER}"),
        ];
        let parent = convention.parse().unwrap();
        for kind in Kind::ALL {
            let read = |name: &String| Subject::read(kind, name, &parent);
            let subjects: Vec<_> = names.iter().filter_map(|name| read(name).ok()).collect();
            let [subject] = subjects[..] else {
                panic!("{kind:?}: {subjects:?}")
            };
            assert_eq!(subject.kind(), kind);
            assert_eq!(Subject::of(kind, &subject.name()), Ok(subject));
            let elsewhere = subject.name().replace(
                &format!("conventions/{ID}"),
                &format!("conventions/{OTHER}"),
            );
            assert_eq!(read(&elsewhere).unwrap_err().reason, "SUBJECT_ELSEWHERE");
        }
    }
}
