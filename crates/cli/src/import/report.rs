//! The report of faults: a workbook with the rows that were not taken, as they were, and what to correct in each. It has the
//! layout of what was imported, so that it is corrected in place and imported again.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use rust_xlsxwriter::{Color, ExcelDateTime, Format, Workbook, Worksheet};

use super::{
    cell::Cell,
    convert::Fault,
    layout::{Bound, Layout},
    rows::Row,
};

/// Rows that a report holds at most; more are counted only.
pub const MAX_ROWS: usize = 20_000;
/// Columns that a report adds; an import reads nothing from them.
pub const OWN_COLUMNS: [&str; 3] = ["Champ", "Motif", "Ce qu'il faut corriger"];
/// Sheets that templates add; an import reads nothing from them.
pub const OWN_SHEETS: [&str; 2] = ["Notice", "Listes"];
/// Reason of a cell that is not repeated.
const NIR_FORBIDDEN: &str = "NIR_FORBIDDEN";
/// Width of a column, characters.
const WIDTH: u8 = 22;
/// Width of the column of sentences, characters.
const SENTENCE_WIDTH: u8 = 70;

/// A row that was not taken.
#[derive(Clone, Debug)]
pub struct BadRow {
    /// The row; what must not leave the machine is not in it any more.
    pub row: Row,
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
}

/// The rows that were not taken so far.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<BadRow>,
}

impl Report {
    /// Adds a row, without the cells that hold a social security number.
    pub fn add(&mut self, mut row: Row, faults: Vec<Fault>) {
        if self.rows.len() >= MAX_ROWS {
            return;
        }
        for fault in faults.iter().filter(|fault| fault.reason == NIR_FORBIDDEN) {
            if let Some(cell) = fault.place.and_then(|place| row.cells.get_mut(place)) {
                *cell = Cell::Empty;
            }
        }
        self.rows.push(BadRow { row, faults });
    }

    /// The rows, in the order in which they were refused.
    pub fn rows(&self) -> &[BadRow] {
        &self.rows
    }

    /// Writes the workbook, a sheet for each that has wrong rows.
    pub fn write(
        &self,
        layout: &Layout,
        bound: &[Option<Bound>],
        path: &Path,
    ) -> anyhow::Result<()> {
        let mut by_sheet: BTreeMap<usize, Vec<&BadRow>> = BTreeMap::new();
        for bad in &self.rows {
            by_sheet.entry(bad.row.sheet).or_default().push(bad);
        }
        let mut workbook = Workbook::new();
        for (place, rows) in by_sheet {
            let sheet = layout.sheets.get(place).context("a sheet of the layout")?;
            let bound = bound
                .get(place)
                .and_then(Option::as_ref)
                .context("a sheet of the file")?;
            let page = workbook.add_worksheet();
            page.set_name(&sheet.title)?;
            // Those of an earlier report give way to those of this one.
            let kept: Vec<usize> = (0..bound.headings.len())
                .filter(|place| !is_own(bound, *place))
                .collect();
            headings(page, bound, &kept)?;
            for (line, bad) in (1..).zip(rows) {
                write_row(page, line, bad, &kept)?;
            }
        }
        workbook
            .save(path)
            .with_context(|| path.display().to_string())
    }
}

fn is_own(bound: &Bound, place: usize) -> bool {
    bound.columns.get(place).is_some_and(Option::is_none)
        && bound
            .headings
            .get(place)
            .is_some_and(|heading| OWN_COLUMNS.contains(&heading.as_str()))
}

fn headings(page: &mut Worksheet, bound: &Bound, kept: &[usize]) -> anyhow::Result<()> {
    let bold = Format::new().set_bold();
    let mut column = 0;
    for heading in kept.iter().filter_map(|place| bound.headings.get(*place)) {
        page.write_string_with_format(0, column, heading, &bold)?;
        page.set_column_width(column, WIDTH)?;
        column += 1;
    }
    for (heading, width) in OWN_COLUMNS.into_iter().zip([WIDTH, WIDTH, SENTENCE_WIDTH]) {
        page.write_string_with_format(0, column, heading, &bold)?;
        page.set_column_width(column, width)?;
        column += 1;
    }
    page.set_freeze_panes(1, 0)?;
    Ok(())
}

fn write_row(page: &mut Worksheet, line: u32, bad: &BadRow, kept: &[usize]) -> anyhow::Result<()> {
    let mut column = 0;
    for place in kept {
        let wrong = bad.faults.iter().any(|fault| fault.place == Some(*place));
        if let Some(cell) = bad.row.cells.get(*place) {
            write_cell(page, (line, column), cell, wrong)?;
        }
        column += 1;
    }
    let told: [fn(&Fault) -> &str; 3] = [|it| &it.heading, |it| &it.reason, |it| &it.sentence];
    let wrapped = Format::new().set_text_wrap();
    for of in told {
        let lines: Vec<&str> = bad.faults.iter().map(of).collect();
        page.write_string_with_format(line, column, lines.join("\n"), &wrapped)?;
        column += 1;
    }
    Ok(())
}

/// Writes a cell as it was; never as a formula.
pub fn write_cell(
    page: &mut Worksheet,
    (line, column): (u32, u16),
    cell: &Cell,
    wrong: bool,
) -> anyhow::Result<()> {
    let format = match wrong {
        true => Format::new().set_background_color(Color::RGB(0x00FF_D6D6)),
        false => Format::new(),
    };
    match cell {
        Cell::Empty if wrong => page.write_blank(line, column, &format)?,
        Cell::Empty => page,
        Cell::Text(text) | Cell::Error(text) => {
            page.write_string_with_format(line, column, text, &format)?
        }
        Cell::Number(number) => match f64::try_from(*number) {
            Ok(number) => page.write_number_with_format(line, column, number, &format)?,
            Err(_) => page.write_string_with_format(line, column, number.to_string(), &format)?,
        },
        Cell::Date(date) => {
            let (year, month, day) = date.to_calendar_date();
            let dated = u16::try_from(year).ok();
            match dated.map(|year| ExcelDateTime::from_ymd(year, u8::from(month), day)) {
                Some(Ok(date)) => page.write_datetime_with_format(
                    line,
                    column,
                    &date,
                    &format.set_num_format("dd/mm/yyyy"),
                )?,
                _ => page.write_string_with_format(line, column, cell.text(), &format)?,
            }
        }
        Cell::Bool(value) => page.write_boolean_with_format(line, column, *value, &format)?,
    };
    Ok(())
}
