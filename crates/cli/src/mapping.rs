//! Mapping files: which column of a file is which figure or field. They are data that whoever owns the file reviews, the
//! same for what is written and for what is read: a comma-separated line for each column.

use anyhow::Context as _;

/// Columns of all sheets of a mapping at most.
pub const MAX_COLUMNS: usize = 200;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 2: the header is 1.
    pub number: usize,
    /// First value: the heading of a column.
    pub name: String,
    /// Second value: what it is.
    pub value: String,
}

/// Reads the lines after a header of two names.
pub fn read(text: &str, header: [&str; 2]) -> anyhow::Result<Vec<Line>> {
    let mut lines = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    anyhow::ensure!(
        *lines.headers()? == header.to_vec(),
        "la première ligne du fichier de correspondance doit être : {}",
        header.join(",")
    );
    let mut read = Vec::new();
    for (number, record) in (2..).zip(lines.records()) {
        let record =
            record.with_context(|| format!("ligne {number} du fichier de correspondance"))?;
        let value = |place| record.get(place).unwrap_or_default().to_owned();
        read.push(Line {
            number,
            name: value(0),
            value: value(1),
        });
        anyhow::ensure!(
            read.len() <= MAX_COLUMNS,
            "le fichier de correspondance ne convient pas (1 à {MAX_COLUMNS} colonnes)"
        );
    }
    Ok(read)
}
