//! What became of an import, as it is told.

use std::fmt;

use super::report;
use crate::print;

/// How the references of the template's example begin.
pub const EXAMPLE: &str = "EXEMPLE-";

/// What became of the rows of one sheet. The figures add up to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New, or changed.
    pub stored: usize,
    /// There already.
    pub unchanged: usize,
    /// Older than what is stored.
    pub stale: usize,
    /// The same reference comes again later.
    pub superseded: usize,
    /// Not taken.
    pub rejected: usize,
}

/// What became of an import.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Nothing was changed.
    pub dry_run: bool,
    /// By sheet, in their order.
    pub sheets: Vec<(String, Tally)>,
    /// What nothing was read from.
    pub ignored: Vec<String>,
    /// The example of the template was among the rows.
    pub with_example: bool,
    /// How often the stream was resumed.
    pub resumed: u32,
    /// The first faults, as lines.
    pub faults: Vec<String>,
    /// Where the report of faults is.
    pub report: Option<String>,
}

impl Outcome {
    /// Rows that were not taken.
    pub fn rejected(&self) -> usize {
        self.sheets.iter().map(|(_, tally)| tally.rejected).sum()
    }

    /// What became of the rows of all sheets.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for (_, tally) in &self.sheets {
            total.stored += tally.stored;
            total.unchanged += tally.unchanged;
            total.stale += tally.stale;
            total.superseded += tally.superseded;
            total.rejected += tally.rejected;
        }
        total
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = if self.dry_run {
            "à enregistrer"
        } else {
            "enregistrées"
        };
        let mut table = print::table(&[
            "feuille",
            stored,
            "inchangées",
            "plus anciennes",
            "en double",
            "refusées",
        ]);
        for (title, tally) in &self.sheets {
            add(&mut table, title, *tally);
        }
        if self.sheets.len() > 1 {
            add(&mut table, "ensemble", self.total());
        }
        for column in 1..6 {
            print::align_right(&mut table, column);
        }
        writeln!(f, "{table}")?;
        if self.dry_run {
            writeln!(f, "Essai : rien n'a été enregistré.")?;
        }
        if self.resumed > 0 {
            writeln!(
                f,
                "L'envoi a été interrompu {} fois, puis repris.",
                self.resumed
            )?;
        }
        if self.with_example {
            writeln!(
                f,
                "La ligne d'exemple du modèle ({EXAMPLE}…) est parmi les lignes : supprimez-la du fichier."
            )?;
        }
        for ignored in &self.ignored {
            writeln!(f, "Rien n'est lu de : {ignored}.")?;
        }
        for fault in &self.faults {
            writeln!(f, "  • {fault}")?;
        }
        match &self.report {
            Some(path) => {
                writeln!(
                    f,
                    "Les lignes refusées sont dans {path}, avec ce qu'il faut corriger : corrigez-les, puis importez ce fichier."
                )?;
                if self.rejected() > report::MAX_ROWS {
                    writeln!(f, "Il contient les {} premières.", report::MAX_ROWS)?;
                }
                Ok(())
            }
            None if self.rejected() > self.faults.len() => {
                writeln!(
                    f,
                    "  … et d'autres : demandez-les toutes avec --errors erreurs.xlsx."
                )
            }
            None => Ok(()),
        }
    }
}

fn add(table: &mut comfy_table::Table, title: &str, tally: Tally) {
    let figures = [
        tally.stored,
        tally.unchanged,
        tally.stale,
        tally.superseded,
        tally.rejected,
    ];
    let cells = figures.into_iter().map(|figure| figure.to_string());
    table.add_row([title.to_owned()].into_iter().chain(cells));
}
