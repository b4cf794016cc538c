//! An import: rows are read, sent in batches, and what became of each is counted and told.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use nonrecours_contracts::followup::{Record, RecordOutcome, RecordResult, record::Content};
use nonrecours_kernel::{Role, nir};
use prost::Message as _;

use super::{
    convert::{self, Fault},
    layout::{Bound, Layout, Sheet},
    outcome::{EXAMPLE, Outcome, Tally},
    report::{self, Report},
    rows::{self, Row},
    send::{BATCH, BATCH_BYTES, Sender},
};
use crate::{
    ask::{client_as, in_french},
    state::State,
};

/// Faults shown when no report is written.
const MAX_SHOWN: usize = 20;

/// What to import.
pub struct Import<'a> {
    /// The file.
    pub file: &'a Path,
    /// `operators/{operator}/conventions/{convention}`.
    pub convention: &'a str,
    /// Mapping file; otherwise that of the template.
    pub mapping: Option<&'a Path>,
    /// Change nothing: tell what would become of each row.
    pub dry_run: bool,
    /// Only this sheet of a workbook; what a CSV file is.
    pub sheet: Option<&'a str>,
    /// Where the report of faults is written, when there are any.
    pub errors: Option<&'a Path>,
}

/// Imports a file.
pub async fn run(state: &State, import: Import<'_>) -> anyhow::Result<Outcome> {
    let layout = match import.mapping {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Layout::read(&text)?
        }
        None => Layout::standard()?,
    };
    if let Some(path) = import.errors {
        anyhow::ensure!(
            path.extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("xlsx")),
            "le rapport d'erreurs est un classeur : donnez-lui un nom en .xlsx"
        );
    }
    let only = import
        .sheet
        .map(|name| {
            layout
                .sheet(name)
                .with_context(|| format!("il n'y a pas de feuille « {name} »"))
        })
        .transpose()?;
    let input = rows::open(import.file, &layout, only)?;
    let push = client_as(state, Role::OperatorAgent)?.push();
    let mut importing = Importing {
        sender: Sender::new(push, import.convention, import.dry_run),
        dry_run: import.dry_run,
        bound: &input.bound,
        layout: &layout,
        tallies: vec![Tally::default(); layout.sheets.len()],
        report: Report::default(),
        pending: Vec::new(),
        bytes: 0,
        known: Known::default(),
        with_example: false,
        bar: bar(input.about),
    };
    for row in input.rows {
        importing.take(row?).await?;
    }
    importing.flush().await?;
    importing.bar.finish_and_clear();
    let mut outcome = importing.outcome();
    outcome.ignored = input.ignored;
    let wrong = importing.report.rows();
    match import.errors {
        Some(path) if !wrong.is_empty() => {
            importing.report.write(&layout, &input.bound, path)?;
            outcome.report = Some(path.display().to_string());
        }
        _ => {
            let shown = wrong.iter().take(MAX_SHOWN).map(|bad| line(&layout, bad));
            outcome.faults = shown.collect();
        }
    }
    Ok(outcome)
}

/// An import under way.
struct Importing<'a> {
    sender: Sender,
    dry_run: bool,
    layout: &'a Layout,
    bound: &'a [Option<Bound>],
    tallies: Vec<Tally>,
    report: Report,
    pending: Vec<(Row, Record)>,
    bytes: usize,
    known: Known,
    with_example: bool,
    bar: ProgressBar,
}

impl Importing<'_> {
    async fn take(&mut self, row: Row) -> anyhow::Result<()> {
        let (sheet, bound) = self.place(row.sheet)?;
        match convert::read(sheet, bound, &row.cells) {
            Ok(record) => {
                self.with_example |= record.external_reference.starts_with(EXAMPLE);
                self.bytes += record.encoded_len();
                self.pending.push((row, record));
            }
            Err(faults) => {
                self.bar.inc(1);
                self.refuse(row, faults);
            }
        }
        if self.pending.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends what is pending. A dry run judges each batch by itself: what it refers to earlier in the file goes along.
    async fn flush(&mut self) -> anyhow::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.bytes = 0;
        if pending.is_empty() {
            return Ok(());
        }
        let mut records = if self.dry_run {
            self.known.referred_to(&pending)
        } else {
            Vec::new()
        };
        let along = records.len();
        records.extend(pending.iter().map(|(_, record)| record.clone()));
        let answer = self.sender.send(records).await.map_err(in_french)?;
        let results: Vec<RecordResult> = answer.results.into_iter().skip(along).collect();
        anyhow::ensure!(
            results.len() == pending.len(),
            "le service n'a pas répondu pour toutes les lignes du lot"
        );
        self.bar.inc(pending.len().try_into().unwrap_or_default());
        for ((row, record), result) in pending.into_iter().zip(results) {
            self.settle(row, record, &result)?;
        }
        Ok(())
    }

    fn settle(&mut self, row: Row, record: Record, result: &RecordResult) -> anyhow::Result<()> {
        // Rows of one kind refer to none of each other.
        if self.dry_run && self.bound.iter().flatten().count() > 1 {
            self.known.learn(record);
        }
        let outcome = result.outcome();
        if outcome == RecordOutcome::Rejected {
            let (sheet, bound) = self.place(row.sheet)?;
            let faults = result.violations.iter().map(|violation| {
                let column = sheet.column_of(&violation.field);
                let place = column
                    .and_then(|column| bound.columns.iter().position(|it| *it == Some(column)));
                let heading = place.and_then(|place| bound.headings.get(place));
                Fault {
                    place,
                    heading: heading.unwrap_or(&violation.field).clone(),
                    reason: violation.reason.clone(),
                    sentence: violation.message_fr.clone(),
                }
            });
            let faults = faults.collect();
            self.refuse(row, faults);
            return Ok(());
        }
        if let Some(tally) = self.tallies.get_mut(row.sheet) {
            match outcome {
                RecordOutcome::Stored => tally.stored += 1,
                RecordOutcome::Unchanged => tally.unchanged += 1,
                RecordOutcome::Stale => tally.stale += 1,
                RecordOutcome::Superseded => tally.superseded += 1,
                other => anyhow::bail!(
                    "le service a répondu {} pour une ligne",
                    other.as_str_name()
                ),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, row: Row, faults: Vec<Fault>) {
        if let Some(tally) = self.tallies.get_mut(row.sheet) {
            tally.rejected += 1;
        }
        self.report.add(row, faults);
    }

    fn place(&self, place: usize) -> anyhow::Result<(&Sheet, &Bound)> {
        let sheet = self.layout.sheets.get(place);
        let bound = self.bound.get(place).and_then(Option::as_ref);
        sheet.zip(bound).context("a sheet of the file")
    }

    fn outcome(&self) -> Outcome {
        let sheets = self.layout.sheets.iter().zip(&self.tallies).zip(self.bound);
        Outcome {
            dry_run: self.dry_run,
            sheets: sheets
                .filter(|(_, bound)| bound.is_some())
                .map(|((sheet, tally), _)| (sheet.title.clone(), *tally))
                .collect(),
            with_example: self.with_example,
            resumed: self.sender.resumed,
            ..Outcome::default()
        }
    }
}

/// Persons and rights of a dry run, by reference: no more than a workbook has rows.
#[derive(Default)]
struct Known {
    persons: HashMap<String, Record>,
    rights: HashMap<String, Record>,
}

impl Known {
    fn learn(&mut self, record: Record) {
        let known = match &record.content {
            Some(Content::Beneficiary(_)) => &mut self.persons,
            Some(Content::Entitlement(_)) => &mut self.rights,
            _ => return,
        };
        known.insert(record.external_reference.clone(), record);
    }

    /// Those that records refer to and that are not among them: at most two for each, persons first.
    fn referred_to(&self, pending: &[(Row, Record)]) -> Vec<Record> {
        let (mut persons, mut rights) = (BTreeSet::new(), BTreeSet::new());
        for (_, record) in pending {
            match &record.content {
                Some(Content::Entitlement(right)) => persons.insert(&right.beneficiary_reference),
                Some(Content::Note(note)) => persons.insert(&note.beneficiary_reference),
                Some(Content::Step(step)) => {
                    rights.insert(&step.entitlement_reference);
                    persons.insert(&step.beneficiary_reference)
                }
                _ => continue,
            };
        }
        let rights: Vec<&Record> = rights
            .into_iter()
            .filter_map(|it| self.rights.get(it))
            .collect();
        for right in &rights {
            if let Some(Content::Entitlement(right)) = &right.content {
                persons.insert(&right.beneficiary_reference);
            }
        }
        let persons = persons.into_iter().filter_map(|it| self.persons.get(it));
        let mut along: Vec<Record> = persons.chain(rights).cloned().collect();
        // What comes in the batch itself speaks for itself.
        along.retain(|record| {
            pending.iter().all(|(_, own)| {
                own.external_reference != record.external_reference
                    || std::mem::discriminant(&own.content)
                        != std::mem::discriminant(&record.content)
            })
        });
        along
    }
}

/// The faults of a row on one line. What the service says repeats no value of an identity; a number that slipped into a
/// heading is not repeated either.
fn line(layout: &Layout, bad: &report::BadRow) -> String {
    let title = layout
        .sheets
        .get(bad.row.sheet)
        .map_or("", |sheet| sheet.title.as_str());
    let faults: Vec<String> = bad
        .faults
        .iter()
        .map(|fault| match nir::contains_nir(&fault.heading) {
            true => fault.sentence.clone(),
            false => format!("{} : {}", fault.heading, fault.sentence),
        })
        .collect();
    format!("{title}, ligne {} : {}", bad.row.line, faults.join(" ; "))
}

/// How far the import is; nothing where the standard error is no terminal.
fn bar(rows: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} lignes, encore {eta}") {
        bar.set_style(style);
    }
    bar
}
