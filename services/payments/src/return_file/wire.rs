//! Files from the accountant or the bank as protobuf, and what they change.

use nonrecours_contracts::payments::{self as wire, Slip as WireSlip};
use nonrecours_pg::{Change, Entry};
use nonrecours_rpc::convert::to_timestamp;

use super::{FileKind, ReturnFile};
use crate::slip;

/// The change of a file.
pub(super) fn entry(kind: &'static str, file: &ReturnFile) -> Entry {
    let change = Change {
        kind,
        operator: None,
        name: &file.name.to_string(),
        revision: 1,
    };
    Entry::new(change, &wire::ReturnFile::from(file))
}

/// The change of a slip about whose orders something was said.
pub fn slip_entry(slip: &slip::Slip) -> Entry {
    let change = Change {
        kind: "slip.returned",
        operator: None,
        name: &slip.name.to_string(),
        revision: slip.revision,
    };
    Entry::new(change, &WireSlip::from(slip))
}

impl From<&ReturnFile> for wire::ReturnFile {
    fn from(file: &ReturnFile) -> Self {
        let kind = match file.kind {
            FileKind::Acknowledgement => wire::ReturnFileKind::Acknowledgement,
            FileKind::Return => wire::ReturnFileKind::Return,
            FileKind::StatusReport => wire::ReturnFileKind::StatusReport,
            FileKind::Statement => wire::ReturnFileKind::Statement,
            FileKind::Notification => wire::ReturnFileKind::Notification,
        };
        Self {
            name: file.name.to_string(),
            kind: kind.into(),
            flow_name: file.flow_name.clone(),
            digest: file
                .digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            size: file.size,
            changed_count: file.changed,
            unchanged_count: file.unchanged,
            unknown_count: file.unknown,
            difference_count: file.differences,
            importer: file.importer.clone(),
            create_time: Some(to_timestamp(file.create_time)),
        }
    }
}
