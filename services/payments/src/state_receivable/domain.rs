//! Receivables as values: due by the agreement, received, taken back.

use nonrecours_kernel::{
    BudgetYear, Digest, LedgerEntryId, Money, StateReceivableName, paris_date,
};
use time::{Date, OffsetDateTime};

use super::Refusal;
use crate::{
    instalment::{Kind, Step},
    ledger_entry::Movement,
    payment_plan::Mismatch,
};

/// Most receipts and reversals of one receivable.
pub const MAX_RECEIPTS: usize = 100;

/// What the State owes by one agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateReceivable {
    /// Resource name.
    pub name: StateReceivableName,
    /// What was agreed.
    pub terms: Terms,
    /// Day on which the territory's report was sent.
    pub report_sent: Option<Date>,
    /// What was received and taken back, in order.
    pub receipts: Vec<Receipt>,
    /// What the ledger says is due, and has come.
    pub booked: Booked,
    /// The newest revision of the funding that was taken into account.
    pub funding_revision: i64,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was opened.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What was agreed with the State; never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Budget year of the grant.
    pub budget_year: BudgetYear,
    /// Reference of the agreement.
    pub agreement_reference: String,
    /// At the start.
    pub advance: Part,
    /// After the territory's report.
    pub balance: Part,
}

/// An instalment of the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Amount, never negative.
    pub amount: Money,
    /// Day on which it is expected.
    pub expected: Date,
}

/// Sums of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Due.
    pub due: Money,
    /// Received, reversals taken off.
    pub received: Money,
}

/// Money that has come, or the reversal of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which of the two.
    pub kind: ReceiptKind,
    /// Amount, positive.
    pub amount: Money,
    /// Day on which the money came.
    pub date: Date,
    /// The accountant's reference.
    pub reference: String,
    /// Who recorded it.
    pub step: Step,
}

/// Whether money has come, or a receipt is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptKind {
    /// Money has come.
    Received(Evidence),
    /// The receipt at this place, from 0, is taken back.
    Reversal {
        /// Which.
        of: usize,
        /// Why.
        reason: String,
    },
}

/// The file that proves a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its name as people see it.
    pub file_name: String,
    /// Digest of its bytes.
    pub digest: Digest,
}

/// What the funding says in one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Name of the receivable.
    pub name: StateReceivableName,
    /// Revision of the funding.
    pub revision: i64,
    /// What was agreed.
    pub terms: Terms,
    /// Day on which the report was sent.
    pub report_sent: Option<Date>,
}

/// What a revision of the funding changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Nothing: this revision or a newer one was taken into account before.
    Stale,
    /// Only the revision that was taken into account.
    Seen(StateReceivable),
    /// More is due.
    Due(StateReceivable, Entry),
}

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Money has come.
    Receive {
        /// How much.
        amount: Money,
        /// On which day.
        date: Date,
        /// The accountant's reference.
        reference: String,
        /// What proves it.
        evidence: Evidence,
    },
    /// A receipt is taken back.
    Reverse {
        /// Its reference.
        reference: String,
        /// Why.
        reason: String,
    },
}

/// A sum that moves from one account to another with a revision of the receivable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From which account to which.
    pub movement: Movement,
    /// Amount, positive.
    pub amount: Money,
    /// What it is, in French.
    pub label: String,
}

/// An entry with its id, and who made the step that it books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedEntry {
    /// Id; ids follow the order of booking.
    pub id: LedgerEntryId,
    /// What moves.
    pub entry: Entry,
    /// Who.
    pub actor: String,
}

impl Terms {
    /// The instalments in their order.
    pub const fn parts(&self) -> [(Kind, Part); 2] {
        [(Kind::Advance, self.advance), (Kind::Balance, self.balance)]
    }

    /// The grant: both together.
    pub fn grant(&self) -> Money {
        sum(self.parts().map(|(_, part)| part.amount))
    }
}

impl Receipt {
    /// What it moves.
    pub const fn movement(&self) -> Movement {
        match self.kind {
            ReceiptKind::Received(_) => Movement::StateReceipt,
            ReceiptKind::Reversal { .. } => Movement::StateReversal,
        }
    }

    /// The change that it is told as.
    pub const fn change(&self) -> &'static str {
        match self.kind {
            ReceiptKind::Received(_) => "state_receivable.received",
            ReceiptKind::Reversal { .. } => "state_receivable.reversed",
        }
    }
}

impl Claim {
    /// A receivable, with the entry of what is due at once, if anything is.
    pub fn open(&self, now: OffsetDateTime) -> Result<(StateReceivable, Option<Entry>), Mismatch> {
        let parts = self.terms.parts();
        let sound = parts.iter().all(|(_, part)| !part.amount.is_negative());
        if !sound || !self.terms.grant().is_positive() {
            return Err(Mismatch::Terms);
        }
        let receivable = StateReceivable {
            name: self.name,
            terms: self.terms.clone(),
            report_sent: self.report_sent,
            receipts: Vec::new(),
            booked: Booked::default(),
            funding_revision: self.revision,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        Ok(receivable.claim())
    }
}

impl StateReceivable {
    /// Whether an instalment is due: the balance once the report was sent.
    pub const fn is_due(&self, kind: Kind) -> bool {
        match kind {
            Kind::Balance => self.report_sent.is_some(),
            Kind::Advance | Kind::Interim => true,
        }
    }

    /// What is due of the grant.
    pub fn due(&self) -> Money {
        let parts = self.terms.parts().into_iter();
        let due = parts.filter(|(kind, _)| self.is_due(*kind));
        sum(due.map(|(_, part)| part.amount))
    }

    /// What has come, by the receipts.
    pub fn received(&self) -> Money {
        let standing = self.standing();
        sum(standing.map(|(_, receipt)| receipt.amount))
    }

    /// What is due and has not come.
    pub fn outstanding(&self) -> Money {
        less(self.due(), self.received())
    }

    /// What has come of each instalment: the money goes to the first until that is full.
    pub fn received_by_part(&self) -> [Money; 2] {
        let (received, advance) = (self.received(), self.terms.advance.amount);
        let first = received.min(advance);
        [first, less(received, first)]
    }

    /// Receipts that were not taken back, with their places.
    fn standing(&self) -> impl Iterator<Item = (usize, &Receipt)> {
        let reversed = |place: usize| {
            let mut reversals = self.receipts.iter();
            reversals.any(|one| matches!(one.kind, ReceiptKind::Reversal { of, .. } if of == place))
        };
        let receipts = self.receipts.iter().enumerate();
        receipts.filter(move |(place, one)| {
            matches!(one.kind, ReceiptKind::Received(_)) && !reversed(*place)
        })
    }

    /// Takes a revision of the funding into account. What was agreed never changes; a report once sent stays so.
    pub fn learn(&self, claim: &Claim, now: OffsetDateTime) -> Result<Learned, Mismatch> {
        if claim.revision <= self.funding_revision {
            return Ok(Learned::Stale);
        }
        if claim.terms != self.terms {
            return Err(Mismatch::Terms);
        }
        let seen = Self {
            report_sent: self.report_sent.or(claim.report_sent),
            funding_revision: claim.revision,
            ..self.clone()
        };
        if seen.report_sent == self.report_sent {
            return Ok(Learned::Seen(seen));
        }
        let (next, entry) = seen.changed(now).claim();
        Ok(match entry {
            Some(entry) => Learned::Due(next, entry),
            // A balance that rounds to nothing.
            None => Learned::Seen(next),
        })
    }

    /// Books what is due and not yet booked.
    fn claim(mut self) -> (Self, Option<Entry>) {
        let amount = less(self.due(), self.booked.due);
        if !amount.is_positive() {
            return (self, None);
        }
        let (reference, year) = (&self.terms.agreement_reference, self.terms.budget_year);
        let entry = Entry {
            movement: Movement::StateClaim,
            amount,
            label: format!("Subvention de l'État exigible : {reference}, exercice {year}"),
        };
        self.booked.due = self.due();
        (self, Some(entry))
    }

    /// Makes a step; the receipt added is its last. Nothing when it was known. All refusals are in [`Refusal`].
    pub fn take(&self, command: Command, step: Step) -> Result<Option<(Self, Entry)>, Refusal> {
        let same = |reference: &str| {
            let mut standing = self.standing();
            standing.find(|(_, receipt)| receipt.reference == reference)
        };
        let receipt = match command {
            Command::Receive {
                amount,
                date,
                reference,
                evidence,
            } => {
                if let Some((_, known)) = same(&reference) {
                    let known = known.amount == amount && known.date == date;
                    return if known { Ok(None) } else { Err(Refusal::Known) };
                }
                let (first, last) = (self.terms.budget_year.first_day(), paris_date(step.time));
                if !(first..=last).contains(&date) {
                    return Err(Refusal::DateOutOfRange { first, last });
                }
                if amount > self.outstanding() {
                    return Err(Refusal::Exceeded(self.outstanding()));
                }
                Receipt {
                    kind: ReceiptKind::Received(evidence),
                    amount,
                    date,
                    reference,
                    step,
                }
            }
            Command::Reverse { reference, reason } => {
                let (of, known) = same(&reference).ok_or(Refusal::Unknown)?;
                Receipt {
                    kind: ReceiptKind::Reversal { of, reason },
                    amount: known.amount,
                    date: known.date,
                    reference,
                    step,
                }
            }
        };
        if self.receipts.len() >= MAX_RECEIPTS {
            return Err(Refusal::Full);
        }
        let what = match receipt.kind {
            ReceiptKind::Received(_) => "Versement de l'État",
            ReceiptKind::Reversal { .. } => "Versement de l'État annulé, écriture contrepassée",
        };
        let entry = Entry {
            movement: receipt.movement(),
            amount: receipt.amount,
            label: format!("{what} : {}", receipt.reference),
        };
        let mut next = self.clone().changed(receipt.step.time);
        next.receipts.push(receipt);
        next.booked.received = next.received();
        Ok(Some((next, entry)))
    }

    fn changed(self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

/// The sum; the range of money is far beyond what the State grants.
fn sum(amounts: impl IntoIterator<Item = Money>) -> Money {
    Money::sum(amounts).unwrap_or(Money::MAX)
}

fn less(one: Money, other: Money) -> Money {
    one.checked_sub(other).unwrap_or_default()
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
