//! A flow of expenses as plain values.

use nonrecours_kernel::{Bic, BudgetYear, Iban, Money, Siret};
use time::Date;

/// A file of slips, from the authority to its accountant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Name of the file, by which its acknowledgement refers to it; unique for ever.
    pub file_name: String,
    /// The day it is made.
    pub date: Date,
    /// Whose slips.
    pub authority: Authority,
    /// The slips, one at least.
    pub slips: Vec<Slip>,
}

/// Who orders, and at whose counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Number of the accounting office (codique).
    pub posting_office: String,
    /// SIRET of the budget.
    pub siret: Siret,
    /// The collectivity's code there.
    pub collectivity_code: String,
    /// The budget's code there.
    pub budget_code: String,
}

/// A slip of orders (bordereau).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Number within the budget year, without gaps.
    pub number: u32,
    /// The day it was issued.
    pub date: Date,
    /// What its orders do.
    pub kind: SlipKind,
    /// The orders, one at least.
    pub pieces: Vec<Piece>,
}

/// What the orders of a slip do; one slip does one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipKind {
    /// They order payments (mandats).
    Ordinary,
    /// They reduce or cancel orders of the same budget year (bordereau d'annulation).
    Correction,
}

/// An order (pièce, mandat).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its number, unique within the budget year.
    pub id: String,
    /// What it is for; cut at its limit, with a warning.
    pub object: String,
    /// The documents that justify it.
    pub documents: Vec<Document>,
    /// Its lines, numbered from 1 in this order; one at least.
    pub lines: Vec<Line>,
}

/// A supporting document, sent apart (pièce justificative).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Account of the chart (nature).
    pub nature: String,
    /// Function code, where the budget is voted by function.
    pub function: Option<String>,
    /// What the payee reads on its statement; cut at its limit, with a warning.
    pub label: String,
    /// Amount, above zero; of a correction, by how much.
    pub amount: Money,
    /// The line that it corrects, in a correction slip and only there.
    pub corrects: Option<Corrected>,
    /// Who is paid.
    pub payee: Payee,
}

/// The line of an order that another one corrects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// Its budget year.
    pub budget_year: BudgetYear,
    /// Number of the order.
    pub piece: String,
    /// Number of the line, from 1.
    pub line: u32,
}

/// Who is paid (tiers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// SIRET.
    pub siret: Siret,
    /// Category (`CatTiers`), one of [`CATEGORIES`](crate::CATEGORIES).
    pub category: String,
    /// Legal nature (`NatJur`), one of [`LEGAL_NATURES`](crate::LEGAL_NATURES).
    pub legal_nature: String,
    /// Legal name; beyond its limit it goes on in the complement.
    pub name: String,
    /// Where it is.
    pub address: Option<Address>,
    /// Where it is paid.
    pub account: Account,
}

/// An address in France.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Number and street.
    pub street: String,
    /// Five digits.
    pub post_code: String,
    /// City.
    pub city: String,
}

/// A bank account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// IBAN.
    pub iban: Iban,
    /// BIC.
    pub bic: Bic,
    /// Its holder; cut at its limit, with a warning.
    pub holder: String,
}

impl SlipKind {
    /// `TypBord`, also the type of its orders (`TypPce`).
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Ordinary => "01",
            Self::Correction => "02",
        }
    }

    /// `NatPce` of its orders.
    pub(crate) const fn piece_nature(self) -> &'static str {
        match self {
            Self::Ordinary => "01",
            Self::Correction => "06",
        }
    }
}
