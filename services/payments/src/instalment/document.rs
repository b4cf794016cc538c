//! The documents that justify a payment (pièces justificatives), and which ones it needs.

use nonrecours_kernel::{ConventionId, Digest};
use uuid::Uuid;

use super::Refusal;
use crate::known_file::FileName;

/// Documents of one instalment at most.
pub const MAX_DOCUMENTS: usize = 40;
/// Longest name of a document in the accountant's files, in characters.
const MAX_NAME: usize = nonrecours_pes::MAX_DOCUMENT_NAME;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// Décision qui autorise la convention.
    Act,
    /// Convention signée.
    Convention,
    /// Appel de fonds.
    Call,
    /// RIB.
    Rib,
    /// Bilan.
    Report,
    /// État des sommes versées.
    Statement,
    /// Anything else.
    Other,
}

/// A document of an instalment. Its file is kept by `conventions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportingDocument {
    /// What it is.
    pub kind: DocumentKind,
    /// Where it is.
    pub source: Source,
    /// Name of the file.
    pub file_name: String,
    /// Digest of its bytes; of a statement drawn from the books, of its message.
    pub digest: Digest,
    /// Whether its file was withdrawn: it counts no more.
    pub withdrawn: bool,
}

/// Where a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a file of `conventions`.
    File(FileName),
    /// In the books, as of the certification.
    Books(Uuid),
}

/// What the accountant of a programme wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Of the first payment of a convention.
    pub first: Vec<DocumentKind>,
    /// Of each later one.
    pub later: Vec<DocumentKind>,
}

impl Default for Requirements {
    /// Those of the nomenclature (décret n° 2016-33, annexe I du CGCT): what a programme asks for unless it says otherwise.
    fn default() -> Self {
        use DocumentKind::{Act, Call, Convention, Report, Rib, Statement};
        Self {
            first: vec![Act, Convention, Call, Rib],
            later: vec![Call, Report, Statement],
        }
    }
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Act,
        Self::Convention,
        Self::Call,
        Self::Rib,
        Self::Report,
        Self::Statement,
        Self::Other,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Act => "ACT",
            Self::Convention => "CONVENTION",
            Self::Call => "CALL",
            Self::Rib => "RIB",
            Self::Report => "REPORT",
            Self::Statement => "STATEMENT",
            Self::Other => "OTHER",
        }
    }

    /// Reads [`DocumentKind::code`].
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// In English and in French, in the middle of a sentence.
    pub const fn called(self) -> (&'static str, &'static str) {
        match self {
            Self::Act => ("the authorising act", "la délibération"),
            Self::Convention => ("the signed convention", "la convention signée"),
            Self::Call => ("the written call for funds", "l'appel de fonds écrit"),
            Self::Rib => ("the RIB of the account", "le RIB du compte"),
            Self::Report => ("the activity report", "le bilan des actions"),
            Self::Statement => (
                "the statement of sums paid",
                "l'état des sommes déjà versées",
            ),
            Self::Other => ("another document", "une autre pièce"),
        }
    }
}

impl SupportingDocument {
    /// Its own id: that of its file.
    pub const fn id(&self) -> Uuid {
        match self.source {
            Source::File(name) => name.id(),
            Source::Books(id) => id,
        }
    }

    /// The convention that its file is under.
    pub const fn convention(&self) -> Option<ConventionId> {
        match self.source {
            Source::File(name) => Some(name.convention().convention),
            Source::Books(_) => None,
        }
    }

    /// How the accountant knows it (`PJRef/IdUnique`): 32 hexadecimal digits.
    pub fn reference(&self) -> String {
        self.id().simple().to_string()
    }

    /// As the accountant's file names it: a long name keeps its end, which says what the file is.
    pub fn listed(&self) -> nonrecours_pes::Document {
        let excess = self.file_name.chars().count().saturating_sub(MAX_NAME);
        nonrecours_pes::Document {
            id: self.reference(),
            name: self.file_name.chars().skip(excess).collect(),
        }
    }
}

/// In the order in which they are read: by kind, then as they came to be.
pub fn sort(documents: &mut [SupportingDocument]) {
    documents.sort_by_key(|document| (document.kind, document.id()));
}

/// Adds documents to others, each once.
pub fn attach(
    mut documents: Vec<SupportingDocument>,
    added: Vec<SupportingDocument>,
) -> Result<Vec<SupportingDocument>, Refusal> {
    for document in added {
        let same =
            |one: &SupportingDocument| one.kind == document.kind && one.id() == document.id();
        if !documents.iter().any(same) {
            documents.push(document);
        }
    }
    if documents.len() > MAX_DOCUMENTS {
        return Err(Refusal::TooManyDocuments);
    }
    sort(&mut documents);
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instalment::fixtures::document;

    #[test]
    fn a_document_is_there_once() {
        let documents = attach(
            vec![document(DocumentKind::Act)],
            vec![document(DocumentKind::Act)],
        );
        assert_eq!(documents, Ok(vec![document(DocumentKind::Act)]));
        let many = |count: u128| {
            let other = |id| SupportingDocument {
                source: Source::Books(Uuid::from_u128(id)),
                ..document(DocumentKind::Other)
            };
            (1..=count).map(other).collect()
        };
        assert_eq!(attach(many(40), Vec::new()).unwrap().len(), MAX_DOCUMENTS);
        assert_eq!(attach(many(40), many(41)), Err(Refusal::TooManyDocuments));
    }

    #[test]
    fn the_accountant_reads_a_name_that_fits_and_its_ending() {
        let long = SupportingDocument {
            file_name: format!("{}.pdf", "é".repeat(200)),
            ..document(DocumentKind::Act)
        };
        let listed = long.listed();
        assert_eq!(listed.name.chars().count(), MAX_NAME);
        assert!(listed.name.ends_with("é.pdf"));
        assert_eq!(listed.id.len(), 32);
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in DocumentKind::ALL {
            assert_eq!(DocumentKind::of(kind.code()), Some(kind));
            let (en, fr) = kind.called();
            assert!(!en.is_empty() && !fr.is_empty());
        }
        assert_eq!(DocumentKind::of("LETTER"), None);
    }
}
