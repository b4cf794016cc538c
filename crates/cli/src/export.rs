//! Indicators as a file for the national follow-up tools. Which columns it has, and what each is filled from, is data: a
//! mapping file that the tools' owner reviews, since those tools change without this program.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use clap::ValueEnum;
use nonrecours_contracts::followup::{
    Amount, Audience, Breakdown, Count, Grain, IndicatorRow, QueryIndicatorsRequest, amount, count,
};
use nonrecours_kernel::{Role, catalogue};
use nonrecours_rpc::convert::money;

use crate::{
    ask::{client_as, in_french},
    client::answered,
    state::State,
};

/// The mapping unless another is given: version 1 of the national tools' columns.
const MAPPING: &str = include_str!("../../../examples/export/national-v1.csv");
/// What stands for a figure that is withheld: the mark that French statistics use for it.
const WITHHELD: &str = "s";
/// Columns of a mapping at most.
const MAX_COLUMNS: usize = 200;

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
    let file = mapping.file(&facts, &table.rows)?;
    match out {
        Some(path) => {
            std::fs::write(path, file).with_context(|| path.display().to_string())?;
            println!("{} : {} ligne(s)", path.display(), table.rows.len());
        }
        None => print!("{file}"),
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

/// What a column may be filled from.
type Source = fn(&Facts, &IndicatorRow) -> anyhow::Result<String>;

/// Every source that a mapping may name.
const SOURCES: [(&str, Source); 22] = [
    ("year", |facts, _| Ok(facts.year.to_string())),
    ("quarter", |_, row| Ok(ordinal(row.quarter))),
    ("month", |_, row| Ok(ordinal(row.month))),
    ("breakdown", |facts, _| {
        Ok(short(facts.breakdown.as_str_name(), "BREAKDOWN_"))
    }),
    ("code", |_, row| Ok(row.code.clone())),
    ("label", |facts, row| Ok(label(facts.breakdown, &row.code))),
    ("audience", |facts, _| {
        Ok(match facts.audience {
            Audience::Unspecified => String::new(),
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
];

/// The columns of a file.
struct Mapping(Vec<(String, Source)>);

impl Mapping {
    /// Reads `column,source` lines after a header; every wrong line is told at once.
    fn read(text: &str) -> anyhow::Result<Self> {
        let mut lines = csv::Reader::from_reader(text.as_bytes());
        anyhow::ensure!(
            lines.headers()? == vec!["column", "source"],
            "la première ligne du fichier de correspondance doit être : column,source"
        );
        let (mut columns, mut wrong): (Vec<(String, Source)>, String) = Default::default();
        for (line, record) in (2..).zip(lines.records()) {
            let record = record?;
            let (column, name) = (record.get(0).unwrap_or(""), record.get(1).unwrap_or(""));
            let source = SOURCES.iter().find(|(known, _)| *known == name);
            let twice = columns.iter().any(|(known, _)| known == column);
            match source {
                Some((_, source)) if !column.is_empty() && !twice => {
                    columns.push((column.to_owned(), *source));
                }
                Some(_) => write!(
                    wrong,
                    "\n  ligne {line} : colonne vide ou déjà donnée « {column} »"
                )?,
                None => write!(wrong, "\n  ligne {line} : source inconnue « {name} »")?,
            }
        }
        anyhow::ensure!(
            wrong.is_empty() && !columns.is_empty() && columns.len() <= MAX_COLUMNS,
            "le fichier de correspondance ne convient pas (1 à {MAX_COLUMNS} colonnes) :{wrong}"
        );
        Ok(Self(columns))
    }

    /// The file: UTF-8, comma, decimal point.
    fn file(&self, facts: &Facts, rows: &[IndicatorRow]) -> anyhow::Result<String> {
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(self.0.iter().map(|(column, _)| column))?;
        for row in rows {
            let fields: Vec<String> = self
                .0
                .iter()
                .map(|(_, source)| source(facts, row))
                .collect::<anyhow::Result<_>>()?;
            file.write_record(&fields)?;
        }
        Ok(String::from_utf8(file.into_inner()?)?)
    }
}

fn ordinal(place: i32) -> String {
    if place == 0 {
        String::new()
    } else {
        place.to_string()
    }
}

fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// Empty when it is not counted along the breakdown: neither 0 nor withheld.
fn number(count: &Option<Count>) -> String {
    match count.as_ref().and_then(|count| count.figure.as_ref()) {
        None => String::new(),
        Some(count::Figure::Value(value)) => value.to_string(),
        Some(count::Figure::Withheld(_)) => WITHHELD.to_owned(),
    }
}

fn euros(amount: &Option<Amount>) -> anyhow::Result<String> {
    Ok(
        match amount.as_ref().and_then(|amount| amount.figure.as_ref()) {
            None => String::new(),
            Some(amount::Figure::Value(value)) => money(Some(value))?.to_string(),
            Some(amount::Figure::Withheld(_)) => WITHHELD.to_owned(),
        },
    )
}

/// The name of a code, where the catalogues have one.
fn label(breakdown: Breakdown, code: &str) -> String {
    let label = match breakdown {
        Breakdown::Commune => catalogue::commune(code).map(|commune| commune.name),
        Breakdown::Public => catalogue::public(code).map(|public| public.label_fr),
        Breakdown::Right => catalogue::right(code).map(|right| right.label_fr),
        Breakdown::Reason => catalogue::non_take_up_reason(code).map(|reason| reason.label_fr),
        _ => None,
    };
    label.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use nonrecours_contracts::{followup::Withheld, google::r#type::Money};

    use super::*;

    const FACTS: Facts = Facts {
        year: 2025,
        breakdown: Breakdown::Commune,
        audience: Audience::Public,
    };

    fn count(figure: count::Figure) -> Option<Count> {
        Some(Count {
            figure: Some(figure),
        })
    }

    fn row() -> IndicatorRow {
        IndicatorRow {
            code: "62263".to_owned(),
            quarter: 3,
            persons_spotted: count(count::Figure::Value(40)),
            persons_informed: count(count::Figure::Value(0)),
            persons_oriented: count(count::Figure::Withheld(Withheld { threshold: 11 })),
            amount_notified: Some(Amount {
                figure: Some(amount::Figure::Value(Money {
                    currency_code: "EUR".to_owned(),
                    units: 7200,
                    nanos: 500_000_000,
                })),
            }),
            ..IndicatorRow::default()
        }
    }

    #[test]
    fn columns_are_those_of_the_mapping_in_its_order() {
        let mapping = "column,source\nrepérées,persons_spotted\nterritoire,label\nsource,code\n\
                       informées,persons_informed\norientées,persons_oriented\nrencontrées,persons_met\n\
                       euros,amount_notified\nT,quarter\nM,month\n";
        let file = Mapping::read(mapping)
            .unwrap()
            .file(&FACTS, &[row()])
            .unwrap();
        assert_eq!(
            file,
            "repérées,territoire,source,informées,orientées,rencontrées,euros,T,M\n\
             40,Dainville,62263,0,s,,7200.50,3,\n"
        );
    }

    #[test]
    fn the_first_version_names_every_source_once() {
        let mapping = Mapping::read(MAPPING).unwrap();
        assert_eq!(mapping.0.len(), SOURCES.len());
        let file = mapping.file(&FACTS, &[row()]).unwrap();
        let line = file.lines().nth(1).unwrap();
        assert!(
            line.starts_with("2025,3,,COMMUNE,62263,Dainville,PUBLIC,40,0,s,"),
            "{line}"
        );
    }

    #[test]
    fn every_wrong_line_of_a_mapping_is_told() {
        let wrong = |text| Mapping::read(text).err().unwrap().to_string();
        let told = wrong("column,source\na,year\nb,identity\na,month\n,code\n");
        for line in [
            "ligne 3 : source inconnue « identity »",
            "ligne 4",
            "ligne 5",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert!(wrong("colonne,source\na,year\n").contains("column,source"));
        assert!(wrong("column,source\n").contains("1 à 200 colonnes"));
    }
}
