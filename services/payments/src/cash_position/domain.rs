//! The cash position as a value: everything follows from the balances of the ledger, and the steps of the instalments.

use nonrecours_kernel::Money;

use crate::ledger_entry::{Account, Movement};

/// Sums of a programme at the end of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CashPosition {
    /// What the State grants.
    pub granted: Money,
    /// What has come of it.
    pub received: Money,
    /// What is due of it and has not come.
    pub receivable: Money,
    /// Paid to operators, less what came back.
    pub paid: Money,
    /// Certified and not paid.
    pub payable: Money,
    /// Recovered from operators.
    pub recovered: Money,
    /// Claimed from operators, and open.
    pub recoverable: Money,
    /// At hand.
    pub cash: Money,
    /// What is not paid, by the steps of the instalments.
    pub ordered: Ordered,
}

/// What is in no account yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Ordered and not paid.
    pub ordered: Money,
    /// Planned and not ordered.
    pub engaged: Money,
}

impl CashPosition {
    /// From what was booked, by movement. None when a sum is beyond all amounts.
    pub fn of(granted: Money, booked: &[(Movement, Money)], ordered: Ordered) -> Option<Self> {
        let sum = |of: &dyn Fn(Movement) -> bool| {
            let own = booked.iter().filter(|(movement, _)| of(*movement));
            Money::sum(own.map(|(_, amount)| *amount))
        };
        let total = |wanted: Movement| sum(&|movement| movement == wanted);
        let balance = |account: Account| {
            let debits = sum(&|movement| movement.debit() == account)?;
            debits.checked_sub(sum(&|movement| movement.credit() == account)?)
        };
        let payable = Money::ZERO.checked_sub(balance(Account::OperatorPayable)?)?;
        Some(Self {
            granted,
            received: total(Movement::StateReceipt)?
                .checked_sub(total(Movement::StateReversal)?)?,
            receivable: balance(Account::StateReceivable)?,
            paid: total(Movement::Payment)?.checked_sub(total(Movement::Return)?)?,
            payable,
            recovered: total(Movement::Receipt)?,
            recoverable: balance(Account::OperatorReceivable)?,
            cash: balance(Account::Treasury)?,
            ordered,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was booked: what is at hand is what has come less what was paid, and nothing is lost between accounts.
        #[test]
        fn nothing_is_lost_between_the_figures(
            entries in prop::collection::vec((0..Movement::ALL.len(), 1..1_000_000_i64), 0..40),
        ) {
            let booked: Vec<_> = entries
                .iter()
                .map(|(place, cents)| (Movement::ALL[*place], Money::from_cents(*cents)))
                .collect();
            let position = CashPosition::of(Money::ZERO, &booked, Ordered::default()).unwrap();
            let cash = position.received.cents() + position.recovered.cents() - position.paid.cents();
            prop_assert_eq!(position.cash.cents(), cash);
            let total = |movement| -> i64 {
                let own = booked.iter().filter(|(one, _)| *one == movement);
                own.map(|(_, amount)| amount.cents()).sum()
            };
            prop_assert_eq!(position.receivable.cents(), total(Movement::StateClaim) - position.received.cents());
            let due = total(Movement::Liquidation) - total(Movement::Reversal);
            prop_assert_eq!(position.payable.cents(), due - position.paid.cents());
            let claimed = total(Movement::Claim) - total(Movement::Reduction) - total(Movement::WriteOff);
            prop_assert_eq!(position.recoverable.cents(), claimed - position.recovered.cents());
        }
    }
}
