//! Rules between the values of a file: sums, counts, numbers used once, corrections.

use std::collections::HashSet;

use nonrecours_kernel::{BudgetYear, Invalid, Money, Violation, parse_date};
use time::{Date, Month};

use crate::layout;

/// Last day of January: until then orders still go on the budget year before (journée complémentaire, art. L1612-11 CGCT).
const LAST_DAY_OF_ORDERS: u8 = 31;

/// What is known of the slips read so far.
#[derive(Default)]
pub(crate) struct Totals {
    slips: HashSet<(String, String)>,
    pieces: HashSet<(String, String)>,
    slip: Slip,
    piece: Piece,
}

#[derive(Default)]
struct Slip {
    year: String,
    number: String,
    date: Option<Date>,
    kind: String,
    declared_count: String,
    declared_total: Option<Money>,
    count: u64,
    total: Option<Money>,
}

#[derive(Default)]
struct Piece {
    id: String,
    kind: String,
    nature: String,
    lines: HashSet<String>,
    corrects: bool,
}

impl Totals {
    /// Takes note of a value, by the name of its element: each name means one thing in the whole file.
    pub(crate) fn value(&mut self, name: &str, value: &str) {
        let text = || value.to_owned();
        match name {
            "Exer" => self.slip.year = text(),
            "IdBord" => self.slip.number = text(),
            "DteBordEm" => self.slip.date = parse_date(value).ok(),
            "TypBord" => self.slip.kind = text(),
            "NbrPce" => self.slip.declared_count = text(),
            "MtBordHT" => self.slip.declared_total = layout::amount(value).ok(),
            "IdPce" => self.piece.id = text(),
            "TypPce" => self.piece.kind = text(),
            "NatPce" => self.piece.nature = text(),
            "MtHT" => {
                self.slip.total = layout::amount(value)
                    .ok()
                    .zip(self.slip.total)
                    .and_then(|(amount, total)| total.checked_add(amount));
            }
            _ => {}
        }
    }

    /// An element begins.
    pub(crate) fn open(&mut self, name: &str) {
        match name {
            "Bordereau" => {
                self.slip = Slip {
                    total: Some(Money::ZERO),
                    ..Slip::default()
                }
            }
            "Piece" => self.piece = Piece::default(),
            "LigneDePiece" => self.piece.corrects = false,
            "RattachPiece" => self.piece.corrects = true,
            _ => {}
        }
    }

    /// A line number, which its order uses once.
    pub(crate) fn line(&mut self, path: &str, id: &str) -> Option<Violation> {
        let fresh = self.piece.lines.insert(id.to_owned());
        (!fresh).then(|| {
            let (en, fr) = (
                "the number of the line is used twice",
                "Ce numéro de ligne est déjà utilisé.",
            );
            Violation::at(path, Invalid::new("LINE_TWICE", en, fr))
        })
    }

    /// What is wrong with the element that ends, as a whole.
    pub(crate) fn close(&mut self, name: &str, path: &str) -> Vec<Violation> {
        match name {
            "LigneDePiece" => self.end_line(path).into_iter().collect(),
            "Piece" => self.end_piece(path),
            "Bordereau" => self.end_slip(path),
            _ => Vec::new(),
        }
    }

    fn end_line(&self, path: &str) -> Option<Violation> {
        let correction = self.slip.kind == "02";
        (correction != self.piece.corrects).then(|| {
            let (en, fr) = (
                "a line of a correction slip, and only such a line, names the line that it corrects",
                "Une ligne d'un bordereau d'annulation, et elle seule, désigne la ligne qu'elle corrige.",
            );
            Violation::at(path, Invalid::new("CORRECTED_LINE", en, fr))
        })
    }

    fn end_piece(&mut self, path: &str) -> Vec<Violation> {
        self.slip.count += 1;
        let mut found = Vec::new();
        let nature = if self.slip.kind == "02" { "06" } else { "01" };
        if self.piece.kind != self.slip.kind || self.piece.nature != nature {
            let (en, fr) = (
                "the order has another type or nature than its slip asks for",
                "Le type ou la nature de la pièce n'est pas celui de son bordereau.",
            );
            found.push(Violation::at(path, Invalid::new("PIECE_KIND", en, fr)));
        }
        let key = (self.slip.year.clone(), self.piece.id.clone());
        if !self.pieces.insert(key) {
            let (en, fr) = (
                "the number of the order is used twice in the budget year",
                "Ce numéro de pièce est déjà utilisé dans l'exercice.",
            );
            found.push(Violation::at(path, Invalid::new("PIECE_TWICE", en, fr)));
        }
        found
    }

    fn end_slip(&mut self, path: &str) -> Vec<Violation> {
        let slip = std::mem::take(&mut self.slip);
        let mut found = Vec::new();
        if slip.declared_count.parse() != Ok(slip.count) {
            let (en, fr) = (
                "NbrPce is not the number of orders",
                "NbrPce n'est pas le nombre de pièces du bordereau.",
            );
            found.push(Violation::at(path, Invalid::new("PIECE_COUNT", en, fr)));
        }
        if slip.total.is_none() || slip.declared_total != slip.total {
            let (en, fr) = (
                "MtBordHT is not the sum of the lines",
                "MtBordHT n'est pas la somme des lignes du bordereau.",
            );
            found.push(Violation::at(path, Invalid::new("SLIP_TOTAL", en, fr)));
        }
        let in_time = layout::year(&slip.year)
            .ok()
            .zip(slip.date)
            .is_some_and(|(year, date)| ordered_in_time(year, date));
        if !in_time {
            let (en, fr) = (
                "the slip is issued outside its budget year and the January after it",
                "Le bordereau est émis en dehors de son exercice et du mois de janvier qui le suit.",
            );
            found.push(Violation::at(path, Invalid::new("SLIP_DATE", en, fr)));
        }
        if !self.slips.insert((slip.year, slip.number)) {
            let (en, fr) = (
                "the number of the slip is used twice in the budget year",
                "Ce numéro de bordereau est déjà utilisé dans l'exercice.",
            );
            found.push(Violation::at(path, Invalid::new("SLIP_TWICE", en, fr)));
        }
        found
    }
}

fn ordered_in_time(year: BudgetYear, date: Date) -> bool {
    let january_after = date.year() == i32::from(year.get()) + 1
        && date.month() == Month::January
        && date.day() <= LAST_DAY_OF_ORDERS;
    year.contains(date) || january_after
}
