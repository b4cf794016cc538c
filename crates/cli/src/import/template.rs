//! The workbook that an agent fills in: its sheets, a notice, lists to choose from, and an example.

use std::path::Path;

use anyhow::Context as _;
use rust_xlsxwriter::{
    Color, DataValidation, DataValidationErrorStyle, Format, Formula, Workbook, Worksheet,
};

use super::{
    cell::Cell,
    field::Kind,
    layout::{Column, Layout, Sheet},
    list::List,
    report::{OWN_SHEETS, write_cell},
};
use crate::mapping;

/// Example rows: a value for each field.
const EXAMPLE: &str = include_str!("../../../../examples/import/exemple-v1.csv");
/// Rows that lists and formats are prepared for.
const PREPARED_ROWS: u32 = 5_000;
/// Width of a column, characters.
const WIDTH: u8 = 24;
/// Width of the notice, characters.
const NOTICE_WIDTH: u8 = 110;

/// What the notice says.
const NOTICE: [&str; 14] = [
    "Comment remplir ce classeur",
    "",
    "Une ligne par personne, par droit, par démarche, par permanence ou par note, dans la feuille qui porte ce nom. Les feuilles inutiles peuvent rester vides.",
    "Les colonnes marquées d'une étoile sont obligatoires. L'ordre des colonnes ne compte pas ; ne changez pas leurs titres.",
    "La ligne EXEMPLE montre comment remplir : supprimez-la avant d'importer.",
    "Référence : un nom à vous pour la ligne, par exemple P-2025-001, toujours le même pour la même personne ou le même droit. N'y mettez ni le nom, ni le numéro de sécurité sociale.",
    "Pour mettre à jour une personne ou un droit, importez à nouveau sa ligne avec la même référence.",
    "Dates : jour/mois/année, par exemple 06/10/2025. Montants : en euros, par exemple 184,50.",
    "Listes : choisissez dans la liste de la cellule. Pour une commune hors du territoire, indiquez son code INSEE ; pour une aide locale, son code.",
    "Identité : laissée vide, elle n'est pas modifiée. Elle est chiffrée par le service ; la Communauté Urbaine ne la voit pas.",
    "Un parcours clos a un motif de clôture. Un droit ouvert a une date de dépôt, une date de décision et, s'il s'agit d'argent, un montant notifié.",
    "N'indiquez jamais de numéro de sécurité sociale ni d'information de santé : la ligne serait refusée, ou contraire à la loi.",
    "Essayez d'abord sans rien enregistrer : nonrecours import FICHIER --convention CONVENTION --dry-run --errors erreurs.xlsx",
    "Puis importez : la même commande sans --dry-run. Les lignes refusées sont dans erreurs.xlsx, avec ce qu'il faut corriger : corrigez-les là, et importez ce fichier.",
];

/// Writes the template of a layout.
pub fn write(mapping: Option<&Path>, out: &Path) -> anyhow::Result<()> {
    let layout = match mapping {
        Some(path) => Layout::read(
            &std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        )?,
        None => Layout::standard()?,
    };
    workbook(&layout)?
        .save(out)
        .with_context(|| out.display().to_string())
}

/// The template of a layout.
pub fn workbook(layout: &Layout) -> anyhow::Result<Workbook> {
    let [notice, lists] = OWN_SHEETS;
    let mut workbook = Workbook::new();
    write_notice(workbook.add_worksheet().set_name(notice)?)?;
    let example = mapping::read(EXAMPLE, ["source", "value"])?;
    let mut ranges = Ranges::default();
    for sheet in &layout.sheets {
        let page = workbook.add_worksheet();
        page.set_name(&sheet.title)?;
        write_sheet(page, sheet, &example, &mut ranges)?;
    }
    let page = workbook.add_worksheet();
    page.set_name(lists)?;
    ranges.write(page)?;
    Ok(workbook)
}

fn write_notice(page: &mut Worksheet) -> anyhow::Result<()> {
    let (title, text) = (
        Format::new().set_bold().set_font_size(14),
        Format::new().set_text_wrap(),
    );
    page.set_column_width(0, NOTICE_WIDTH)?;
    for (line, sentence) in (0..).zip(NOTICE) {
        let format = if line == 0 { &title } else { &text };
        page.write_string_with_format(line, 0, sentence, format)?;
    }
    Ok(())
}

fn write_sheet(
    page: &mut Worksheet,
    sheet: &Sheet,
    example: &[mapping::Line],
    ranges: &mut Ranges,
) -> anyhow::Result<()> {
    let bold = Format::new().set_bold();
    let required = Format::new()
        .set_bold()
        .set_background_color(Color::RGB(0x00DD_EBF7));
    let mut shown: Vec<&str> = Vec::new();
    for (place, column) in (0..).zip(&sheet.columns) {
        let first = !shown.contains(&column.field.source.as_str());
        shown.push(&column.field.source);
        let (heading, format) = match column.field.required && first {
            true => (format!("{} *", column.heading), &required),
            false => (column.heading.clone(), &bold),
        };
        page.write_string_with_format(0, place, heading, format)?;
        page.set_column_width(place, WIDTH)?;
        prepare(page, place, column, ranges)?;
        let value = example.iter().find(|line| line.name == column.field.source);
        if let Some(value) = value.filter(|_| first) {
            write_cell(page, (1, place), &typed(column, &value.value), false)?;
        }
    }
    page.set_freeze_panes(1, 0)?;
    Ok(())
}

/// Lists, formats and remarks of a column's cells.
fn prepare(
    page: &mut Worksheet,
    place: u16,
    column: &Column,
    ranges: &mut Ranges,
) -> anyhow::Result<()> {
    let format = match &column.field.kind {
        Kind::Date => "dd/mm/yyyy",
        Kind::Amount => "0.00",
        Kind::Integer => "0",
        // Text: what begins with a zero keeps it.
        _ => "@",
    };
    page.set_column_format(place, &Format::new().set_num_format(format))?;
    let validation = match &column.field.kind {
        Kind::List(list) => {
            let chosen = DataValidation::new().allow_list_formula(Formula::new(ranges.of(list)));
            match list {
                // Other codes are right too: the service knows which.
                List::Open(_) => chosen.set_error_style(DataValidationErrorStyle::Information),
                List::Closed(_) => chosen,
            }
        }
        Kind::YesNo => DataValidation::new().allow_list_strings(&["Oui", "Non"])?,
        _ => return Ok(()),
    };
    page.add_data_validation(1, place, PREPARED_ROWS, place, &validation)?;
    Ok(())
}

/// A value of the example as a spreadsheet holds it.
fn typed(column: &Column, value: &str) -> Cell {
    let digits = value.replace(',', ".");
    let day = || {
        let parts: Vec<&str> = value.split('/').collect();
        match parts[..] {
            [day, month, year] => {
                nonrecours_kernel::parse_date(&format!("{year}-{month}-{day}")).ok()
            }
            _ => None,
        }
    };
    let typed = match column.field.kind {
        Kind::Date => day().map(Cell::Date),
        Kind::Amount | Kind::Integer => digits.parse().ok().map(Cell::Number),
        _ => None,
    };
    typed.unwrap_or_else(|| Cell::of_text(value))
}

/// The lists of the workbook, each in a column of the last sheet.
#[derive(Default)]
struct Ranges(Vec<(String, Vec<&'static str>)>);

impl Ranges {
    /// The range of a list, as a formula.
    fn of(&mut self, list: &List) -> String {
        let labels: Vec<&'static str> = list.entries().iter().map(|entry| entry.label).collect();
        let last = labels.len() + 1;
        let place = match self.0.iter().position(|(title, _)| title == list.title()) {
            Some(place) => place,
            None => {
                self.0.push((list.title().to_owned(), labels));
                self.0.len() - 1
            }
        };
        let letter = char::from(b'A' + u8::try_from(place).unwrap_or_default());
        format!("={}!${letter}$2:${letter}${last}", OWN_SHEETS[1])
    }

    fn write(&self, page: &mut Worksheet) -> anyhow::Result<()> {
        let bold = Format::new().set_bold();
        for (column, (title, labels)) in (0..).zip(&self.0) {
            page.write_string_with_format(0, column, title, &bold)?;
            page.set_column_width(column, WIDTH)?;
            for (line, label) in (1..).zip(labels) {
                page.write_string(line, column, *label)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{convert, rows};

    #[test]
    fn the_template_is_read_back_with_its_example() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("modele.xlsx");
        write(None, &path).unwrap();
        let layout = Layout::standard().unwrap();
        let input = rows::open(&path, &layout, None).unwrap();
        assert!(input.ignored.is_empty(), "{:?}", input.ignored);
        assert!(input.bound.iter().all(Option::is_some));
        let read: Vec<_> = input
            .rows
            .map(|row| {
                let row = row.unwrap();
                let bound = input.bound[row.sheet].as_ref().unwrap();
                convert::read(&layout.sheets[row.sheet], bound, &row.cells)
                    .unwrap()
                    .external_reference
            })
            .collect();
        assert_eq!(
            read,
            [
                "EXEMPLE-P1",
                "EXEMPLE-D1",
                "EXEMPLE-S1",
                "EXEMPLE-A1",
                "EXEMPLE-N1"
            ]
        );
    }

    #[test]
    fn every_list_has_a_column_of_its_own() {
        let mut ranges = Ranges::default();
        let layout = Layout::standard().unwrap();
        for column in layout.sheets.iter().flat_map(|sheet| &sheet.columns) {
            if let Kind::List(list) = &column.field.kind {
                let range = ranges.of(list);
                assert_eq!(range, ranges.of(list));
            }
        }
        assert!(ranges.0.len() < 26, "a letter each");
        assert_eq!(ranges.0[0].0, "Communes");
        assert_eq!(
            ranges.of(&List::Open(super::super::list::Catalogue::Communes)),
            "=Listes!$A$2:$A$47"
        );
    }
}
