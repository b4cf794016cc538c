//! The State's side of the books against its figures.

use nonrecours_kernel::Money;

use super::StateReceivable;
use crate::{
    ledger_entry::{
        Account, Movement,
        verify::{Discrepancy, Figure},
    },
    payment_plan::Mismatch,
};

/// What the entries of one movement come to: their sum, and how many they are.
pub type Total = (Movement, Money, i64);

/// What the books of one receivable come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many entries there are.
    pub entries: i64,
    /// Debits less credits of each account that has entries.
    pub balances: Vec<(Account, Money)>,
    /// Where the books and the figures differ.
    pub discrepancies: Vec<Discrepancy>,
}

impl Verification {
    /// Verifies one receivable.
    pub fn of(receivable: &StateReceivable, booked: &[Total]) -> Result<Self, Mismatch> {
        let sum = |of: &dyn Fn(Movement) -> bool| {
            let own = booked.iter().filter(|(movement, ..)| of(*movement));
            Money::sum(own.map(|(_, amount, _)| *amount)).ok_or(Mismatch::Terms)
        };
        let total = |wanted: Movement| sum(&|movement| movement == wanted);
        let less = |one: Money, other| one.checked_sub(other).ok_or(Mismatch::Terms);
        let received = less(
            total(Movement::StateReceipt)?,
            total(Movement::StateReversal)?,
        )?;
        let figures = [
            (
                Figure::StateDueAmount,
                total(Movement::StateClaim)?,
                receivable.due(),
            ),
            (Figure::StateReceivedAmount, received, receivable.received()),
        ];
        let differing = figures
            .into_iter()
            .filter(|(_, expected, found)| expected != found);
        let discrepancies = differing.map(|(figure, expected, found)| Discrepancy {
            figure,
            subject: receivable.name.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        });
        let mut balances = Vec::new();
        for account in Account::ALL {
            let debits = sum(&|movement| movement.debit() == account)?;
            let credits = sum(&|movement| movement.credit() == account)?;
            if debits.is_positive() || credits.is_positive() {
                balances.push((account, less(debits, credits)?));
            }
        }
        Ok(Self {
            entries: booked.iter().map(|(.., entries)| entries).sum(),
            balances,
            discrepancies: discrepancies.collect(),
        })
    }
}
