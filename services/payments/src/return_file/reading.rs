//! Reading a file against the orders that are known: what it says of each, gathered. What is kept is bounded by the orders
//! of the programme, whatever the size of the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufRead;

use nonrecours_kernel::{BudgetYear, InstalmentName, Money, SlipName, contains_nir};
use nonrecours_pes::{PieceRef, PieceState, Returns, SlipRef};
use nonrecours_sepa::Reader;
use nonrecours_xmlflow::{Fault, Scanner};
use time::Date;

use super::{FileKind, accountant, bank};
use crate::{
    correction::CorrectionKey,
    slip::{Order, Reason, Slip},
};

/// Longest words kept of the accountant's or the bank's, in characters; the rest is in the file.
const MAX_REASON: usize = 500;
/// The root of every file of ISO 20022.
const BANK_ROOT: &str = "Document";

/// An order: the instalment, and which of its orders.
pub type OrderKey = (InstalmentName, i16);

/// What a file may say something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An order.
    Order(OrderKey),
    /// A correction of one.
    Correction(CorrectionKey),
}

/// An order, or a correction of one, as files name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOrder {
    /// Which.
    pub target: Target,
    /// Budget year of its slip.
    pub budget_year: BudgetYear,
    /// By what files name it.
    pub as_named: Named,
}

/// By what the files about an order name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Those of the public accountant.
    ByAccountant {
        /// Number of its slip.
        slip: i32,
        /// Its own number.
        piece: i32,
        /// Name of the file of its slip.
        file_name: String,
    },
    /// Those of the bank.
    ByBank {
        /// Its slip.
        slip: SlipName,
        /// IBAN of the account that pays it.
        account: String,
    },
}

/// The orders of a programme and their corrections, as files name them.
#[derive(Debug, Default)]
pub struct Known {
    /// No two pieces of a year have one number, but for those sent again in another slip.
    pub(super) pieces: HashMap<PieceRef, Target>,
    /// The flows of a slip: two where a slip that orders and one that corrects have the same number.
    slips: HashMap<SlipRef, BTreeSet<String>>,
    pub(super) flows: HashMap<String, Vec<Target>>,
    /// By message id.
    pub(super) messages: HashMap<String, Vec<Target>>,
    /// By end-to-end id, with the account that pays.
    pub(super) transfers: HashMap<String, (Target, String)>,
    /// The accounts that the programme pays from, or has.
    pub(super) accounts: BTreeSet<String>,
    years: HashMap<Target, BudgetYear>,
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
    /// What came back of them.
    pub returned: Option<Returned>,
}

/// What a file says was paid for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The sum; none beyond what an amount holds.
    pub amount: Option<Money>,
    /// The last day.
    pub date: Date,
}

/// What a file says came back of the payment of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The sum; none beyond what an amount holds.
    pub amount: Option<Money>,
    /// The last day.
    pub date: Date,
    /// Why.
    pub reason: Reason,
}

/// A payment under a reference of our form that no order of the programme has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stranger {
    /// The reference.
    pub reference: String,
    /// What was paid.
    pub amount: Money,
    /// When.
    pub date: Date,
}

/// What a file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A budget at a public accountant's, as far as the file says which.
    Budget {
        /// Number of the accounting office.
        posting_office: Option<String>,
        /// The collectivity's code there.
        collectivity_code: Option<String>,
        /// The budget's code there.
        budget_code: Option<String>,
    },
    /// An account, and whether the programme pays from it; of a file that names none, whether it pays from any.
    Account {
        /// Whether.
        ours: bool,
    },
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its kind.
    pub kind: FileKind,
    /// The name of the flow in it, or the message id that it answers; empty when it gives none.
    pub flow_name: String,
    /// What it is about.
    pub about: About,
    /// Of each order and correction that it names and that is known.
    pub statements: BTreeMap<Target, Statement>,
    /// The budget years of these orders.
    pub years: BTreeSet<BudgetYear>,
    /// Statements about others.
    pub unknown: i64,
    /// Of these, payments under a reference of our form; the first of them.
    pub strangers: BTreeSet<Stranger>,
}

impl Known {
    /// Knows these orders, and the accounts that the programme pays from.
    pub fn of(
        orders: impl IntoIterator<Item = KnownOrder>,
        accounts: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut known = Self {
            accounts: accounts.into_iter().collect(),
            ..Self::default()
        };
        for order in orders {
            let target = order.target;
            known.years.insert(target, order.budget_year);
            match order.as_named {
                Named::ByAccountant {
                    slip,
                    piece,
                    file_name,
                } => {
                    let slip = SlipRef {
                        budget_year: order.budget_year,
                        number: slip.to_string(),
                    };
                    let piece = PieceRef {
                        slip: slip.clone(),
                        id: piece.to_string(),
                    };
                    let flow = accountant::flow_key(&file_name).to_owned();
                    known.pieces.insert(piece, target);
                    known.slips.entry(slip).or_default().insert(flow.clone());
                    known.flows.entry(flow).or_default().push(target);
                }
                Named::ByBank { slip, account } => {
                    let message = Slip::message_id(&slip);
                    known.messages.entry(message).or_default().push(target);
                    if let Target::Order((instalment, attempt)) = target {
                        let reference = Order::end_to_end_id(&instalment, attempt);
                        known.transfers.insert(reference, (target, account));
                    }
                }
            }
        }
        known
    }

    /// What is in a slip. Where two slips have its number, the one whose flow is named; named otherwise, nobody can tell.
    pub(super) fn of_slip(&self, slip: &SlipRef, flow: Option<&str>) -> &[Target] {
        let Some(flows) = self.slips.get(slip) else {
            return &[];
        };
        let named = flow.map(accountant::flow_key);
        let mut flows = flows
            .iter()
            .filter(|flow| flows.len() == 1 || named == Some(flow.as_str()));
        let targets = flows.next().and_then(|flow| self.flows.get(flow));
        targets.map_or(&[], Vec::as_slice)
    }

    /// The budget years of these orders.
    pub(super) fn years(&self, statements: &BTreeMap<Target, Statement>) -> BTreeSet<BudgetYear> {
        let years = statements.keys().filter_map(|key| self.years.get(key));
        years.copied().collect()
    }
}

/// Reads a file to its end: of the accountant or of a bank, its root says.
pub fn read(known: &Known, source: impl BufRead) -> Result<Reading, Fault> {
    let mut scanner = Scanner::new(source);
    if scanner.root()? == Some(BANK_ROOT) {
        bank::read(known, Reader::of(scanner))
    } else {
        accountant::read(known, Returns::of(scanner))
    }
}

/// Words to keep: short, and without a social security number.
pub(super) fn words(code: &str, text: &str) -> Reason {
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
