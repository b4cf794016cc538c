//! What a `PES_ACQUIT` or a `PES_Retour` says of the orders.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use nonrecours_kernel::Money;
use nonrecours_pes::{Anomaly, Item, ReturnKind, Returns, Verdict};
use nonrecours_xmlflow::{Fault, Problem};

use super::{About, FileKind, Known, Paid, Reading, Statement, Target, reading::words};
use crate::slip::Reason;

/// A file's name comes back with its extension or without.
pub(super) fn flow_key(name: &str) -> &str {
    name.strip_suffix(".xml").unwrap_or(name)
}

/// Reads a file to its end.
pub(super) fn read(known: &Known, mut returns: Returns<impl BufRead>) -> Result<Reading, Fault> {
    let mut statements: BTreeMap<Target, Statement> = BTreeMap::new();
    let mut unknown = 0_i64;
    while let Some(item) = returns.next() {
        let item = item?;
        let keys: &[Target] = match &item {
            Item::Acknowledged { slip: None, .. } => {
                let name = returns.header().file_name.as_deref().unwrap_or_default();
                known.flows.get(flow_key(name)).map_or(&[], Vec::as_slice)
            }
            Item::Acknowledged {
                slip: Some(slip), ..
            } => known.of_slip(slip, returns.header().file_name.as_deref()),
            Item::Anomalous { piece, .. }
            | Item::Piece { piece, .. }
            | Item::Paid { piece, .. } => known.pieces.get(piece).map_or(&[], std::slice::from_ref),
        };
        if keys.is_empty() {
            unknown = unknown.saturating_add(1);
        }
        for key in keys {
            statements.entry(*key).or_default().hear(&item);
        }
    }
    let kind = match returns.kind() {
        Some(ReturnKind::Acknowledgement) => FileKind::Acknowledgement,
        Some(ReturnKind::Return) => FileKind::Return,
        None => {
            return Err(Fault {
                line: 1,
                path: "/".to_owned(),
                problem: Problem::Unknown,
            });
        }
    };
    let header = returns.header().clone();
    Ok(Reading {
        kind,
        flow_name: header.file_name.unwrap_or_default(),
        about: About::Budget {
            posting_office: header.posting_office,
            collectivity_code: header.collectivity_code,
            budget_code: header.budget_code,
        },
        years: known.years(&statements),
        statements,
        unknown,
        strangers: BTreeSet::new(),
    })
}

impl Statement {
    fn hear(&mut self, item: &Item) {
        match item {
            Item::Acknowledged { verdict, .. } => {
                self.verdict = Some(match verdict {
                    Verdict::Accepted => Ok(()),
                    Verdict::Refused(anomaly) => Err(anomaly.as_ref().map_or_else(
                        || words("", "Le bordereau n'a pas été accepté."),
                        |anomaly| of_anomaly(anomaly, None),
                    )),
                });
            }
            Item::Anomalous { line, anomaly, .. } => {
                // The first tells the most: those of lines follow from it.
                self.anomaly
                    .get_or_insert_with(|| of_anomaly(anomaly, line.as_deref()));
            }
            Item::Piece { state, remarks, .. } => self.state = Some((*state, of_remarks(remarks))),
            Item::Paid { date, amount, .. } => {
                let before = self.paid.unwrap_or(Paid {
                    amount: Some(Money::ZERO),
                    date: *date,
                });
                self.paid = Some(Paid {
                    amount: before.amount.and_then(|sum| sum.checked_add(*amount)),
                    date: before.date.max(*date),
                });
            }
        }
    }
}

fn of_anomaly(anomaly: &Anomaly, line: Option<&str>) -> Reason {
    match line {
        Some(line) => words(&anomaly.code, &format!("Ligne {line} : {}", anomaly.text)),
        None => words(&anomaly.code, &anomaly.text),
    }
}

/// The accountant's code and words among what a return says of an order. Which elements hold them is not settled, so a value
/// whose name says that it is a code or a number is the code, and all others are kept with their names.
fn of_remarks(remarks: &[(String, String)]) -> Reason {
    let is_code = |name: &str| name.starts_with("Cod") || name.starts_with("Num");
    let code = remarks.iter().find(|(name, _)| is_code(name));
    let others: Vec<String> = remarks
        .iter()
        .filter(|remark| Some(*remark) != code)
        .map(|(name, value)| format!("{name} : {value}"))
        .collect();
    let code = code.map_or("", |(_, value)| value);
    words(code, &others.join(" ; "))
}
