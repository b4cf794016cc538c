//! The rows of a file, one after the other. A CSV file is read as a stream, whatever its separator and encoding; a workbook is
//! bounded.

use std::{
    fs::File,
    io::{BufReader, Read, Seek as _, SeekFrom},
    path::Path,
};

use anyhow::Context as _;
use calamine::{Reader as _, Xlsx};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::{
    cell::Cell,
    layout::{Bound, Layout, heading_said},
    list::plain,
    report,
};

/// Largest workbook, bytes.
pub const MAX_WORKBOOK: u64 = 20 * 1024 * 1024;
/// Rows of a workbook at most, all sheets together; more come as CSV.
pub const MAX_ROWS: usize = 100_000;
/// Largest CSV file, bytes.
pub const MAX_CSV: u64 = 200 * 1024 * 1024;
/// Columns that are looked at.
pub const MAX_COLUMNS: usize = 200;
/// Bytes looked at at once to tell the encoding of a file.
const CHUNK: usize = 64 * 1024;
/// What may separate the values of a line.
const SEPARATORS: [u8; 3] = *b";,\t";

/// A row that is not empty.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its sheet, a place in the layout.
    pub sheet: usize,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its cells.
    pub cells: Vec<Cell>,
}

/// A file that is about to be read.
pub struct Input {
    /// For each sheet of the layout, where its columns stand; `None`: the file has no such sheet.
    pub bound: Vec<Option<Bound>>,
    /// How many rows there are, about.
    pub about: u64,
    /// Sheets and columns that nothing is read from.
    pub ignored: Vec<String>,
    /// The rows.
    pub rows: Box<dyn Iterator<Item = anyhow::Result<Row>>>,
}

/// Opens a file by its extension. `only` narrows to one sheet, and says which one a CSV file is.
pub fn open(path: &Path, layout: &Layout, only: Option<usize>) -> anyhow::Result<Input> {
    let extension = path
        .extension()
        .and_then(|end| end.to_str())
        .unwrap_or_default();
    let size = path
        .metadata()
        .with_context(|| path.display().to_string())?
        .len();
    match extension.to_lowercase().as_str() {
        "xlsx" => {
            anyhow::ensure!(
                size <= MAX_WORKBOOK,
                "le classeur dépasse {} Mio : enregistrez ses feuilles en CSV, une par fichier",
                MAX_WORKBOOK / 1024 / 1024
            );
            workbook(path, layout, only)
        }
        "csv" | "txt" => {
            anyhow::ensure!(
                size <= MAX_CSV,
                "le fichier dépasse {} Mio : partagez-le",
                MAX_CSV / 1024 / 1024
            );
            text(path, layout, only)
        }
        other => anyhow::bail!(
            "« .{other} » n'est pas lu : enregistrez le fichier en .xlsx (classeur Excel) ou en .csv"
        ),
    }
}

fn workbook(path: &Path, layout: &Layout, only: Option<usize>) -> anyhow::Result<Input> {
    let unreadable = || {
        format!(
            "{} n'est pas un classeur .xlsx lisible : ouvrez-le et enregistrez-le à nouveau",
            path.display()
        )
    };
    let file = BufReader::new(File::open(path)?);
    let mut workbook = Xlsx::new(file).with_context(unreadable)?;
    let mut bound: Vec<Option<Bound>> = layout.sheets.iter().map(|_| None).collect();
    let (mut rows, mut ignored) = (Vec::new(), Vec::new());
    for name in workbook.sheet_names() {
        let found = layout
            .sheets
            .iter()
            .position(|sheet| plain(&sheet.title) == plain(&name));
        let Some(place) = found else {
            if !report::OWN_SHEETS.contains(&name.as_str()) {
                ignored.push(format!("feuille « {name} »"));
            }
            continue;
        };
        let Some(sheet) = layout.sheets.get(place) else {
            continue;
        };
        if only.is_some_and(|only| only != place) {
            continue;
        }
        let mut lines = lines(&mut workbook, &name, &rows)
            .with_context(unreadable)??
            .into_iter();
        let Some((_, headings)) = lines.next() else {
            continue;
        };
        let headings: Vec<String> = headings
            .iter()
            .map(|cell| cell.text().into_owned())
            .collect();
        let here = Bound::to(sheet, headings)?;
        ignored.extend(unread(&here).map(|heading| format!("colonne « {heading} » de « {name} »")));
        rows.extend(lines.map(|(line, cells)| Row {
            sheet: place,
            line,
            cells,
        }));
        if let Some(bound) = bound.get_mut(place) {
            *bound = Some(here);
        }
    }
    let titles: Vec<_> = layout
        .sheets
        .iter()
        .map(|sheet| sheet.title.as_str())
        .collect();
    anyhow::ensure!(
        bound.iter().any(Option::is_some),
        "le classeur n'a aucune des feuilles attendues ({}), ou elles sont vides",
        titles.join(", ")
    );
    // Records come after those they refer to, whatever the order of the sheets.
    rows.sort_by_key(|row| row.sheet);
    Ok(Input {
        bound,
        about: rows.len().try_into().unwrap_or(u64::MAX),
        ignored,
        rows: Box::new(rows.into_iter().map(Ok)),
    })
}

/// The lines of a sheet that are not empty, with their numbers. The inner refusal is a workbook of too many rows.
type Lines = anyhow::Result<Vec<(u64, Vec<Cell>)>>;

fn lines(
    workbook: &mut Xlsx<BufReader<File>>,
    name: &str,
    earlier: &[Row],
) -> Result<Lines, calamine::XlsxError> {
    let mut reader = workbook.worksheet_cells_reader(name)?;
    let mut lines: Vec<(u64, Vec<Cell>)> = Vec::new();
    while let Some(found) = reader.next_cell()? {
        let (row, column) = found.get_position();
        let (line, place) = (u64::from(row) + 1, column as usize);
        let cell = Cell::of_workbook(found.get_value());
        if cell.is_empty() || place >= MAX_COLUMNS {
            continue;
        }
        if lines.last().is_none_or(|(last, _)| *last != line) {
            lines.push((line, Vec::new()));
        }
        if lines.len() + earlier.len() > MAX_ROWS {
            return Ok(Err(anyhow::anyhow!(
                "le classeur a plus de {MAX_ROWS} lignes : enregistrez ses feuilles en CSV, une par fichier"
            )));
        }
        if let Some((_, cells)) = lines.last_mut() {
            if cells.len() <= place {
                cells.resize(place + 1, Cell::Empty);
            }
            if let Some(own) = cells.get_mut(place) {
                *own = cell;
            }
        }
    }
    Ok(Ok(lines))
}

fn text(path: &Path, layout: &Layout, only: Option<usize>) -> anyhow::Result<Input> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let (encoding, about) = survey(&mut file)?;
    let separator = separator(&decoded(file.try_clone()?, encoding)?)?;
    file.seek(SeekFrom::Start(0))?;
    let mut lines = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(decoder(file, encoding));
    let mut first = csv::StringRecord::new();
    anyhow::ensure!(lines.read_record(&mut first)?, "le fichier est vide");
    let headings: Vec<String> = first
        .iter()
        .map(|heading| heading.trim().to_owned())
        .collect();
    let place = match only {
        Some(place) => place,
        None => recognised(layout, &headings)?,
    };
    let sheet = layout.sheets.get(place).context("a sheet of the layout")?;
    let here = Bound::to(sheet, headings)?;
    let ignored = unread(&here)
        .map(|heading| format!("colonne « {heading} »"))
        .collect();
    let mut bound: Vec<Option<Bound>> = layout.sheets.iter().map(|_| None).collect();
    if let Some(bound) = bound.get_mut(place) {
        *bound = Some(here);
    }
    let rows = lines.into_records().filter_map(move |line| match line {
        Ok(line) => {
            let cells: Vec<Cell> = line.iter().take(MAX_COLUMNS).map(Cell::of_text).collect();
            let number = line.position().map_or(0, csv::Position::line);
            let row = Row {
                sheet: place,
                line: number,
                cells,
            };
            (!row.cells.iter().all(Cell::is_empty)).then_some(Ok(row))
        }
        Err(error) => Some(Err(error.into())),
    });
    Ok(Input {
        bound,
        about: about.saturating_sub(1),
        ignored,
        rows: Box::new(rows),
    })
}

/// The one sheet whose required columns a CSV file has.
fn recognised(layout: &Layout, headings: &[String]) -> anyhow::Result<usize> {
    let said: Vec<String> = headings
        .iter()
        .map(|heading| heading_said(heading))
        .collect();
    let fits: Vec<usize> = (0..layout.sheets.len())
        .filter(|place| {
            layout.sheets.get(*place).is_some_and(|sheet| {
                let mut required = sheet.columns.iter().filter(|column| column.field.required);
                required.all(|column| {
                    let mut twins = sheet
                        .columns
                        .iter()
                        .filter(|twin| twin.field.source == column.field.source);
                    twins.any(|twin| said.contains(&plain(&twin.heading)))
                })
            })
        })
        .collect();
    match fits[..] {
        [place] => Ok(place),
        _ => {
            let titles: Vec<_> = layout
                .sheets
                .iter()
                .map(|sheet| sheet.title.as_str())
                .collect();
            anyhow::bail!(
                "les colonnes du fichier ne disent pas ce qu'il contient : indiquez --sheet avec l'une de ces \
                 feuilles, et vérifiez les titres des colonnes : {}",
                titles.join(", ")
            )
        }
    }
}

/// Headings that nothing is read from; those that a report of faults adds are no surprise.
fn unread(bound: &Bound) -> impl Iterator<Item = &String> {
    bound
        .headings
        .iter()
        .zip(&bound.columns)
        .filter(|(heading, column)| {
            let own = report::OWN_COLUMNS
                .iter()
                .any(|own| plain(own) == plain(heading));
            column.is_none() && !own && !heading.is_empty()
        })
        .map(|(heading, _)| heading)
}

/// The encoding of a file, and how many lines it has. What is not UTF-8 is what Excel saves in France: Windows-1252. A mark
/// at the beginning (UTF-8, UTF-16) goes before.
fn survey(file: &mut File) -> anyhow::Result<(&'static Encoding, u64)> {
    let (mut lines, mut is_utf8) = (0_u64, true);
    let mut chunk = vec![0; CHUNK];
    let mut held = 0;
    loop {
        let read = file.read(chunk.get_mut(held..).unwrap_or_default())?;
        if read == 0 {
            break;
        }
        let seen = chunk.get(..held + read).unwrap_or_default();
        let fresh = seen
            .iter()
            .skip(held)
            .filter(|byte| **byte == b'\n')
            .count();
        lines = lines.saturating_add(fresh.try_into().unwrap_or(u64::MAX));
        // A letter may be cut at the end of a chunk: its first bytes are looked at again.
        let cut = match std::str::from_utf8(seen) {
            Ok(_) => seen.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => {
                is_utf8 = false;
                seen.len()
            }
        };
        let end = held + read;
        held = end - cut;
        chunk.copy_within(cut..end, 0);
    }
    file.seek(SeekFrom::Start(0))?;
    let encoding = if is_utf8 && held == 0 {
        UTF_8
    } else {
        WINDOWS_1252
    };
    Ok((encoding, lines))
}

fn decoder(file: File, encoding: &'static Encoding) -> DecodeReaderBytes<BufReader<File>, Vec<u8>> {
    DecodeReaderBytesBuilder::new()
        .encoding(Some(encoding))
        .bom_override(true)
        .build(BufReader::new(file))
}

/// The beginning of a file.
fn decoded(file: File, encoding: &'static Encoding) -> anyhow::Result<String> {
    let mut beginning = Vec::new();
    let mut reader = decoder(file, encoding).take(CHUNK as u64);
    reader.read_to_end(&mut beginning)?;
    Ok(String::from_utf8_lossy(&beginning).into_owned())
}

/// What separates the headings: the one that comes most, outside quotes.
fn separator(beginning: &str) -> anyhow::Result<u8> {
    let mut quoted = false;
    let mut counts = [0_usize; SEPARATORS.len()];
    for byte in beginning.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            byte if !quoted => {
                let place = SEPARATORS.iter().position(|known| *known == byte);
                if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts
        .iter()
        .zip(SEPARATORS)
        .max_by_key(|(count, separator)| (**count, *separator == b';'));
    most.map(|(_, separator)| separator).context("a separator")
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
