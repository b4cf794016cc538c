//! A file that was taken, as a value.

use nonrecours_kernel::ReturnFileName;
use nonrecours_pes::ReturnKind;
use time::OffsetDateTime;

/// What a file was and did; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnFile {
    /// Resource name.
    pub name: ReturnFileName,
    /// Kind.
    pub kind: ReturnKind,
    /// The name of the flow in it; empty when it gives none.
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
