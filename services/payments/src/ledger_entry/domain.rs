//! Entries as values: a sum that moves from one account to another.

use nonrecours_kernel::{InstalmentName, LedgerEntryId, Money};
use time::OffsetDateTime;

use crate::instalment::Instalment;

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Expense of grants (nature 657x).
    GrantExpense,
    /// Due to the operator.
    OperatorPayable,
    /// The authority's account at the Treasury.
    Treasury,
}

/// The movements that exist: there is no other way to book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// The sum becomes due: GRANT_EXPENSE debited, OPERATOR_PAYABLE credited.
    Liquidation,
    /// The sum is paid: OPERATOR_PAYABLE debited, TREASURY credited.
    Payment,
    /// The sum is not due after all: a liquidation the other way round.
    Reversal,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 3] = [Self::GrantExpense, Self::OperatorPayable, Self::Treasury];
}

impl Movement {
    /// Every movement.
    pub const ALL: [Self; 3] = [Self::Liquidation, Self::Payment, Self::Reversal];

    /// Account debited.
    pub const fn debit(self) -> Account {
        match self {
            Self::Liquidation => Account::GrantExpense,
            Self::Payment | Self::Reversal => Account::OperatorPayable,
        }
    }

    /// Account credited.
    pub const fn credit(self) -> Account {
        match self {
            Self::Liquidation => Account::OperatorPayable,
            Self::Payment => Account::Treasury,
            Self::Reversal => Account::GrantExpense,
        }
    }
}

/// A line of the books, never changed once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Id; ids follow the order of booking.
    pub id: LedgerEntryId,
    /// Instalment it books.
    pub instalment: InstalmentName,
    /// The revision of the instalment that it books: one entry a revision at most.
    pub instalment_revision: i64,
    /// From which account to which.
    pub movement: Movement,
    /// Amount, positive.
    pub amount: Money,
    /// What it is, in French.
    pub label: String,
    /// Who made the step that it books.
    pub actor: String,
    /// When.
    pub book_time: OffsetDateTime,
}

impl LedgerEntry {
    /// Books the whole of an instalment.
    pub fn book(
        id: LedgerEntryId,
        instalment: &Instalment,
        movement: Movement,
        actor: &str,
        now: OffsetDateTime,
    ) -> Self {
        let what = match movement {
            Movement::Liquidation => "Service fait certifié, somme due",
            Movement::Payment => "Virement à l'opérateur",
            Movement::Reversal => "Certification annulée, écriture contrepassée",
        };
        let (kind, position) = (instalment.kind.french(), instalment.position);
        Self {
            id,
            instalment: instalment.name,
            instalment_revision: instalment.revision,
            movement,
            amount: instalment.amount,
            label: format!("{what} : {kind} (échéance n° {position})"),
            actor: actor.to_owned(),
            book_time: now,
        }
    }

    /// Takes back the liquidation of an instalment as it was certified; booked with the revision that comes after.
    pub fn reverse(
        id: LedgerEntryId,
        certified: &Instalment,
        actor: &str,
        now: OffsetDateTime,
    ) -> Self {
        let entry = Self::book(id, certified, Movement::Reversal, actor, now);
        Self {
            instalment_revision: certified.revision + 1,
            ..entry
        }
    }

    /// Resource name: `operators/{operator}/conventions/{convention}/ledgerEntries/{ledger_entry}`.
    pub fn name(&self) -> String {
        format!("{}/ledgerEntries/{}", self.instalment.parent(), self.id)
    }
}
