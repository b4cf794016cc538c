//! Indicators as a file for the national follow-up tools. Which columns it has, and what each is filled from, is data: a
//! mapping file that the tools' owner reviews, since those tools change without this program.

use std::{fmt::Write as _, io::Write as _, path::Path};

use anyhow::Context as _;
use clap::ValueEnum;
use nonrecours_contracts::followup::{
    Amount, Audience, Breakdown, ConventionTargets, Count, Grain, IndicatorRow,
    QueryIndicatorsRequest, amount, count,
};
use nonrecours_kernel::{Money, Role, catalogue};
use nonrecours_rpc::convert::money;
use rust_xlsxwriter::{Format, Workbook};

use crate::{
    ask::{client_as, in_french},
    client::answered,
    mapping::{self, MAX_COLUMNS},
    state::State,
};

/// The mapping unless another is given: version 1 of the national tools' columns.
const MAPPING: &str = include_str!("../../../examples/export/national-v1.csv");
/// What stands for a figure that is withheld: the mark that French statistics use for it.
const WITHHELD: &str = "s";
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Name of the sheet.
const SHEET: &str = "Indicateurs";

/// What the rows of the file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// One for all.
    Total,
    /// Operators (for the programme).
    Operator,
    /// Conventions (for an operator).
    Convention,
    /// Communes.
    Commune,
    /// Target publics.
    Public,
    /// Rights.
    Right,
    /// Reasons of non-take-up.
    Reason,
    /// Channels of sessions.
    Channel,
}

/// What its periods are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Periods {
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// The year.
    Year,
}

/// What to export.
pub struct Export<'a> {
    /// Civil year.
    pub year: i32,
    /// Rows.
    pub rows: Rows,
    /// Periods.
    pub periods: Periods,
    /// As it may be published; otherwise for those who run the programme.
    pub public: bool,
    /// An operator's own figures, exact; otherwise the territory's.
    pub own: bool,
    /// Mapping file; otherwise version 1.
    pub mapping: Option<&'a Path>,
}

/// Writes the file, or prints it.
pub async fn run(state: &State, export: Export<'_>, out: Option<&Path>) -> anyhow::Result<()> {
    let text = match export.mapping {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => MAPPING.to_owned(),
    };
    let mapping = Mapping::read(&text)?;
    let role = if export.own {
        Role::OperatorManager
    } else {
        Role::ProgrammeOfficer
    };
    let request = QueryIndicatorsRequest {
        parent: "operators/-".to_owned(),
        year: export.year,
        breakdown: export.rows.breakdown().into(),
        grain: export.periods.grain().into(),
        audience: if export.public {
            Audience::Public.into()
        } else {
            0
        },
    };
    let indicators = client_as(state, role)?.indicators();
    let table = answered(|| {
        let (mut indicators, request) = (indicators.clone(), request.clone());
        async move { indicators.query_indicators(request).await }
    })
    .await
    .map_err(in_french)?;
    let facts = Facts {
        year: export.year,
        breakdown: export.rows.breakdown(),
        audience: table.audience(),
    };
    let is_workbook = out
        .and_then(Path::extension)
        .is_some_and(|end| end.eq_ignore_ascii_case("xlsx"));
    let file = match is_workbook {
        true => mapping.workbook(&facts, &table.rows)?,
        false => mapping.text(&facts, &table.rows)?.into_bytes(),
    };
    match out {
        Some(path) => {
            std::fs::write(path, file).with_context(|| path.display().to_string())?;
            println!("{} : {} ligne(s)", path.display(), table.rows.len());
        }
        None => std::io::stdout().write_all(&file)?,
    }
    Ok(())
}

impl Rows {
    const fn breakdown(self) -> Breakdown {
        match self {
            Self::Total => Breakdown::Total,
            Self::Operator => Breakdown::Operator,
            Self::Convention => Breakdown::Convention,
            Self::Commune => Breakdown::Commune,
            Self::Public => Breakdown::Public,
            Self::Right => Breakdown::Right,
            Self::Reason => Breakdown::Reason,
            Self::Channel => Breakdown::Channel,
        }
    }
}

impl Periods {
    const fn grain(self) -> Grain {
        match self {
            Self::Month => Grain::Month,
            Self::Quarter => Grain::Quarter,
            Self::Year => Grain::Year,
        }
    }
}

/// What all lines of a file have in common.
struct Facts {
    year: i32,
    breakdown: Breakdown,
    audience: Audience,
}

/// What a cell of the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    /// Nothing is counted there.
    Nothing,
    /// A figure that is withheld.
    Withheld,
    /// A count.
    Count(i64),
    /// Euros.
    Euros(Money),
    /// A code or a label.
    Text(String),
}

/// What a column may be filled from.
type Source = fn(&Facts, &IndicatorRow) -> anyhow::Result<Cell>;

/// Every source that a mapping may name.
const SOURCES: [(&str, Source); 27] = [
    ("year", |facts, _| Ok(Cell::Count(facts.year.into()))),
    ("quarter", |_, row| Ok(ordinal(row.quarter))),
    ("month", |_, row| Ok(ordinal(row.month))),
    ("breakdown", |facts, _| {
        Ok(short(facts.breakdown.as_str_name(), "BREAKDOWN_"))
    }),
    ("code", |_, row| Ok(Cell::Text(row.code.clone()))),
    ("label", |facts, row| Ok(label(facts.breakdown, &row.code))),
    ("audience", |facts, _| {
        Ok(match facts.audience {
            Audience::Unspecified => Cell::Nothing,
            audience => short(audience.as_str_name(), "AUDIENCE_"),
        })
    }),
    ("persons_spotted", |_, row| Ok(number(&row.persons_spotted))),
    ("persons_informed", |_, row| {
        Ok(number(&row.persons_informed))
    }),
    ("persons_oriented", |_, row| {
        Ok(number(&row.persons_oriented))
    }),
    ("persons_supported", |_, row| {
        Ok(number(&row.persons_supported))
    }),
    ("entitlements_followed", |_, row| {
        Ok(number(&row.entitlements_followed))
    }),
    ("entitlements_opened", |_, row| {
        Ok(number(&row.entitlements_opened))
    }),
    ("entitlements_decided", |_, row| {
        Ok(number(&row.entitlements_decided))
    }),
    ("mean_decision_days", |_, row| {
        Ok(number(&row.mean_decision_days))
    }),
    ("in_autonomy", |_, row| Ok(number(&row.in_autonomy))),
    ("on_behalf", |_, row| Ok(number(&row.on_behalf))),
    ("interruptions_avoided", |_, row| {
        Ok(number(&row.interruptions_avoided))
    }),
    ("amount_notified", |_, row| euros(&row.amount_notified)),
    ("amount_estimated", |_, row| euros(&row.amount_estimated)),
    ("sessions_held", |_, row| Ok(number(&row.sessions_held))),
    ("persons_met", |_, row| Ok(number(&row.persons_met))),
    ("target_persons_spotted", |_, row| {
        Ok(target(row, |targets| targets.persons_spotted))
    }),
    ("target_persons_supported", |_, row| {
        Ok(target(row, |targets| targets.persons_supported))
    }),
    ("target_entitlements_opened", |_, row| {
        Ok(target(row, |targets| targets.entitlements_opened))
    }),
    ("due_amount", |_, row| match &row.targets {
        Some(targets) => Ok(Cell::Euros(money(targets.due_amount.as_ref())?)),
        None => Ok(Cell::Nothing),
    }),
    ("cost_per_entitlement_opened", |_, row| match &row.targets {
        Some(targets) => euros(&targets.cost_per_entitlement_opened),
        None => Ok(Cell::Nothing),
    }),
];

/// The columns of a file.
struct Mapping(Vec<(String, Source)>);

impl Mapping {
    /// Reads `column,source` lines after a header; every wrong line is told at once.
    fn read(text: &str) -> anyhow::Result<Self> {
        let (mut columns, mut wrong): (Vec<(String, Source)>, String) = Default::default();
        for line in mapping::read(text, ["column", "source"])? {
            let (number, column, name) = (line.number, line.name, line.value);
            let source = SOURCES.iter().find(|(known, _)| *known == name);
            let twice = columns.iter().any(|(known, _)| *known == column);
            match source {
                Some((_, source)) if !column.is_empty() && !twice => {
                    columns.push((column, *source));
                }
                Some(_) => write!(
                    wrong,
                    "\n  ligne {number} : colonne vide ou déjà donnée « {column} »"
                )?,
                None => write!(wrong, "\n  ligne {number} : source inconnue « {name} »")?,
            }
        }
        anyhow::ensure!(
            wrong.is_empty() && !columns.is_empty(),
            "le fichier de correspondance ne convient pas (1 à {MAX_COLUMNS} colonnes) :{wrong}"
        );
        Ok(Self(columns))
    }

    fn cells(&self, facts: &Facts, row: &IndicatorRow) -> anyhow::Result<Vec<Cell>> {
        self.0
            .iter()
            .map(|(_, source)| source(facts, row))
            .collect()
    }

    /// The file as text: UTF-8, comma, decimal point.
    fn text(&self, facts: &Facts, rows: &[IndicatorRow]) -> anyhow::Result<String> {
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(self.0.iter().map(|(column, _)| inert(column)))?;
        for row in rows {
            file.write_record(self.cells(facts, row)?.iter().map(Cell::written))?;
        }
        Ok(String::from_utf8(file.into_inner()?)?)
    }

    /// The file as a workbook: figures are numbers, everything else is text and never a formula.
    fn workbook(&self, facts: &Facts, rows: &[IndicatorRow]) -> anyhow::Result<Vec<u8>> {
        let mut workbook = Workbook::new();
        let (bold, euros) = (
            Format::new().set_bold(),
            Format::new().set_num_format("#,##0.00"),
        );
        let page = workbook.add_worksheet();
        page.set_name(SHEET)?.set_freeze_panes(1, 0)?;
        for (place, (column, _)) in (0..).zip(&self.0) {
            page.write_string_with_format(0, place, column, &bold)?;
        }
        for (line, row) in (1..).zip(rows) {
            for (place, cell) in (0..).zip(self.cells(facts, row)?) {
                match cell {
                    Cell::Nothing => continue,
                    Cell::Count(count) => {
                        page.write_number(line, place, spreadsheet(&count.to_string())?)?
                    }
                    Cell::Euros(amount) => {
                        let amount = spreadsheet(&amount.to_string())?;
                        page.write_number_with_format(line, place, amount, &euros)?
                    }
                    Cell::Withheld => page.write_string(line, place, WITHHELD)?,
                    Cell::Text(text) => page.write_string(line, place, text)?,
                };
            }
        }
        Ok(workbook.save_to_buffer()?)
    }
}

impl Cell {
    fn written(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Withheld => WITHHELD.to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Euros(amount) => amount.to_string(),
            Self::Text(text) => inert(text),
        }
    }
}

/// A text that no spreadsheet takes for a formula: an apostrophe before it says that it is text.
fn inert(text: &str) -> String {
    match text.starts_with(FORMULA) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// A decimal as spreadsheets keep numbers.
fn spreadsheet(decimal: &str) -> anyhow::Result<f64> {
    decimal.parse().context("a decimal is a number")
}

fn ordinal(place: i32) -> Cell {
    match place {
        0 => Cell::Nothing,
        place => Cell::Count(place.into()),
    }
}

fn short(name: &str, prefix: &str) -> Cell {
    Cell::Text(name.strip_prefix(prefix).unwrap_or(name).to_owned())
}

/// Nothing when it is not counted along the breakdown: neither 0 nor withheld.
fn number(count: &Option<Count>) -> Cell {
    match count.as_ref().and_then(|count| count.figure.as_ref()) {
        None => Cell::Nothing,
        Some(count::Figure::Value(value)) => Cell::Count(*value),
        Some(count::Figure::Withheld(_)) => Cell::Withheld,
    }
}

/// Nothing where there is no target.
fn target(row: &IndicatorRow, of: fn(&ConventionTargets) -> i64) -> Cell {
    match row.targets.as_ref().map(of) {
        None | Some(0) => Cell::Nothing,
        Some(target) => Cell::Count(target),
    }
}

fn euros(amount: &Option<Amount>) -> anyhow::Result<Cell> {
    Ok(
        match amount.as_ref().and_then(|amount| amount.figure.as_ref()) {
            None => Cell::Nothing,
            Some(amount::Figure::Value(value)) => Cell::Euros(money(Some(value))?),
            Some(amount::Figure::Withheld(_)) => Cell::Withheld,
        },
    )
}

/// The name of a code, where the catalogues have one.
fn label(breakdown: Breakdown, code: &str) -> Cell {
    let label = match breakdown {
        Breakdown::Commune => catalogue::commune(code).map(|commune| commune.name),
        Breakdown::Public => catalogue::public(code).map(|public| public.label_fr),
        Breakdown::Right => catalogue::right(code).map(|right| right.label_fr),
        Breakdown::Reason => catalogue::non_take_up_reason(code).map(|reason| reason.label_fr),
        _ => None,
    };
    Cell::Text(label.unwrap_or_default().to_owned())
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
