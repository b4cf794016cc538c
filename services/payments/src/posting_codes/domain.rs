//! Posting codes as values.

use nonrecours_kernel::{PostingCodesName, Siret};
use time::OffsetDateTime;

use crate::{bank_account::Details, instalment::Requirements};

/// A version of what a programme pays under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingCodes {
    /// Resource name.
    pub name: PostingCodesName,
    /// Through whom it pays.
    pub channel: Channel,
    /// What whoever pays wants to see.
    pub requirements: Requirements,
    /// Counts the versions from 1.
    pub version: i32,
    /// When the first version was set.
    pub create_time: OffsetDateTime,
    /// When this one was.
    pub update_time: OffsetDateTime,
}

/// Through whom a programme pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Its public accountant, from PES files under these codes.
    Accountant(BudgetCodes),
    /// Its bank, from transfer files, out of this account.
    Bank(Details),
}

/// Codes of a budget at its accountant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetCodes {
    /// SIRET of the budget.
    pub authority_siret: Siret,
    /// Number of the accounting office (codique).
    pub posting_office: String,
    /// Code of the collectivity there.
    pub collectivity_code: String,
    /// Code of the budget there.
    pub budget_code: String,
    /// Function code, where the budget is voted by function.
    pub function_code: Option<String>,
    /// Codes by category of payee, each once.
    pub payees: Vec<PayeeCodes>,
}

/// Codes for the payees of one category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayeeCodes {
    /// Category.
    pub category: PayeeCategory,
    /// Account of the chart (nature).
    pub nature: String,
    /// Category of third party.
    pub third_party_category: String,
    /// Legal nature.
    pub legal_nature: String,
}

/// Legal category of a payee, as operators have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayeeCategory {
    /// Commune.
    Commune,
    /// CCAS.
    Ccas,
    /// Grouping of communes.
    Grouping,
    /// Other public body.
    OtherPublic,
    /// Association.
    Association,
    /// Other private body.
    OtherPrivate,
}

impl PayeeCategory {
    /// Every category.
    pub const ALL: [Self; 6] = [
        Self::Commune,
        Self::Ccas,
        Self::Grouping,
        Self::OtherPublic,
        Self::Association,
        Self::OtherPrivate,
    ];

    /// As the database has it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Commune => "COMMUNE",
            Self::Ccas => "CCAS",
            Self::Grouping => "GROUPING",
            Self::OtherPublic => "OTHER_PUBLIC",
            Self::Association => "ASSOCIATION",
            Self::OtherPrivate => "OTHER_PRIVATE",
        }
    }

    /// Reads [`PayeeCategory::code`].
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|category| category.code() == code)
    }
}

impl BudgetCodes {
    /// Codes for payees of a category.
    pub fn payee(&self, category: PayeeCategory) -> Option<&PayeeCodes> {
        self.payees.iter().find(|codes| codes.category == category)
    }
}
