//! The table of contents of a zip archive (PKWARE APPNOTE 6.3, sections 4.3.12 and 4.3.16): names only, nothing is
//! unpacked.

/// Entries of an archive at most; an office document has some hundreds.
const MAX_ENTRIES: usize = 10_000;
/// Longest comment at the end of an archive.
const MAX_COMMENT: usize = u16::MAX as usize;
/// Size of the record at the end, without its comment.
const END_SIZE: usize = 22;
/// Size of a record of the table, without its name.
const ENTRY_SIZE: usize = 46;

/// The names of all entries. `None`: no archive, or none that is whole and plain (one disk, no zip64).
pub fn names(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let end = end(bytes)?;
    let record = bytes.get(end..)?;
    let count = usize::from(u16_at(record, 10)?);
    let (size, start) = (u32_at(record, 12)?, u32_at(record, 16)?);
    if count > MAX_ENTRIES || start.checked_add(size)? > end {
        return None;
    }
    let mut table = bytes.get(start..start + size)?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        if !table.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length = usize::from(u16_at(table, 28)?);
        let besides = usize::from(u16_at(table, 30)?) + usize::from(u16_at(table, 32)?);
        names.push(table.get(ENTRY_SIZE..ENTRY_SIZE + length)?);
        table = table.get(ENTRY_SIZE + length + besides..)?;
    }
    Some(names)
}

/// Where the record at the end begins: the one whose comment reaches exactly to the end.
fn end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_SIZE)?;
    let first = last.saturating_sub(MAX_COMMENT);
    (first..=last).rev().find(|start| {
        bytes.get(*start..).is_some_and(|record| {
            record.starts_with(b"PK\x05\x06")
                && u16_at(record, 20).map(usize::from) == Some(record.len() - END_SIZE)
        })
    })
}

/// The name and the bytes of the first entry, when it is stored as it is.
pub fn first_stored(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let stored = u16_at(bytes, 8)? == 0;
    if !bytes.starts_with(b"PK\x03\x04") || !stored {
        return None;
    }
    let size = u32_at(bytes, 18)?;
    let name_end = 30 + usize::from(u16_at(bytes, 26)?);
    let start = name_end + usize::from(u16_at(bytes, 28)?);
    let content = bytes.get(start..start.checked_add(size)?)?;
    Some((bytes.get(30..name_end)?, content))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at + 4)?;
    usize::try_from(u32::from_le_bytes(field.try_into().ok()?)).ok()
}

/// Writes archives of stored entries, for tests.
#[cfg(test)]
pub mod testing {
    /// An archive with these entries, in their order.
    pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut bytes, mut table) = (Vec::new(), Vec::new());
        for (name, content) in entries {
            let offset = bytes.len() as u32;
            let length = (name.len() as u16).to_le_bytes();
            let size = (content.len() as u32).to_le_bytes();
            // Version, flags, method, time, date, checksum: nothing that is looked at.
            let common = [[0; 14].as_slice(), &size, &size, &length, &[0; 2]].concat();
            bytes.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), content].concat());
            table.extend([b"PK\x01\x02\0\0", common.as_slice(), &[0; 10]].concat());
            table.extend([&offset.to_le_bytes(), name.as_bytes()].concat());
        }
        let count = (entries.len() as u16).to_le_bytes();
        let (size, start) = (table.len() as u32, bytes.len() as u32);
        bytes.extend(table);
        bytes.extend([b"PK\x05\x06\0\0\0\0", count.as_slice(), &count].concat());
        bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
        bytes.extend([0, 0]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_names_of_an_archive_and_its_first_entry() {
        let archive = testing::archive(&[("mimetype", b"text/x"), ("content.xml", b"<a/>")]);
        assert_eq!(
            names(&archive).unwrap(),
            [b"mimetype".as_slice(), b"content.xml"]
        );
        let (name, content) = first_stored(&archive).unwrap();
        assert_eq!(
            (name, content),
            (b"mimetype".as_slice(), b"text/x".as_slice())
        );
        assert!(names(&testing::archive(&[])).unwrap().is_empty());
    }

    #[test]
    fn a_comment_may_follow_and_nothing_else() {
        let mut archive = testing::archive(&[("a", b"")]);
        let length = archive.len();
        archive.extend(b"comment");
        assert_eq!(names(&archive), None);
        archive[length - 2] = 7;
        assert_eq!(names(&archive).unwrap(), [b"a"]);
    }

    proptest! {
        /// Whatever stands there: an answer, in bounded time.
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..400), spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            names(&bytes);
            first_stored(&bytes);
            let mut archive = testing::archive(&[("mimetype", b"text/x"), ("content.xml", &bytes)]);
            for (spot, byte) in spots {
                let spot = spot.index(archive.len());
                archive[spot] = byte;
            }
            names(&archive);
            first_stored(&archive);
        }

        /// A cut archive is none.
        #[test]
        fn a_cut_archive_is_refused(cut in any::<prop::sample::Index>()) {
            let archive = testing::archive(&[("a", b"1"), ("b", b"2")]);
            prop_assert_eq!(names(&archive[..cut.index(archive.len())]), None);
        }
    }
}
