//! All that a template can see: the templates, the job, four fonts.

use std::sync::LazyLock;

use typst::{
    Library, LibraryExt as _, World,
    diag::{FileError, FileResult, SourceDiagnostic},
    ecow::EcoVec,
    foundations::{Bytes, Datetime, Duration, Smart},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook, FontStretch, FontStyle, FontVariant, FontWeight},
    utils::LazyHash,
};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::job::Job;

/// The one family of every document.
const FAMILY: &str = "Libertinus Serif";
/// What the templates read the job as.
const JOB: &str = "job.json";
/// For the archives, and for everybody to read.
const STANDARDS: [PdfStandard; 2] = [PdfStandard::A_2a, PdfStandard::Ua_1];

/// The templates by their names.
const TEMPLATES: [(&str, &str); 7] = [
    ("lib.typ", include_str!("../templates/lib.typ")),
    (
        "convention.typ",
        include_str!("../templates/convention.typ"),
    ),
    ("amendment.typ", include_str!("../templates/amendment.typ")),
    (
        "statement_of_payments.typ",
        include_str!("../templates/statement_of_payments.typ"),
    ),
    (
        "formal_notice.typ",
        include_str!("../templates/formal_notice.typ"),
    ),
    ("decision.typ", include_str!("../templates/decision.typ")),
    (
        "activity_report.typ",
        include_str!("../templates/activity_report.typ"),
    ),
];

/// Upright and italic, regular and bold.
pub static FONTS: LazyLock<Vec<Font>> = LazyLock::new(|| {
    let faces = [
        (FontStyle::Normal, FontWeight::REGULAR),
        (FontStyle::Normal, FontWeight::BOLD),
        (FontStyle::Italic, FontWeight::REGULAR),
        (FontStyle::Italic, FontWeight::BOLD),
    ]
    .map(|(style, weight)| FontVariant::new(style, weight, FontStretch::NORMAL));
    typst_assets::fonts()
        .flat_map(|data| Font::iter(Bytes::new(data)))
        .filter(|font| font.info().family == FAMILY && faces.contains(&font.info().variant))
        .collect()
});

/// Typesets a job as a PDF, or says why it cannot be.
pub fn typeset(job: &Job) -> Result<Vec<u8>, String> {
    let sheet = Sheet::of(job)?;
    let document = typst::compile::<PagedDocument>(&sheet)
        .output
        .map_err(told)?;
    let options = PdfOptions {
        ident: Smart::Custom(job.digest.clone()),
        creator: Smart::Custom(Some(
            concat!("nonrecours ", env!("CARGO_PKG_VERSION")).to_owned(),
        )),
        timestamp: Some(Timestamp::new_utc(job.date)),
        standards: PdfStandards::new(&STANDARDS).map_err(|error| error.message().to_string())?,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(&document, &options).map_err(told)
}

fn told(errors: EcoVec<SourceDiagnostic>) -> String {
    let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    messages.join("; ")
}

struct Sheet {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    main: FileId,
    job: Bytes,
    date: Datetime,
}

impl Sheet {
    fn of(job: &Job) -> Result<Self, String> {
        Ok(Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::from_fonts(FONTS.iter())),
            main: id(job.kind.template())?,
            job: Bytes::new(job.json.clone()),
            date: job.date,
        })
    }
}

fn id(name: &str) -> Result<FileId, String> {
    let path = VirtualPath::new(name).map_err(|error| format!("{name}: {error:?}"))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

/// Nothing of a package, nothing of the machine.
fn asked(id: FileId) -> FileResult<&'static str> {
    let path = id.get();
    match path.root() {
        VirtualRoot::Project => Ok(path.vpath().get_without_slash()),
        VirtualRoot::Package(_) => Err(FileError::AccessDenied),
    }
}

impl World for Sheet {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        let name = asked(id)?;
        let template = TEMPLATES.iter().find(|(known, _)| *known == name);
        let (_, text) = template.ok_or(FileError::AccessDenied)?;
        Ok(Source::new(id, (*text).to_owned()))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if asked(id)? == JOB {
            Ok(self.job.clone())
        } else {
            Err(FileError::AccessDenied)
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    /// The day of the document: there is no other.
    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        Some(self.date)
    }
}
