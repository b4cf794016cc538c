//! What of each instalment is to be given back: the plan says how much in all, the last payments go first.

use nonrecours_kernel::Money;

use super::{Instalment, Schedule};

/// What of an instalment is to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovering {
    /// How much, recovered since or not; positive.
    pub amount: Money,
    /// What becomes of it.
    pub stage: RecoveryStage,
}

/// What becomes of a sum that is to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoveryStage {
    /// Not all of it is claimed.
    ToRecover,
    /// Recoveries claim it.
    Issued,
    /// It is recovered, or given up.
    Recovered,
}

impl Schedule {
    /// What of an instalment is to be given back; nothing of one that is not PAID.
    pub fn recovering(&self, instalment: &Instalment) -> Option<Recovering> {
        instalment.state.paid()?;
        let paid_later = self
            .instalments
            .iter()
            .filter(|other| other.position > instalment.position && other.state.paid().is_some());
        // In cents of all that is to be given back, this one stands for those from `before` on.
        let before: i64 = paid_later.map(|other| other.amount.cents()).sum();
        let recovered = &self.plan.recovered;
        let left = self.plan.to_recover().cents() - before;
        let cents = left.min(instalment.amount.cents());
        let end = before + cents;
        let closed = recovered.received.cents() + recovered.written_off.cents();
        let stage = if closed >= end {
            RecoveryStage::Recovered
        } else if recovered.claimed.cents() >= end {
            RecoveryStage::Issued
        } else {
            RecoveryStage::ToRecover
        };
        let amount = Money::try_from_cents(cents).ok()?;
        amount.is_positive().then_some(Recovering { amount, stage })
    }
}
