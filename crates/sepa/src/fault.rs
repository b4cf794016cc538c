//! Where a bank's file cannot be read further, and why.

use nonrecours_kernel::Text;

use crate::{
    reader::MAX_ITEMS,
    scanner::{MAX_DEPTH, MAX_TEXT, MAX_TOKEN},
};

/// Why a file cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not well-formed XML, or not in UTF-8.
    Malformed,
    /// It ends before it is finished.
    Truncated,
    /// It has a document type, which no such file needs and which can be made to harm its reader.
    Doctype,
    /// It refers to an entity that is not one of XML's own.
    Entity,
    /// More than [`MAX_DEPTH`] elements inside one another.
    TooDeep,
    /// A tag, comment or stretch of text above [`MAX_TOKEN`] bytes.
    TokenTooLong,
    /// A value above [`MAX_TEXT`] characters.
    TextTooLong,
    /// More than [`MAX_ITEMS`] statements.
    TooManyItems,
    /// Another kind of file.
    Unknown,
    /// A value that cannot be understood: a date, an amount, a code.
    BadValue,
    /// The source of the bytes failed.
    Source,
}

/// Where a file cannot be read further, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {position}, {path}: {}", problem.text().en)]
pub struct Fault {
    /// How many bytes were read.
    pub position: u64,
    /// Path of the element, such as `Document/BkToCstmrStmt/Stmt/Ntry`.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

impl Problem {
    /// Machine reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "XML_MALFORMED",
            Self::Truncated => "XML_TRUNCATED",
            Self::Doctype => "XML_DOCTYPE",
            Self::Entity => "XML_ENTITY",
            Self::TooDeep => "XML_TOO_DEEP",
            Self::TokenTooLong => "XML_TOKEN_TOO_LONG",
            Self::TextTooLong => "XML_VALUE_TOO_LONG",
            Self::TooManyItems => "BANK_FILE_TOO_LONG",
            Self::Unknown => "BANK_FILE_UNKNOWN",
            Self::BadValue => "BANK_FILE_VALUE",
            Self::Source => "SOURCE",
        }
    }

    /// In words.
    pub fn text(self) -> Text {
        match self {
            Self::Malformed => Text::new(
                "not well-formed XML in UTF-8",
                "Le fichier n'est pas du XML bien formé en UTF-8 : demandez-le à nouveau à la banque.",
            ),
            Self::Truncated => Text::new(
                "the file ends before it is finished",
                "Le fichier est incomplet : téléchargez-le à nouveau.",
            ),
            Self::Doctype => Text::new(
                "a document type is not accepted",
                "Le fichier déclare un type de document, ce qui n'est pas accepté.",
            ),
            Self::Entity => Text::new(
                "an entity is not one of XML's own",
                "Le fichier utilise une entité inconnue, ce qui n'est pas accepté.",
            ),
            Self::TooDeep => Text::new(
                format!("more than {MAX_DEPTH} elements inside one another"),
                format!("Plus de {MAX_DEPTH} éléments sont imbriqués."),
            ),
            Self::TokenTooLong => Text::new(
                format!("a tag or text above {MAX_TOKEN} bytes"),
                format!("Une balise ou un texte dépasse {MAX_TOKEN} octets."),
            ),
            Self::TextTooLong => Text::new(
                format!("a value above {MAX_TEXT} characters"),
                format!("Une valeur dépasse {MAX_TEXT} caractères."),
            ),
            Self::TooManyItems => Text::new(
                format!("more than {MAX_ITEMS} statements"),
                format!(
                    "Le fichier porte plus de {MAX_ITEMS} opérations : demandez un relevé plus court."
                ),
            ),
            Self::Unknown => Text::new(
                "another kind of file: pain.002, camt.053 or camt.054 is expected",
                "Ce fichier n'est ni un pain.002, ni un camt.053, ni un camt.054.",
            ),
            Self::BadValue => Text::new(
                "a value cannot be understood",
                "Une valeur est illisible (date, montant ou code).",
            ),
            Self::Source => Text::new(
                "the source of the bytes failed",
                "La lecture du fichier a été interrompue : recommencez.",
            ),
        }
    }
}
