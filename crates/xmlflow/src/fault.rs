//! Where a file cannot be read further, and why.

use nonrecours_kernel::{Invalid, Text, Violation};

use crate::scanner::{MAX_ATTRIBUTES, MAX_DEPTH, MAX_TOKEN, MAX_VALUE};

/// Most statements taken from one file; a year of a large city is some ten thousand.
pub const MAX_ITEMS: usize = 500_000;

/// Why a file cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not well-formed XML.
    Malformed,
    /// It ends before it is finished.
    Truncated,
    /// It has a document type, which no such file needs and which can be made to harm its reader.
    Doctype,
    /// It refers to an entity that is not one of XML's own.
    Entity,
    /// It declares a character set other than ISO-8859-1, ISO-8859-15 or UTF-8, or does not keep to it.
    Encoding,
    /// More than [`MAX_DEPTH`] elements inside one another.
    TooDeep,
    /// A tag, comment or text above [`MAX_TOKEN`] bytes.
    TokenTooLong,
    /// More than [`MAX_ATTRIBUTES`] on one element.
    TooManyAttributes,
    /// A value above [`MAX_VALUE`] characters.
    ValueTooLong,
    /// More than [`MAX_ITEMS`] statements.
    TooManyItems,
    /// Another kind of file.
    Unknown,
    /// An element without what it must say, or before what it depends on.
    Incomplete,
    /// A value that cannot be understood: a date, an amount, a number, a code.
    BadValue,
    /// The source of the bytes failed.
    Source,
}

/// Where a file cannot be read further, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {path}: {}", problem.text().en)]
pub struct Fault {
    /// Line from 1, where the element in question ends.
    pub line: u64,
    /// Path of the element, such as `PES_ACQUIT/ACQUIT/ElementACQUIT`.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

impl Fault {
    /// The fault as one of a field of a request.
    pub fn violation(&self, field: &str) -> Violation {
        let text = self.problem.text();
        let (line, path) = (self.line, &self.path);
        let invalid = Invalid::new(
            self.problem.reason(),
            format!("Line {line}, {path}: {}", text.en),
            format!("Ligne {line}, {path} : {}", text.fr),
        );
        Violation::at(field, invalid)
    }
}

impl Problem {
    /// Machine reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "XML_MALFORMED",
            Self::Truncated => "XML_TRUNCATED",
            Self::Doctype => "XML_DOCTYPE",
            Self::Entity => "XML_ENTITY",
            Self::Encoding => "XML_ENCODING",
            Self::TooDeep => "XML_TOO_DEEP",
            Self::TokenTooLong => "XML_TOKEN_TOO_LONG",
            Self::TooManyAttributes => "XML_TOO_MANY_ATTRIBUTES",
            Self::ValueTooLong => "XML_VALUE_TOO_LONG",
            Self::TooManyItems => "FLOW_TOO_LONG",
            Self::Unknown => "FLOW_UNKNOWN",
            Self::Incomplete => "FLOW_INCOMPLETE",
            Self::BadValue => "FLOW_VALUE",
            Self::Source => "FLOW_SOURCE",
        }
    }

    /// What to tell who sent the file.
    pub fn text(self) -> Text {
        match self {
            Self::Malformed => Text::new(
                "the file is not well-formed XML",
                "le fichier n'est pas un XML bien formé : redemandez-le tel qu'il a été émis.",
            ),
            Self::Truncated => Text::new(
                "the file ends before it is finished",
                "le fichier est incomplet : son transfert a été interrompu, redemandez-le.",
            ),
            Self::Doctype => Text::new(
                "a document type is not accepted",
                "le fichier déclare un type de document (DTD), ce qu'aucun flux ne fait : ne l'utilisez pas.",
            ),
            Self::Entity => Text::new(
                "an entity is not one of XML's own",
                "le fichier emploie une entité inconnue : ne l'utilisez pas.",
            ),
            Self::Encoding => Text::new(
                "the file is not in the character set that it declares, or in none that is known",
                "le jeu de caractères du fichier n'est pas celui qu'il annonce, ou n'est pas connu.",
            ),
            Self::TooDeep => Text::new(
                format!("more than {MAX_DEPTH} elements inside one another"),
                format!("plus de {MAX_DEPTH} éléments sont imbriqués : ce n'est pas un flux."),
            ),
            Self::TokenTooLong => Text::new(
                format!("a tag or text of more than {MAX_TOKEN} bytes"),
                format!(
                    "une balise ou un texte dépasse {MAX_TOKEN} octets : ce n'est pas un flux."
                ),
            ),
            Self::TooManyAttributes => Text::new(
                format!("more than {MAX_ATTRIBUTES} attributes"),
                format!("un élément a plus de {MAX_ATTRIBUTES} attributs : ce n'est pas un flux."),
            ),
            Self::ValueTooLong => Text::new(
                format!("a value of more than {MAX_VALUE} characters"),
                format!("une valeur dépasse {MAX_VALUE} caractères."),
            ),
            Self::TooManyItems => Text::new(
                "the file says too much at once",
                "le fichier est trop long : demandez qu'il soit émis en plusieurs flux.",
            ),
            Self::Unknown => Text::new(
                "none of PES_ACQUIT, PES_Retour, pain.002, camt.053 and camt.054",
                "ce fichier n'est ni un PES_ACQUIT, ni un PES_Retour, ni un pain.002, ni un camt.053, ni un camt.054 : \
                 vérifiez lequel vous avez choisi.",
            ),
            Self::Incomplete => Text::new(
                "the element lacks what it must say, or comes before it",
                "il manque à cet élément ce qu'il doit dire, ou il vient trop tôt.",
            ),
            Self::BadValue => Text::new(
                "the value cannot be understood",
                "cette valeur n'est pas lisible : date, montant, numéro ou code inattendu.",
            ),
            Self::Source => Text::new(
                "the file could not be read to its end",
                "le fichier n'a pas pu être lu jusqu'au bout : recommencez.",
            ),
        }
    }
}
