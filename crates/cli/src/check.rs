//! Checking identifiers without any server: the rules are the kernel's.

use std::{
    io::{self, BufRead, Read as _, Write},
    process::ExitCode,
};

use clap::ValueEnum;
use nonrecours_kernel::IdentifierKind;

/// Longest line that is read, bytes: no identifier comes near it.
const MAX_LINE: u64 = 4096;

/// What the values on standard input are meant to be.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CheckedKind {
    /// Establishment: 14 digits.
    Siret,
    /// Bank account.
    Iban,
    /// Act transmitted to the prefecture.
    Acte,
    /// Association: W and 9 digits.
    Rna,
    /// Commune code (INSEE): its form.
    Commune,
}

impl From<CheckedKind> for IdentifierKind {
    fn from(kind: CheckedKind) -> Self {
        match kind {
            CheckedKind::Siret => Self::Siret,
            CheckedKind::Iban => Self::Iban,
            CheckedKind::Acte => Self::Act,
            CheckedKind::Rna => Self::Rna,
            CheckedKind::Commune => Self::Commune,
        }
    }
}

/// Checks standard input, a value a line: success when every one is valid.
pub fn run(kind: CheckedKind) -> anyhow::Result<ExitCode> {
    let all_valid = check(kind, &mut io::stdin().lock(), &mut io::stdout().lock())?;
    Ok(if all_valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Reads a value a line and answers each with a line: `valid` and the stored form, or `invalid`, the reason and the
/// French sentence. True when every one is valid. A line that is not text, or is longer than 4 096 bytes, is refused
/// as any other wrong value.
pub fn check(
    kind: CheckedKind,
    values: &mut impl BufRead,
    answers: &mut impl Write,
) -> io::Result<bool> {
    let kind = IdentifierKind::from(kind);
    let mut all_valid = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if values
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            break;
        }
        if !line.ends_with(b"\n") {
            // Too long, or the last: in both cases the value ends with what is skipped here.
            values.skip_until(b'\n')?;
        }
        let value = String::from_utf8_lossy(&line);
        match kind.check(value.trim_end_matches(['\r', '\n'])) {
            Ok(found) => writeln!(answers, "valid {}", found.normalised)?,
            Err(invalid) => {
                all_valid = false;
                writeln!(answers, "invalid {} {}", invalid.reason, invalid.text.fr)?;
            }
        }
    }
    answers.flush()?;
    Ok(all_valid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test says where")]

    use super::*;

    const VECTORS: &str = include_str!("../../kernel/tests/data/identifier_vectors.csv");

    fn answers(kind: CheckedKind, values: &str) -> (bool, Vec<String>) {
        let mut written = Vec::new();
        let all_valid = check(kind, &mut values.as_bytes(), &mut written).unwrap();
        let text = String::from_utf8(written).unwrap();
        (all_valid, text.lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_vector_is_judged_as_expected() {
        let mut judged = 0;
        for (name, kind) in [
            ("siret", CheckedKind::Siret),
            ("iban", CheckedKind::Iban),
            ("acte", CheckedKind::Acte),
        ] {
            let vectors: Vec<_> = VECTORS
                .lines()
                .map(|line| line.split(',').collect::<Vec<_>>())
                .filter(|fields| fields[0] == name)
                .collect();
            let values: String = vectors.iter().flat_map(|it| [it[1], "\n"]).collect();
            let (all_valid, answers) = answers(kind, &values);
            assert!(!all_valid);
            assert_eq!(answers.len(), vectors.len());
            for (answer, vector) in answers.iter().zip(&vectors) {
                let expected = match vector[2] {
                    "true" => "valid ",
                    _ => "invalid ",
                };
                assert!(answer.starts_with(expected), "{vector:?}: {answer}");
                judged += 1;
            }
        }
        assert_eq!(judged, 144);
    }

    #[test]
    fn each_line_is_answered_with_the_stored_form_or_the_reason() {
        let (all_valid, lines) = answers(CheckedKind::Siret, "216 202 630 00010\r\n21620263000011");
        assert!(!all_valid);
        assert_eq!(
            lines,
            [
                "valid 21620263000010",
                "invalid SIRET_CHECKSUM La clé du SIRET est fausse : un des cinq derniers chiffres est erroné.",
            ]
        );
        let (all_valid, lines) = answers(CheckedKind::Commune, "62263\n2a004\n");
        assert!(all_valid);
        assert_eq!(lines, ["valid 62263", "valid 2A004"]);
        let (all_valid, lines) = answers(CheckedKind::Rna, "w621000123\n\nW62100012\n");
        assert!(!all_valid);
        assert_eq!(lines[0], "valid W621000123");
        assert!(lines[1].starts_with("invalid RNA_FORMAT "));
        assert!(lines[2].starts_with("invalid RNA_FORMAT "));
        assert_eq!(answers(CheckedKind::Iban, ""), (true, Vec::new()));
    }

    #[test]
    fn a_line_too_long_or_no_text_is_one_wrong_value() {
        let long = "1".repeat(10_000);
        let (all_valid, lines) = answers(CheckedKind::Siret, &format!("{long}\n21620263000010\n"));
        assert!(!all_valid);
        assert!(lines[0].starts_with("invalid SIRET_LENGTH "));
        assert_eq!(lines[1..], ["valid 21620263000010"]);
        let mut written = Vec::new();
        let mut bytes = &b"\xff\xfe\n"[..];
        assert!(!check(CheckedKind::Rna, &mut bytes, &mut written).unwrap());
        assert!(written.starts_with(b"invalid RNA_FORMAT "));
    }
}
