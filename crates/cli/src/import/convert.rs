//! From the cells of a row to a record: each cell is read as its field of the contract wants it, and every fault is told.

use nonrecours_contracts::followup::Record;
use nonrecours_kernel::{Invalid, Money, nir, parse_date};
use nonrecours_rpc::convert::{to_date, to_money};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as WireKind, Value};
use rust_decimal::Decimal;
use time::Date;

use super::{
    cell::{Cell, MAX_TEXT, day_of_serial},
    field::{Field, Kind, record},
    layout::{Bound, Sheet},
    list::{List, plain},
};

/// Entries of a list shown in a refusal at most.
const MAX_SHOWN: usize = 12;
/// What separates several values in one cell.
const SEPARATORS: [char; 3] = [';', '|', '\n'];

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Place of the cell in the row; `None`: none in particular.
    pub place: Option<usize>,
    /// Heading of the column, or the field when no column has it.
    pub heading: String,
    /// Machine reason.
    pub reason: String,
    /// What to correct.
    pub sentence: String,
}

impl Fault {
    fn of(place: usize, bound: &Bound, invalid: &Invalid) -> Self {
        Self {
            place: Some(place),
            heading: bound.headings.get(place).cloned().unwrap_or_default(),
            reason: invalid.reason.to_owned(),
            sentence: invalid.text.fr.to_string(),
        }
    }
}

/// Reads a row, or tells every fault of it.
pub fn read(sheet: &Sheet, bound: &Bound, cells: &[Cell]) -> Result<Record, Vec<Fault>> {
    let mut faults = Vec::new();
    let Some(descriptor) = record() else {
        return Err(vec![damaged()]);
    };
    let mut message = DynamicMessage::new(descriptor);
    // The record is of its kind also when all of its fields are empty.
    message.get_field_mut(&sheet.content);
    for (place, cell) in cells.iter().enumerate() {
        if let Err(invalid) = screen(cell) {
            faults.push(Fault::of(place, bound, &invalid));
            continue;
        }
        let Some(column) = bound.columns.get(place).copied().flatten() else {
            // Nothing is read from it, but what stands beyond the last heading was meant to be.
            if place >= bound.headings.len() && !cell.is_empty() {
                faults.push(Fault::of(place, bound, &beyond()));
            }
            continue;
        };
        let Some(column) = sheet.columns.get(column) else {
            continue;
        };
        match value(&column.field, cell) {
            Ok(values) => {
                for value in values {
                    put(&mut message, &column.field.path, value);
                }
            }
            Err(invalid) => faults.push(Fault::of(place, bound, &invalid)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Record::decode(message.encode_to_vec().as_slice()).map_err(|_| vec![damaged()])
}

/// Refuses what must not leave the machine, or is no value at all.
fn screen(cell: &Cell) -> Result<(), Invalid> {
    let text = cell.text();
    nir::screen(&text)?;
    if let Cell::Error(error) = cell {
        return Err(Invalid::new(
            "FORMULA_ERROR",
            "the formula of the cell gives an error",
            format!("la formule donne {error} : corrigez-la, ou saisissez la valeur"),
        ));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(Invalid::new(
            "TEXT_TOO_LONG",
            format!("a cell has at most {MAX_TEXT} characters"),
            format!("une cellule a au plus {MAX_TEXT} caractères : abrégez"),
        ));
    }
    Ok(())
}

/// The values a cell gives a field: none when it is empty, several when the field is a list.
fn value(field: &Field, cell: &Cell) -> Result<Vec<Value>, Invalid> {
    if cell.is_empty() {
        return Ok(Vec::new());
    }
    let one = |value| Ok(vec![value]);
    match &field.kind {
        Kind::Text => one(Value::String(text(&field.source, cell))),
        Kind::List(list) if field.is_list() => cell
            .text()
            .split(SEPARATORS)
            .map(str::trim)
            .filter(|said| !said.is_empty())
            .map(|said| chosen(list, said))
            .collect(),
        Kind::List(list) => chosen(list, &code(&field.source, cell)).and_then(one),
        Kind::YesNo => yes_no(cell).map(Value::Bool).and_then(one),
        Kind::Date => date(cell)
            .map(|date| nested(field, &to_date(date)))
            .and_then(one),
        Kind::Amount => amount(cell)
            .map(|amount| nested(field, &to_money(amount)))
            .and_then(one),
        Kind::Integer => {
            let wide = field.path.last().map(FieldDescriptor::kind) == Some(WireKind::Int64);
            let number = integer(cell)?;
            match i32::try_from(number) {
                _ if wide => one(Value::I64(number)),
                Ok(number) => one(Value::I32(number)),
                Err(_) => Err(no_integer()),
            }
        }
    }
}

fn put(message: &mut DynamicMessage, path: &[FieldDescriptor], value: Value) {
    let Some((field, rest)) = path.split_first() else {
        return;
    };
    let held = message.get_field_mut(field);
    match held {
        Value::Message(inner) if !rest.is_empty() => put(inner, rest, value),
        Value::List(values) => {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        held => *held = value,
    }
}

/// A message of the contract's common types, as a value of the field.
fn nested(field: &Field, message: &impl prost::Message) -> Value {
    let inner = field.path.last().and_then(|field| match field.kind() {
        WireKind::Message(descriptor) => {
            DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()
        }
        _ => None,
    });
    inner.map_or_else(|| Value::String(String::new()), Value::Message)
}

/// A text; digits that a spreadsheet took for a number get back the zero they began with.
fn text(source: &str, cell: &Cell) -> String {
    let text = cell.text().into_owned();
    let is_number = matches!(cell, Cell::Number(_));
    match text.len() {
        9 if is_number && source.ends_with(".phone") => format!("0{text}"),
        4 if is_number && source.ends_with(".birth_place") => format!("0{text}"),
        _ => text,
    }
}

/// What is looked up in a list; a commune's code in figures gets back its zero.
fn code(source: &str, cell: &Cell) -> String {
    match cell {
        Cell::Number(number) if source.ends_with(".commune_code") => format!("{number:0>5}"),
        cell => cell.text().trim().to_owned(),
    }
}

fn chosen(list: &List, said: &str) -> Result<Value, Invalid> {
    let found = list.find(said);
    match list {
        List::Open(_) => Ok(Value::String(
            found.map_or_else(|| said.to_owned(), |code| code.into_owned()),
        )),
        List::Closed(values) => found
            .and_then(|code| values.get_value_by_name(&code))
            .map(|value| Value::EnumNumber(value.number()))
            .ok_or_else(|| {
                let labels: Vec<&str> = list
                    .entries()
                    .iter()
                    .map(|entry| entry.label)
                    .take(MAX_SHOWN)
                    .collect();
                Invalid::new(
                    "UNKNOWN_CODE",
                    "the value is not in the list",
                    format!(
                        "« {said} » n'est pas dans la liste ; indiquez : {}",
                        labels.join(", ")
                    ),
                )
            }),
    }
}

fn yes_no(cell: &Cell) -> Result<bool, Invalid> {
    match plain(&cell.text()).as_str() {
        "oui" | "o" | "x" | "vrai" | "true" | "yes" | "1" => Ok(true),
        "non" | "n" | "faux" | "false" | "no" | "0" => Ok(false),
        _ => Err(Invalid::new(
            "YES_OR_NO",
            "yes or no is needed",
            "indiquez Oui ou Non",
        )),
    }
}

fn date(cell: &Cell) -> Result<Date, Invalid> {
    let no_date = || {
        Invalid::new(
            "DATE_FORMAT",
            "a date is written day/month/year, e.g. 06/10/2025",
            "écrivez la date jour/mois/année, par exemple 06/10/2025, et vérifiez qu'elle existe",
        )
    };
    match cell {
        Cell::Date(date) => Ok(*date),
        Cell::Number(serial) => day_of_serial(*serial).ok_or_else(no_date),
        Cell::Text(text) => {
            // A time of day tells nothing here.
            let day = text.split([' ', 'T']).next().unwrap_or_default();
            let parts: Vec<&str> = day.split(['/', '-', '.']).collect();
            let iso = match parts[..] {
                [year, ..] if year.len() == 4 => parse_date(day),
                [day, month, year] => parse_date(&format!("{year}-{month:0>2}-{day:0>2}")),
                _ => Err(no_date()),
            };
            iso.map_err(|_| no_date())
        }
        _ => Err(no_date()),
    }
}

fn integer(cell: &Cell) -> Result<i64, Invalid> {
    let number = match cell {
        Cell::Number(number) => *number,
        cell => figures(&cell.text())
            .parse::<Decimal>()
            .map_err(|_| no_integer())?,
    };
    if number.fract().is_zero() {
        i64::try_from(number).map_err(|_| no_integer())
    } else {
        Err(no_integer())
    }
}

fn amount(cell: &Cell) -> Result<Money, Invalid> {
    let euros = figures(&cell.text());
    Money::parse(&euros).map_err(|invalid| match invalid.reason {
        "MONEY_FORMAT" => Invalid::new(
            "MONEY_FORMAT",
            "an amount is a number of euros, e.g. 184,50",
            "écrivez le montant en euros, par exemple 184,50",
        ),
        _ => invalid,
    })
}

/// A number as people write it in France, as a program reads it: `1 234,50 €` is 1234.50.
fn figures(text: &str) -> String {
    let text = text.trim().trim_end_matches("EUR").trim_end_matches('€');
    let digits: String = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    match digits.split_once(',') {
        Some((euros, cents)) => format!("{}.{cents}", euros.replace('.', "")),
        None => digits,
    }
}

fn no_integer() -> Invalid {
    Invalid::new(
        "NUMBER_FORMAT",
        "a whole number is needed",
        "indiquez un nombre entier",
    )
}

fn beyond() -> Invalid {
    Invalid::new(
        "COLUMN_WITHOUT_HEADING",
        "the row goes on beyond the last heading",
        "la ligne continue au-delà de la dernière colonne : un séparateur s'est peut-être glissé dans un texte",
    )
}

/// Only if the contracts within the program were damaged.
fn damaged() -> Fault {
    Fault {
        place: None,
        heading: String::new(),
        reason: "INTERNAL".to_owned(),
        sentence: "le programme est endommagé : réinstallez-le".to_owned(),
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
