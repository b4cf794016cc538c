//! What a file is, by its bytes.

use std::str::FromStr;

use nonrecours_kernel::Invalid;

use super::zip;

/// Beginnings of the names of an office document's entries that carry macros, and the one end of such a name.
const MACRO_FOLDERS: [&[u8]; 4] = [b"Basic/", b"Scripts/", b"xl/macrosheets/", b"word/vbaData"];
const MACRO_FILE: &[u8] = b"vbaproject.bin";

/// A format that is taken in: what people read in ten years without a program of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// PDF.
    Pdf,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// TIFF.
    Tiff,
    /// OpenDocument text.
    Odt,
    /// OpenDocument spreadsheet.
    Ods,
    /// Office Open XML text.
    Docx,
    /// Office Open XML spreadsheet.
    Xlsx,
}

impl MediaType {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Pdf,
        Self::Png,
        Self::Jpeg,
        Self::Tiff,
        Self::Odt,
        Self::Ods,
        Self::Docx,
        Self::Xlsx,
    ];

    /// Its registered name (IANA).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Endings of the names of such files, the usual one first.
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Tiff => &["tif", "tiff"],
            Self::Odt => &["odt"],
            Self::Ods => &["ods"],
            Self::Docx => &["docx"],
            Self::Xlsx => &["xlsx"],
        }
    }

    /// What these bytes are; none for a format that is not taken in, or an office document with macros.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            [b'P', b'K', 3, 4, ..] => office(bytes),
            _ => None,
        }
    }
}

/// The office document that an archive is: OpenDocument says so in its first entry (ODF 1.3, part 2, 3.3), Office Open
/// XML by its parts (ECMA-376, part 2).
fn office(bytes: &[u8]) -> Option<MediaType> {
    let names = zip::names(bytes)?;
    if names.iter().any(|name| is_macro(name)) {
        return None;
    }
    if let Some((b"mimetype", declared)) = zip::first_stored(bytes) {
        let open = [MediaType::Odt, MediaType::Ods];
        return open
            .into_iter()
            .find(|media| media.as_str().as_bytes() == declared);
    }
    let has = |part: &[u8]| names.contains(&part);
    if !has(b"[Content_Types].xml") {
        return None;
    }
    match (has(b"word/document.xml"), has(b"xl/workbook.xml")) {
        (true, false) => Some(MediaType::Docx),
        (false, true) => Some(MediaType::Xlsx),
        _ => None,
    }
}

fn is_macro(name: &[u8]) -> bool {
    MACRO_FOLDERS.iter().any(|folder| name.starts_with(folder))
        || name.to_ascii_lowercase().ends_with(MACRO_FILE)
}

impl FromStr for MediaType {
    type Err = Invalid;

    /// Refused with `MEDIA_TYPE_NOT_TAKEN`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|media| media.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Invalid::new(
                    "MEDIA_TYPE_NOT_TAKEN",
                    "not one of the media types taken in",
                    format!("Ce type de fichier n'est pas accepté. {FORMATS}"),
                )
            })
    }
}

/// What to do instead, in French.
const FORMATS: &str =
    "Déposez un PDF, une image (PNG, JPEG, TIFF) ou un document ODT, ODS, DOCX ou XLSX sans macro.";

/// The bytes are of no format taken in: `CONTENT_UNRECOGNISED`.
pub fn unrecognised() -> Invalid {
    Invalid::new(
        "CONTENT_UNRECOGNISED",
        "the bytes are of none of the formats taken in",
        format!("Le contenu de ce fichier n'est d'aucun des formats acceptés. {FORMATS}"),
    )
}

/// The bytes are of another format than was said: `MEDIA_TYPE_MISMATCH`.
pub fn mismatch(found: MediaType) -> Invalid {
    Invalid::new(
        "MEDIA_TYPE_MISMATCH",
        format!("the bytes are {}", found.as_str()),
        format!(
            "Le contenu de ce fichier est du type {} : annoncez ce type, ou déposez le bon fichier.",
            found.as_str()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::zip::testing::archive, *};
    use proptest::prelude::*;

    fn open_document(media: &str) -> Vec<u8> {
        archive(&[("mimetype", media.as_bytes()), ("content.xml", b"<a/>")])
    }

    fn open_xml(part: &str) -> Vec<u8> {
        archive(&[("[Content_Types].xml", b"<Types/>"), (part, b"<a/>")])
    }

    #[test]
    fn each_format_is_known_by_its_bytes() {
        let odt = MediaType::Odt.as_str();
        for (bytes, media) in [
            (b"%PDF-1.7\n".to_vec(), MediaType::Pdf),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), MediaType::Png),
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF".to_vec(), MediaType::Jpeg),
            (b"II*\0\x08\0\0\0".to_vec(), MediaType::Tiff),
            (b"MM\0*\0\0\0\x08".to_vec(), MediaType::Tiff),
            (open_document(odt), MediaType::Odt),
            (open_document(MediaType::Ods.as_str()), MediaType::Ods),
            (open_xml("word/document.xml"), MediaType::Docx),
            (open_xml("xl/workbook.xml"), MediaType::Xlsx),
        ] {
            assert_eq!(MediaType::of(&bytes), Some(media));
        }
    }

    #[test]
    fn other_files_are_none_of_them() {
        for bytes in [
            b"".as_slice(),
            b"%PDF",
            b" %PDF-1.7",
            b"MZ\x90\0",
            b"#!/bin/sh\n",
            b"<html>",
            b"\x7FELF",
            // Old Office.
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
            b"GIF89a",
            b"PK\x03\x04",
            &archive(&[("a.txt", b"a")]),
            // A presentation, a Java archive, both kinds at once.
            &open_document("application/vnd.oasis.opendocument.presentation"),
            &open_xml("ppt/presentation.xml"),
            &archive(&[("META-INF/MANIFEST.MF", b"")]),
            &archive(&[("word/document.xml", b"")]),
            &archive(&[
                ("[Content_Types].xml", b""),
                ("word/document.xml", b""),
                ("xl/workbook.xml", b""),
            ]),
        ] {
            assert_eq!(MediaType::of(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn documents_with_macros_are_refused() {
        let types = ("[Content_Types].xml", b"".as_slice());
        let odt = ("mimetype", MediaType::Odt.as_str().as_bytes());
        for bytes in [
            archive(&[
                types,
                ("word/document.xml", b""),
                ("word/vbaProject.bin", b""),
            ]),
            archive(&[types, ("xl/workbook.xml", b""), ("xl/VBAPROJECT.BIN", b"")]),
            archive(&[
                types,
                ("xl/workbook.xml", b""),
                ("xl/macrosheets/sheet1.xml", b""),
            ]),
            archive(&[odt, ("Basic/Standard/Module1.xml", b"")]),
            archive(&[odt, ("Scripts/python/run.py", b"")]),
        ] {
            assert_eq!(MediaType::of(&bytes), None);
        }
    }

    #[test]
    fn names_are_read_back() {
        for media in MediaType::ALL {
            assert_eq!(media.as_str().parse::<MediaType>().unwrap(), media);
            assert!(!media.endings().is_empty());
        }
        assert_eq!("Image/PNG".parse::<MediaType>().unwrap(), MediaType::Png);
        let refused = "application/x-msdownload".parse::<MediaType>().unwrap_err();
        assert_eq!(refused.reason, "MEDIA_TYPE_NOT_TAKEN");
    }

    proptest! {
        /// Whatever is uploaded: an answer. And what is cut out of an office document is none.
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
            for head in [b"".as_slice(), b"%PDF-", b"PK\x03\x04", b"II*\0", b"\xFF\xD8\xFF"] {
                MediaType::of(&[head, &tail].concat());
            }
            let whole = open_xml("word/document.xml");
            let part = &whole[..cut.index(whole.len())];
            prop_assert_eq!(MediaType::of(part), None);
        }
    }
}
