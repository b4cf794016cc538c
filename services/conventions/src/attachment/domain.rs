//! The life of an attachment: ACTIVE -> WITHDRAWN. Its bytes never change.

use nonrecours_kernel::{AttachmentName, ConventionName, Digest, Invalid, screen};
use time::OffsetDateTime;

use super::{file_name::FileName, media::MediaType, subject::Subject};
use crate::{convention::party::Party, refusal::Refusal};

/// Attachments of one convention at most, withdrawn ones included: together 10 GB.
pub const MAX_ATTACHMENTS: i64 = 500;

/// A file as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Resource name.
    pub name: AttachmentName,
    /// What it is about.
    pub subject: Subject,
    /// What it is for.
    pub kind: Kind,
    /// Its name, with the ending of its type.
    pub file_name: String,
    /// What its bytes are.
    pub media_type: MediaType,
    /// Their number.
    pub size: i64,
    /// Their digest.
    pub digest: Digest,
    /// Party that brought it.
    pub party: Party,
    /// Subject of the token that uploaded it.
    pub uploaded_by: String,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was taken in.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What is said of a file before its bytes come, checked.
#[derive(Clone, Debug)]
pub struct Announced {
    /// What it is about.
    pub subject: Subject,
    /// What it is for.
    pub kind: Kind,
    /// Its name.
    pub file_name: FileName,
    /// What it is said to be.
    pub media_type: MediaType,
    /// How many bytes it is said to have, no more than the contract allows.
    pub size: usize,
    /// Their digest, when it is said.
    pub digest: Option<Digest>,
}

/// What an attachment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shows that something was done.
    Evidence,
    /// A signed original, scanned.
    ScanOfOriginal,
    /// A decision of a party's assembly.
    Act,
    /// The receipt of a registered letter.
    LetterReceipt,
    /// Anything else.
    Other,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Evidence,
        Self::ScanOfOriginal,
        Self::Act,
        Self::LetterReceipt,
        Self::Other,
    ];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "EVIDENCE",
            Self::ScanOfOriginal => "SCAN_OF_ORIGINAL",
            Self::Act => "ACT",
            Self::LetterReceipt => "LETTER_RECEIPT",
            Self::Other => "OTHER",
        }
    }
}

/// Life of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It counts.
    Active,
    /// It does not.
    Withdrawn {
        /// Since when.
        time: OffsetDateTime,
        /// Subject of the token that withdrew it.
        by: String,
        /// Why.
        reason: String,
    },
}

impl State {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Withdrawn { .. } => "WITHDRAWN",
        }
    }
}

impl Attachment {
    /// Refuses one that does not count.
    pub const fn active(&self) -> Result<(), Refusal> {
        match self.state {
            State::Active => Ok(()),
            State::Withdrawn { .. } => Err(Refusal::AttachmentWithdrawn),
        }
    }

    /// An operator withdraws what it brought itself; the authority any.
    pub fn withdrawn_for(&self, party: Party) -> Result<(), Refusal> {
        if party == Party::Operator && self.party != party {
            return Err(Refusal::PartyNotYours(self.party));
        }
        Ok(())
    }

    /// ACTIVE -> WITHDRAWN.
    pub fn withdraw(self, reason: String, by: &str, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.active()?;
        Ok(Self {
            state: State::Withdrawn {
                time: now,
                by: by.to_owned(),
                reason,
            },
            revision: self.revision + 1,
            update_time: now,
            ..self
        })
    }
}

/// Where the proof of something is: in words, or an attachment of the same convention. Refused with `NIR_FORBIDDEN`,
/// `RESOURCE_NAME_INVALID` (what begins as a resource name and names no attachment) or `ATTACHMENT_ELSEWHERE`.
pub fn reference(
    text: &str,
    convention: &ConventionName,
) -> Result<Option<AttachmentName>, Invalid> {
    if !text.starts_with("operators/") {
        return screen(text).map(|()| None);
    }
    let name: AttachmentName = text.parse()?;
    if name.parent() == *convention {
        return Ok(Some(name));
    }
    Err(Invalid::new(
        "ATTACHMENT_ELSEWHERE",
        "the attachment is of another convention",
        "Cette pièce est celle d'une autre convention : déposez-la sous celle-ci.",
    ))
}
