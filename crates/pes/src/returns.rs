//! What comes back from the accountant, read as a stream: nothing of the file is kept but where it stands.

use std::io::BufRead;

use nonrecours_kernel::{BudgetYear, Money, parse_date};
use nonrecours_xmlflow::{Fault, MAX_ITEMS, Open, Problem, Scanner, Token};
use time::Date;

use crate::layout;

/// Most remarks kept of one order; the rest of them are in the file.
pub const MAX_REMARKS: usize = 20;

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnKind {
    /// `PES_ACQUIT`: the flow was received.
    Acknowledgement,
    /// `PES_Retour`: what was made of each order.
    Return,
}

/// What a file is about. Every part may be absent but the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Name of the file: of a `PES_ACQUIT`, of the flow that it answers.
    pub file_name: Option<String>,
    /// Number of the accounting office.
    pub posting_office: Option<String>,
    /// The collectivity's SIRET or SIREN, as written.
    pub collectivity: Option<String>,
    /// The collectivity's code at the office.
    pub collectivity_code: Option<String>,
    /// The budget's code at the office.
    pub budget_code: Option<String>,
}

/// A slip, as returns name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlipRef {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Number, without leading zeros.
    pub number: String,
}

/// An order, as returns name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceRef {
    /// Its slip.
    pub slip: SlipRef,
    /// Its number.
    pub id: String,
}

/// Why something was not accepted, in the accountant's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anomaly {
    /// `NumAnoAck`.
    pub code: String,
    /// `LibelleAnoAck`.
    pub text: String,
}

/// What was made of the whole of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Received, and in order.
    Accepted,
    /// Not accepted; the anomaly may be on its orders and lines alone.
    Refused(Option<Anomaly>),
}

/// What the accountant has made of an order (`EtatPce`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceState {
    /// 01: waits for something (en instance).
    Pending,
    /// 02: taken in charge.
    TakenInCharge,
    /// 04: rejected.
    Rejected,
    /// 05: settled.
    Settled,
}

/// One statement of a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `PES_ACQUIT`: the whole flow, or one slip of it.
    Acknowledged {
        /// The slip; none: the flow as a whole.
        slip: Option<SlipRef>,
        /// What was made of it.
        verdict: Verdict,
    },
    /// `PES_ACQUIT`: an order, or a line of it, has an anomaly. Comes before its slip's [`Item::Acknowledged`].
    Anomalous {
        /// The order.
        piece: PieceRef,
        /// The line; none: the order as a whole.
        line: Option<String>,
        /// What is wrong.
        anomaly: Anomaly,
    },
    /// `PES_Retour`: the state of an order.
    Piece {
        /// The order.
        piece: PieceRef,
        /// Its state.
        state: PieceState,
        /// What else is said of it, name and value of each element: why it was rejected, among others.
        remarks: Vec<(String, String)>,
    },
    /// `PES_Retour`: an amount was paid for an order.
    Paid {
        /// The order.
        piece: PieceRef,
        /// The line, where it is named.
        line: Option<String>,
        /// Day of the payment (`DtePay`).
        date: Date,
        /// Amount (`MtPay`).
        amount: Money,
    },
}

/// Reads a `PES_ACQUIT` or a `PES_Retour` of expenses: an iterator over its statements, in their order, that ends with
/// the file or at its first fault. Elements that say nothing of this are passed over.
pub struct Returns<R> {
    scanner: Scanner<R>,
    kind: Option<ReturnKind>,
    header: Header,
    slip: Slip,
    piece: Piece,
    payment: Payment,
    given: usize,
    ended: bool,
}

#[derive(Default)]
struct Slip {
    year: Option<BudgetYear>,
    number: Option<String>,
    accepted: Option<bool>,
    anomaly: Option<Anomaly>,
}

#[derive(Default)]
struct Piece {
    id: Option<String>,
    line: Option<String>,
    state: Option<PieceState>,
    anomaly: Option<Anomaly>,
    remarks: Vec<(String, String)>,
}

#[derive(Default)]
struct Payment {
    date: Option<Date>,
    amount: Option<Money>,
}

impl<R: BufRead> Returns<R> {
    /// Reads from the beginning of a file.
    pub fn new(source: R) -> Self {
        Self::of(Scanner::new(source))
    }

    /// Reads a file of which the root at most was looked at.
    pub fn of(scanner: Scanner<R>) -> Self {
        Self {
            scanner,
            kind: None,
            header: Header::default(),
            slip: Slip::default(),
            piece: Piece::default(),
            payment: Payment::default(),
            given: 0,
            ended: false,
        }
    }

    /// What the file is about, as far as it was read: whole once the first statement has come.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The kind of the file, once its first statement or its end has come.
    pub const fn kind(&self) -> Option<ReturnKind> {
        self.kind
    }

    fn advance(&mut self) -> Result<Option<Item>, Fault> {
        while let Some(token) = self.scanner.next()? {
            let item = match token {
                Token::Open(open) => self.open(open).map(|()| None),
                Token::Close(close) => self.close(&close.name),
            };
            if let Some(item) = item.map_err(|problem| self.scanner.fault(problem))? {
                self.given += 1;
                if self.given > MAX_ITEMS {
                    return Err(self.scanner.fault(Problem::TooManyItems));
                }
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    fn open(&mut self, open: Open) -> Result<(), Problem> {
        if self.scanner.path().len() == 1 {
            self.kind = Some(match open.name.as_str() {
                "PES_ACQUIT" => ReturnKind::Acknowledgement,
                "PES_Retour" => ReturnKind::Return,
                _ => return Err(Problem::Unknown),
            });
            return Ok(());
        }
        match (self.kind, open.name.as_str()) {
            (Some(ReturnKind::Acknowledgement), "ElementACQUIT")
            | (Some(ReturnKind::Return), "Bordereau") => {
                self.slip = Slip::default();
            }
            (Some(ReturnKind::Acknowledgement), "DetailPiece")
            | (Some(ReturnKind::Return), "Piece") => {
                self.piece = Piece::default();
            }
            (_, "DetailLigne" | "LigneDePiece") => {
                self.piece.line = None;
                self.piece.anomaly = None;
            }
            (_, "PaiementEmargement") => self.payment = Payment::default(),
            _ => {}
        }
        match open.value {
            Some(value) => self.value(&open.name, value),
            None => Ok(()),
        }
    }

    fn value(&mut self, name: &str, value: String) -> Result<(), Problem> {
        match name {
            "NomFic" => self.header.file_name = Some(value),
            "IdPost" => self.header.posting_office = Some(value),
            "IdColl" => self.header.collectivity = Some(value),
            "CodCol" => self.header.collectivity_code = Some(value),
            "CodBud" => self.header.budget_code = Some(value),
            "ExerciceBord" | "Exer" => self.slip.year = Some(known(layout::year(&value))?),
            "NumBord" | "IdBord" => self.slip.number = Some(number(&value)?),
            "EtatAck" => self.slip.accepted = Some(value == "1"),
            "NumAnoAck" => self.anomaly().code = value,
            "LibelleAnoAck" => self.anomaly().text = value,
            "NumPiece" | "IdPce" => self.piece.id = Some(number(&value)?),
            "NumLigne" | "IdLigne" => self.piece.line = Some(number(&value)?),
            "EtatPce" => self.piece.state = Some(state(&value)?),
            "DtePay" => self.payment.date = Some(known(parse_date(&value))?),
            "MtPay" => self.payment.amount = Some(known(Money::parse(&value))?),
            _ => {
                let about_piece = self.within("BlocPiece") && self.kind == Some(ReturnKind::Return);
                if about_piece && self.piece.remarks.len() < MAX_REMARKS {
                    self.piece.remarks.push((name.to_owned(), value));
                }
            }
        }
        Ok(())
    }

    /// What the anomaly being read is about: the innermost of line, order and slip.
    fn anomaly(&mut self) -> &mut Anomaly {
        let on_piece = self.within("DetailPiece");
        let place = if on_piece {
            &mut self.piece.anomaly
        } else {
            &mut self.slip.anomaly
        };
        place.get_or_insert_default()
    }

    fn within(&self, name: &str) -> bool {
        self.scanner.path().iter().any(|open| open == name)
    }

    fn close(&mut self, name: &str) -> Result<Option<Item>, Problem> {
        match (self.kind, name) {
            (Some(ReturnKind::Acknowledgement), "Erreur") if self.within("DetailPiece") => {
                let anomaly = self.piece.anomaly.take().ok_or(Problem::Incomplete)?;
                let line = if self.within("DetailLigne") {
                    Some(self.piece.line.clone().ok_or(Problem::Incomplete)?)
                } else {
                    None
                };
                Ok(Some(Item::Anomalous {
                    piece: self.piece_ref()?,
                    line,
                    anomaly,
                }))
            }
            (Some(ReturnKind::Acknowledgement), "ElementACQUIT") => {
                let slip = std::mem::take(&mut self.slip);
                let verdict = match slip.accepted.ok_or(Problem::Incomplete)? {
                    true => Verdict::Accepted,
                    false => Verdict::Refused(slip.anomaly),
                };
                let slip = match (slip.year, slip.number) {
                    (Some(budget_year), Some(number)) => Some(SlipRef {
                        budget_year,
                        number,
                    }),
                    (None, None) => None,
                    _ => return Err(Problem::Incomplete),
                };
                Ok(Some(Item::Acknowledged { slip, verdict }))
            }
            (Some(ReturnKind::Return), "BlocPiece") => {
                let Some(state) = self.piece.state.take() else {
                    return Ok(None);
                };
                Ok(Some(Item::Piece {
                    piece: self.piece_ref()?,
                    state,
                    remarks: std::mem::take(&mut self.piece.remarks),
                }))
            }
            (Some(ReturnKind::Return), "PaiementEmargement") => Ok(Some(Item::Paid {
                piece: self.piece_ref()?,
                line: self.piece.line.clone(),
                date: self.payment.date.ok_or(Problem::Incomplete)?,
                amount: self.payment.amount.ok_or(Problem::Incomplete)?,
            })),
            _ => Ok(None),
        }
    }

    fn piece_ref(&self) -> Result<PieceRef, Problem> {
        let slip = SlipRef {
            budget_year: self.slip.year.ok_or(Problem::Incomplete)?,
            number: self.slip.number.clone().ok_or(Problem::Incomplete)?,
        };
        let id = self.piece.id.clone().ok_or(Problem::Incomplete)?;
        Ok(PieceRef { slip, id })
    }
}

impl<R: BufRead> Iterator for Returns<R> {
    type Item = Result<Item, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn known<T, E>(read: Result<T, E>) -> Result<T, Problem> {
    read.map_err(|_| Problem::BadValue)
}

/// A number or code of ours as the accountant writes it back: without blanks and leading zeros.
fn number(value: &str) -> Result<String, Problem> {
    let value = value.trim().trim_start_matches('0');
    if value.is_empty() || value.len() > layout::MAX_NATURE {
        return Err(Problem::BadValue);
    }
    Ok(value.to_owned())
}

fn state(value: &str) -> Result<PieceState, Problem> {
    match value {
        "01" => Ok(PieceState::Pending),
        "02" => Ok(PieceState::TakenInCharge),
        "04" => Ok(PieceState::Rejected),
        "05" => Ok(PieceState::Settled),
        _ => Err(Problem::BadValue),
    }
}
