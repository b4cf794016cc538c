//! A file that was taken, as a value.

use nonrecours_kernel::ReturnFileName;
use time::OffsetDateTime;

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `PES_ACQUIT`: the accountant has received a flow.
    Acknowledgement,
    /// `PES_Retour`: what the accountant made of each order.
    Return,
    /// `pain.002`: what the bank makes of a file and its transfers.
    StatusReport,
    /// `camt.053`: what was booked on an account in a period.
    Statement,
    /// `camt.054`: what was booked just now.
    Notification,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Acknowledgement,
        Self::Return,
        Self::StatusReport,
        Self::Statement,
        Self::Notification,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Acknowledgement => "ACKNOWLEDGEMENT",
            Self::Return => "RETURN",
            Self::StatusReport => "STATUS_REPORT",
            Self::Statement => "STATEMENT",
            Self::Notification => "NOTIFICATION",
        }
    }
}

/// What a file was and did; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnFile {
    /// Resource name.
    pub name: ReturnFileName,
    /// Kind.
    pub kind: FileKind,
    /// The name of the flow in it, or the message id that it answers; empty when it gives none.
    pub flow_name: String,
    /// SHA-256 of its content.
    pub digest: Vec<u8>,
    /// Its size, bytes.
    pub size: i64,
    /// Orders that it changed.
    pub changed: i32,
    /// Orders of which it says nothing new.
    pub unchanged: i32,
    /// Statements about what is not the programme's.
    pub unknown: i64,
    /// Differences that it opened.
    pub differences: i32,
    /// Subject of who imported it.
    pub importer: String,
    /// When.
    pub create_time: OffsetDateTime,
}
