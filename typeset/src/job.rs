//! What is asked: a kind of document, its version and its data.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use typst::foundations::Datetime;

use crate::text;

/// A job as it is read.
#[derive(Deserialize)]
struct Given<'a> {
    kind: Kind,
    version: u32,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The one thing of the data that every kind has.
#[derive(Deserialize)]
struct Dated {
    date: String,
}

/// Kind of a document: each has its template.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Convention de partenariat.
    Convention,
    /// Avenant.
    Amendment,
    /// État des sommes versées.
    StatementOfPayments,
    /// Mise en demeure.
    FormalNotice,
    /// Décision.
    Decision,
    /// Bilan.
    ActivityReport,
}

impl Kind {
    /// Its template.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Convention => "convention.typ",
            Self::Amendment => "amendment.typ",
            Self::StatementOfPayments => "statement_of_payments.typ",
            Self::FormalNotice => "formal_notice.typ",
            Self::Decision => "decision.typ",
            Self::ActivityReport => "activity_report.typ",
        }
    }
}

/// A job, ready for the templates.
pub struct Job {
    /// What to typeset.
    pub kind: Kind,
    /// Day of the document.
    pub date: Datetime,
    /// SHA-256 of the data as they were given, hexadecimal.
    pub digest: String,
    /// What the templates read as `job.json`.
    pub json: Vec<u8>,
}

/// What the templates read.
#[derive(Serialize)]
struct Seen<'a> {
    version: u32,
    digest: &'a str,
    data: serde_json::Value,
}

/// Why a job cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The standard input.
    #[error("the job cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Beyond the limit, in bytes.
    #[error("the job is longer than {0} bytes")]
    TooLong(u64),
    /// No job.
    #[error("the job is not as documented: {0}")]
    Json(#[from] serde_json::Error),
    /// The data's `date` is no day.
    #[error("`date` is a day such as 2025-10-07, not {0:?}")]
    Date(String),
}

impl Job {
    /// Reads a job. What the fonts cannot show is replaced; the digest is that of the data as they were given.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let given: Given = serde_json::from_slice(bytes)?;
        let dated: Dated = serde_json::from_str(given.data.get())?;
        let date = day(&dated.date).ok_or(Unreadable::Date(dated.date))?;
        let digest = hex(&Sha256::digest(given.data.get().as_bytes()));
        let mut data = serde_json::from_str(given.data.get())?;
        text::showable(&mut data);
        let seen = Seen {
            version: given.version,
            digest: &digest,
            data,
        };
        let json = serde_json::to_vec(&seen)?;
        Ok(Self {
            kind: given.kind,
            date,
            digest,
            json,
        })
    }
}

/// Reads `2025-10-07`.
fn day(text: &str) -> Option<Datetime> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Datetime::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
