//! Typesets one document: reads a job as JSON on the standard input, writes a PDF on the standard output.
//!
//! ```json
//! {"kind": "CONVENTION", "version": 1, "data": {"date": "2025-10-07", "…": "…"}}
//! ```
//!
//! The same job gives the same bytes: there is no clock (the date is in the data), no network, no file and no font from
//! outside this program. The words of people are data that the templates set; they are never read as markup. The PDF is
//! PDF/A-2a (ISO 19005-2, for the archives) and PDF/UA-1 (ISO 14289-1, for everybody to read).
//!
//! Ends with 0; with 2 when the job cannot be read; with 1 when it cannot be typeset (a value is missing, for
//! instance). Then nothing is written but the reason, on the standard error.

mod job;
mod text;
mod world;

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use job::{Job, Unreadable};

/// Longest job, bytes.
const MAX_JOB: u64 = 8 * 1024 * 1024;
/// Exit code when the job cannot be typeset.
const NOT_TYPESET: u8 = 1;
/// Exit code when the job cannot be read.
const UNREADABLE: u8 = 2;

fn main() -> ExitCode {
    let job = match read() {
        Ok(job) => job,
        Err(error) => return told(UNREADABLE, &error.to_string()),
    };
    let pdf = match world::typeset(&job) {
        Ok(pdf) => pdf,
        Err(reason) => return told(NOT_TYPESET, &reason),
    };
    let mut out = io::stdout().lock();
    match out.write_all(&pdf).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => told(NOT_TYPESET, &error.to_string()),
    }
}

fn read() -> Result<Job, Unreadable> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_JOB + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_JOB {
        return Err(Unreadable::TooLong(MAX_JOB));
    }
    Job::parse(&bytes)
}

fn told(code: u8, reason: &str) -> ExitCode {
    eprintln!("nonrecours-typeset: {reason}");
    ExitCode::from(code)
}
