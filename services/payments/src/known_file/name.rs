//! The name of a file of `conventions`.

use std::{fmt, str::FromStr};

use nonrecours_kernel::{AttachmentName, ConventionName, DocumentName, Invalid};
use uuid::Uuid;

/// A file that somebody brought, or that the suite wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// Brought.
    Attachment(AttachmentName),
    /// Written.
    Document(DocumentName),
}

impl FileName {
    /// The convention it is under.
    pub const fn convention(&self) -> ConventionName {
        match self {
            Self::Attachment(name) => name.parent(),
            Self::Document(name) => name.parent(),
        }
    }

    /// Its own id.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Attachment(name) => name.attachment.uuid(),
            Self::Document(name) => name.document.uuid(),
        }
    }

    /// The collection it is in.
    pub const fn collection(&self) -> &'static str {
        match self {
            Self::Attachment(_) => "attachments",
            Self::Document(_) => "documents",
        }
    }
}

impl FromStr for FileName {
    type Err = Invalid;

    /// Refused with `RESOURCE_NAME_INVALID`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .map(Self::Attachment)
            .or_else(|_| text.parse().map(Self::Document))
            .map_err(|_: Invalid| {
                Invalid::new(
                    "RESOURCE_NAME_INVALID",
                    "neither an attachment nor a document of a convention",
                    "Ce nom n'est ni celui d'une pièce jointe, ni celui d'un document d'une convention.",
                )
            })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attachment(name) => name.fmt(f),
            Self::Document(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let convention = "operators/01980000-0000-7000-8000-000000000001/conventions/\
                          01980000-0000-7000-8000-000000000002";
        for collection in ["attachments", "documents"] {
            let text = format!("{convention}/{collection}/01980000-0000-7000-8000-000000000003");
            let name: FileName = text.parse().unwrap();
            assert_eq!(
                (name.to_string(), name.collection()),
                (text.clone(), collection)
            );
            assert_eq!(name.convention().to_string(), convention);
            assert!(text.ends_with(&name.id().to_string()));
        }
        let other = format!("{convention}/acts/01980000-0000-7000-8000-000000000003");
        let reason = other.parse::<FileName>().unwrap_err().reason;
        assert_eq!(reason, "RESOURCE_NAME_INVALID");
    }
}
