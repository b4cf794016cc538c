//! Reading a file against the orders that are known: what it says of each, gathered. What is kept is bounded by the orders
//! of the programme, whatever the size of the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;

use nonrecours_kernel::{BudgetYear, InstalmentName, Money, contains_nir};
use nonrecours_pes::{
    Anomaly, Fault, Header, Item, PieceRef, PieceState, Problem, ReturnKind, Returns, SlipRef,
    Verdict,
};
use time::Date;

use crate::slip::Reason;

/// Longest words kept of the accountant's, in characters; the rest is in the file.
const MAX_REASON: usize = 500;

/// An order: the instalment, and which of its orders.
pub type OrderKey = (InstalmentName, i16);

/// An order as files name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOrder {
    /// The order.
    pub key: OrderKey,
    /// Budget year of its slip.
    pub budget_year: BudgetYear,
    /// Number of its slip.
    pub slip: i32,
    /// Its own number.
    pub piece: i32,
    /// Name of the file of its slip.
    pub file_name: String,
}

/// The orders of a programme, as files name them.
#[derive(Debug, Default)]
pub struct Known {
    pieces: HashMap<PieceRef, OrderKey>,
    slips: HashMap<SlipRef, Vec<OrderKey>>,
    flows: HashMap<String, Vec<OrderKey>>,
    years: HashMap<OrderKey, BudgetYear>,
}

/// What a file says of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Of its slip, or of the whole flow.
    pub verdict: Option<Result<(), Reason>>,
    /// Of the order itself, in an acknowledgement.
    pub anomaly: Option<Reason>,
    /// Its state, the last one stated.
    pub state: Option<(PieceState, Reason)>,
    /// Its payments.
    pub paid: Option<Paid>,
}

/// What a file says was paid for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The sum; none beyond what an amount holds.
    pub amount: Option<Money>,
    /// The last day.
    pub date: Date,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its kind.
    pub kind: ReturnKind,
    /// What it is about.
    pub header: Header,
    /// Of each order that it names and that is known.
    pub statements: BTreeMap<OrderKey, Statement>,
    /// The budget years of these orders.
    pub years: BTreeSet<BudgetYear>,
    /// Statements about others.
    pub unknown: i64,
}

impl Known {
    /// Knows these orders.
    pub fn of(orders: impl IntoIterator<Item = KnownOrder>) -> Self {
        let mut known = Self::default();
        for order in orders {
            let slip = SlipRef {
                budget_year: order.budget_year,
                number: order.slip.to_string(),
            };
            let piece = PieceRef {
                slip: slip.clone(),
                id: order.piece.to_string(),
            };
            let flow = flow_key(&order.file_name).to_owned();
            known.pieces.insert(piece, order.key);
            known.slips.entry(slip).or_default().push(order.key);
            known.flows.entry(flow).or_default().push(order.key);
            known.years.insert(order.key, order.budget_year);
        }
        known
    }
}

/// A file's name comes back with its extension or without.
fn flow_key(name: &str) -> &str {
    name.strip_suffix(".xml").unwrap_or(name)
}

/// Reads a file to its end.
pub fn read(known: &Known, source: impl BufRead) -> Result<Reading, Fault> {
    let mut returns = Returns::new(source);
    let mut statements: BTreeMap<OrderKey, Statement> = BTreeMap::new();
    let mut unknown = 0_i64;
    while let Some(item) = returns.next() {
        let item = item?;
        let keys: &[OrderKey] = match &item {
            Item::Acknowledged { slip: None, .. } => {
                let name = returns.header().file_name.as_deref().unwrap_or_default();
                known.flows.get(flow_key(name)).map_or(&[], Vec::as_slice)
            }
            Item::Acknowledged {
                slip: Some(slip), ..
            } => known.slips.get(slip).map_or(&[], Vec::as_slice),
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
    let kind = returns.kind().ok_or(Fault {
        line: 1,
        path: "/".to_owned(),
        problem: Problem::Unknown,
    })?;
    let years = statements.keys().filter_map(|key| known.years.get(key));
    Ok(Reading {
        kind,
        header: returns.header().clone(),
        years: years.copied().collect(),
        statements,
        unknown,
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

/// Words to keep: short, and without a social security number.
fn words(code: &str, text: &str) -> Reason {
    let kept = |text: &str| {
        if contains_nir(text) {
            "Texte masqué : il contient un numéro de sécurité sociale.".to_owned()
        } else {
            text.chars().take(MAX_REASON).collect()
        }
    };
    Reason {
        code: kept(code),
        text: kept(text),
    }
}
