//! The layout of a workbook: which sheets it has, which columns each has, and what they stand for. It is read from a mapping
//! file: a line with the name of a kind of record names its sheet, the others its columns.

use std::fmt::Write as _;

use prost_reflect::FieldDescriptor;

use super::{
    field::{Field, Target, contents},
    list::plain,
};
use crate::mapping;

/// The layout unless another is given: that of the template.
const STANDARD: &str = include_str!("../../../../examples/import/classeur-v1.csv");

/// A workbook's sheets, in the order in which their records refer to each other.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The sheets.
    pub sheets: Vec<Sheet>,
}

/// A sheet.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Its name.
    pub title: String,
    /// The kind of record its rows are.
    pub content: FieldDescriptor,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// What stands above it.
    pub heading: String,
    /// What it stands for.
    pub field: Field,
}

impl Layout {
    /// That of the template.
    pub fn standard() -> anyhow::Result<Self> {
        Self::read(STANDARD)
    }

    /// Reads `column,source` lines; every wrong line is told at once.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let (mut sheets, mut wrong): (Vec<Sheet>, String) = Default::default();
        for line in mapping::read(text, ["column", "source"])? {
            let problem = match Target::of(&line.value) {
                _ if line.name.is_empty() => Some("colonne sans nom"),
                None => Some("source inconnue"),
                Some(Target::Sheet(content)) => {
                    let known = sheets.iter().any(|sheet| {
                        sheet.content == content || plain(&sheet.title) == plain(&line.name)
                    });
                    sheets.push(Sheet {
                        title: line.name.clone(),
                        content,
                        columns: Vec::new(),
                    });
                    known.then_some("feuille déjà donnée")
                }
                Some(Target::Field(field)) => sheets
                    .iter_mut()
                    .find(|sheet| Some(sheet.content.name()) == field.source.split('.').next())
                    .map_or(
                        Some("colonne avant la ligne qui nomme sa feuille"),
                        |sheet| sheet.add(&line.name, field),
                    ),
            };
            if let Some(problem) = problem {
                let (number, name, value) = (line.number, line.name, line.value);
                write!(
                    wrong,
                    "\n  ligne {number} : {problem} (« {name} », « {value} »)"
                )?;
            }
        }
        anyhow::ensure!(
            wrong.is_empty() && !sheets.is_empty(),
            "le fichier de correspondance ne convient pas :{}",
            if wrong.is_empty() {
                " il ne nomme aucune feuille"
            } else {
                &wrong
            }
        );
        let order = contents();
        sheets.sort_by_key(|sheet| order.iter().position(|content| *content == sheet.content));
        Ok(Self { sheets })
    }

    /// The sheet of this name, or of this kind of record.
    pub fn sheet(&self, name: &str) -> Option<usize> {
        let name = plain(name);
        self.sheets
            .iter()
            .position(|sheet| plain(&sheet.title) == name || sheet.content.name() == name)
    }
}

impl Sheet {
    fn add(&mut self, heading: &str, field: Field) -> Option<&'static str> {
        let (mut same_heading, mut same_field) = (false, false);
        for column in &self.columns {
            same_heading |= plain(&column.heading) == plain(heading);
            same_field |= column.field.source == field.source && !field.is_list();
        }
        self.columns.push(Column {
            heading: heading.to_owned(),
            field,
        });
        match (same_heading, same_field) {
            (true, _) => Some("colonne déjà donnée"),
            (_, true) => Some("source déjà donnée"),
            _ => None,
        }
    }

    /// The column that a violation of the service is about.
    pub fn column_of(&self, wire_path: &str) -> Option<usize> {
        let path = wire_path.split('[').next().unwrap_or_default();
        self.columns
            .iter()
            .position(|column| column.field.wire_path() == path)
    }
}

/// Where each column of a sheet stands in a file.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The headings as the file has them.
    pub headings: Vec<String>,
    /// For each, the column of the sheet; `None`: one that nothing is read from.
    pub columns: Vec<Option<usize>>,
}

impl Bound {
    /// Finds a sheet's columns under the headings of a file. Refuses a heading that comes twice and a required column that
    /// is not there, all at once.
    pub fn to(sheet: &Sheet, headings: Vec<String>) -> anyhow::Result<Self> {
        let mut wrong = String::new();
        let mut columns: Vec<Option<usize>> = Vec::with_capacity(headings.len());
        for heading in &headings {
            let said = heading_said(heading);
            let found = sheet
                .columns
                .iter()
                .position(|column| plain(&column.heading) == said);
            if found.is_some() && columns.contains(&found) {
                write!(wrong, "\n  deux colonnes « {heading} » : gardez-en une")?;
            }
            columns.push(found);
        }
        for (place, column) in sheet.columns.iter().enumerate() {
            let given = sheet.columns.iter().enumerate().any(|(other, twin)| {
                twin.field.source == column.field.source && columns.contains(&Some(other))
            });
            let first = sheet
                .columns
                .iter()
                .position(|twin| twin.field.source == column.field.source);
            if column.field.required && !given && first == Some(place) {
                write!(wrong, "\n  il manque la colonne « {} »", column.heading)?;
            }
        }
        anyhow::ensure!(
            wrong.is_empty(),
            "la feuille « {} » ne convient pas :{wrong}",
            sheet.title
        );
        Ok(Self { headings, columns })
    }
}

/// A heading as it is compared: without the star that marks required columns.
pub fn heading_said(heading: &str) -> String {
    plain(heading.trim().trim_end_matches('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_layout_has_every_field_that_is_required() {
        let layout = Layout::standard().unwrap();
        let titles: Vec<_> = layout
            .sheets
            .iter()
            .map(|sheet| sheet.title.as_str())
            .collect();
        assert_eq!(
            titles,
            ["Personnes", "Droits", "Permanences", "Démarches", "Notes"]
        );
        for sheet in &layout.sheets {
            let prost_reflect::Kind::Message(message) = sheet.content.kind() else {
                panic!("a record is a message")
            };
            for field in message.fields() {
                let source = format!("{}.{}", sheet.content.name(), field.name());
                let here = sheet
                    .columns
                    .iter()
                    .any(|column| column.field.source.starts_with(&source));
                assert!(here, "{source}");
            }
        }
    }

    #[test]
    fn every_wrong_line_is_told() {
        let wrong = |lines: &str| {
            let text = format!("column,source\n{lines}");
            Layout::read(&text).err().unwrap().to_string()
        };
        let told = wrong(
            "A,beneficiary.commune_code\nP,beneficiary\nQ,beneficiary\nX,beneficiary.nir\n\
             C,beneficiary.commune_code\nc,beneficiary.age_band\nD,beneficiary.commune_code\n,note\n",
        );
        for line in [2, 4, 5, 7, 8, 9] {
            assert!(told.contains(&format!("ligne {line} :")), "{line}: {told}");
        }
        assert!(!told.contains("ligne 6 :"), "{told}");
        assert!(wrong("").contains("aucune feuille"));
    }

    #[test]
    fn columns_are_found_whatever_their_order_and_spelling() {
        let layout = Layout::standard().unwrap();
        let sessions = &layout.sheets[2];
        let headings = |given: &[&str]| given.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let all = headings(&[
            "LIEU *",
            "reference*",
            "Remarque",
            "date",
            "Canal",
            "Commune",
            "personnes rencontrees",
        ]);
        let bound = Bound::to(sessions, all).unwrap();
        assert_eq!(bound.columns[..3], [Some(1), Some(0), None]);
        let refused = Bound::to(sessions, headings(&["Lieu", "lieu", "Date"]))
            .unwrap_err()
            .to_string();
        for told in ["deux colonnes « lieu »", "« Référence »", "« Canal »"] {
            assert!(refused.contains(told), "{refused}");
        }
    }
}
