//! Entries as values: a sum that moves from one account to another.

use nonrecours_kernel::{ConventionName, InstalmentName, LedgerEntryId, Money, RecoveryName};
use time::OffsetDateTime;

use crate::{instalment::Instalment, recovery::Recovery};

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Expense of grants (nature 657x).
    GrantExpense,
    /// Due to the operator.
    OperatorPayable,
    /// The authority's account at the Treasury.
    Treasury,
    /// Claimed from the operator.
    OperatorReceivable,
    /// Income of grants claimed back (nature 773).
    GrantRecovery,
    /// Loss of what is given up (nature 6541).
    Uncollectible,
    /// Due from the State (account 441).
    StateReceivable,
    /// Income of the State's grants (nature 74718).
    StateGrant,
}

/// The movements that exist: there is no other way to book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// The sum becomes due: GRANT_EXPENSE debited, OPERATOR_PAYABLE credited.
    Liquidation,
    /// The sum is paid: OPERATOR_PAYABLE debited, TREASURY credited.
    Payment,
    /// The sum came back: a payment the other way round.
    Return,
    /// The sum is not due after all: a liquidation the other way round.
    Reversal,
    /// The sum is claimed back: OPERATOR_RECEIVABLE debited, GRANT_RECOVERY credited.
    Claim,
    /// The sum is not claimed after all: a claim the other way round.
    Reduction,
    /// The sum is back, received or set off: TREASURY debited, OPERATOR_RECEIVABLE credited.
    Receipt,
    /// The sum is given up: UNCOLLECTIBLE debited, OPERATOR_RECEIVABLE credited.
    WriteOff,
    /// The State owes the sum: STATE_RECEIVABLE debited, STATE_GRANT credited.
    StateClaim,
    /// The State has paid the sum: TREASURY debited, STATE_RECEIVABLE credited.
    StateReceipt,
    /// It has not, after all: a receipt the other way round.
    StateReversal,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 8] = [
        Self::GrantExpense,
        Self::OperatorPayable,
        Self::Treasury,
        Self::OperatorReceivable,
        Self::GrantRecovery,
        Self::Uncollectible,
        Self::StateReceivable,
        Self::StateGrant,
    ];
}

impl Movement {
    /// Every movement.
    pub const ALL: [Self; 11] = [
        Self::Liquidation,
        Self::Payment,
        Self::Return,
        Self::Reversal,
        Self::Claim,
        Self::Reduction,
        Self::Receipt,
        Self::WriteOff,
        Self::StateClaim,
        Self::StateReceipt,
        Self::StateReversal,
    ];

    /// Account debited.
    pub const fn debit(self) -> Account {
        match self {
            Self::Liquidation => Account::GrantExpense,
            Self::Payment | Self::Reversal => Account::OperatorPayable,
            Self::Claim => Account::OperatorReceivable,
            Self::Reduction => Account::GrantRecovery,
            Self::Return | Self::Receipt | Self::StateReceipt => Account::Treasury,
            Self::WriteOff => Account::Uncollectible,
            Self::StateClaim | Self::StateReversal => Account::StateReceivable,
        }
    }

    /// Account credited.
    pub const fn credit(self) -> Account {
        match self {
            Self::Liquidation | Self::Return => Account::OperatorPayable,
            Self::Payment | Self::StateReversal => Account::Treasury,
            Self::StateClaim => Account::StateGrant,
            Self::StateReceipt => Account::StateReceivable,
            Self::Reversal => Account::GrantExpense,
            Self::Claim => Account::GrantRecovery,
            Self::Reduction | Self::Receipt | Self::WriteOff => Account::OperatorReceivable,
        }
    }

    /// What it is, in French.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Liquidation => "Service fait certifié, somme due",
            Self::Payment => "Virement à l'opérateur",
            Self::Return => "Virement retourné, écriture contrepassée",
            Self::Reversal => "Certification annulée, écriture contrepassée",
            Self::Claim => "Titre de recette émis",
            Self::Reduction => "Titre de recette réduit",
            Self::Receipt => "Somme recouvrée",
            Self::WriteOff => "Admission en non-valeur",
            Self::StateClaim => "Subvention de l'État exigible",
            Self::StateReceipt => "Versement de l'État",
            Self::StateReversal => "Versement de l'État annulé, écriture contrepassée",
        }
    }
}

/// What an entry books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A step of an instalment.
    Instalment(InstalmentName),
    /// An act of a recovery.
    Recovery(RecoveryName),
}

impl Subject {
    /// The convention whose books these are.
    pub const fn convention(&self) -> ConventionName {
        match self {
            Self::Instalment(name) => name.parent(),
            Self::Recovery(name) => name.parent(),
        }
    }
}

/// A line of the books, never changed once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Id; ids follow the order of booking.
    pub id: LedgerEntryId,
    /// What it books.
    pub subject: Subject,
    /// The revision of it that it books: one entry a revision at most.
    pub revision: i64,
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
        let what = movement.french();
        let (kind, position) = (instalment.kind.french(), instalment.position);
        Self {
            id,
            subject: Subject::Instalment(instalment.name),
            revision: instalment.revision,
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
            revision: certified.revision + 1,
            ..entry
        }
    }

    /// What a part that came back of a payment books: the money first, then as much of the certification.
    pub fn return_part(
        ids: [LedgerEntryId; 2],
        left: &Instalment,
        amount: Money,
        actor: &str,
        now: OffsetDateTime,
    ) -> [Self; 2] {
        let [money, due] = ids;
        let entry = |id, movement| Self {
            amount,
            ..Self::book(id, left, movement, actor, now)
        };
        [
            Self {
                revision: left.revision - 1,
                ..entry(money, Movement::Return)
            },
            entry(due, Movement::Reversal),
        ]
    }

    /// Takes back as much of a certification as a correction took off its order.
    pub fn correct(
        id: LedgerEntryId,
        corrected: &Instalment,
        amount: Money,
        actor: &str,
        now: OffsetDateTime,
    ) -> Self {
        let (kind, position) = (corrected.kind.french(), corrected.position);
        let what = if corrected.is_ordered() {
            "Mandat réduit"
        } else {
            "Mandat annulé"
        };
        Self {
            amount,
            label: format!("{what}, écriture contrepassée : {kind} (échéance n° {position})"),
            ..Self::book(id, corrected, Movement::Reversal, actor, now)
        }
    }

    /// Books the last step of a recovery: how much moves from where to where.
    pub fn recover(
        id: LedgerEntryId,
        recovery: &Recovery,
        (movement, amount): (Movement, Money),
        actor: &str,
        now: OffsetDateTime,
    ) -> Self {
        let (what, number, year) = (movement.french(), recovery.number, recovery.budget_year);
        Self {
            id,
            subject: Subject::Recovery(recovery.name),
            revision: recovery.revision,
            movement,
            amount,
            label: format!("{what} : titre n° {number} de l'exercice {year}"),
            actor: actor.to_owned(),
            book_time: now,
        }
    }

    /// Resource name: `operators/{operator}/conventions/{convention}/ledgerEntries/{ledger_entry}`.
    pub fn name(&self) -> String {
        format!("{}/ledgerEntries/{}", self.subject.convention(), self.id)
    }
}
