//! Plans as values: kept up with their convention, paid.

use nonrecours_kernel::{BudgetYear, ConventionName, Money, OperatorId, PaymentPlanName, Siren};
use time::OffsetDateTime;

use super::{Agreement, Measures, Mismatch};
use crate::instalment::Kind;

/// How the grant of one convention is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentPlan {
    /// The convention; the plan is its only one.
    pub convention: ConventionName,
    /// Title of the convention.
    pub title: String,
    /// Budget year the grant is charged to.
    pub budget_year: BudgetYear,
    /// Grant in force.
    pub grant: Money,
    /// Terms in force, in their order: they make up the grant.
    pub terms: Vec<(Kind, Money)>,
    /// What the ledger says was paid.
    pub paid: Money,
    /// Whether an advance may be certified without a call for funds (art. 6).
    pub advance_without_call: bool,
    /// Whether the actions are done and the report accepted: the balance falls due (art. 6).
    pub actions_completed: bool,
    /// What stands beside the ordinary life of the convention.
    pub measures: Measures,
    /// The newest revision of the convention that was taken into account.
    pub convention_revision: i64,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was opened.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of a plan; follows from the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something remains to be paid.
    Open,
    /// The whole grant is paid, or what a decision leaves of it.
    Settled,
}

/// The operator as `payments` knows it: who is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// The operator.
    pub operator: OperatorId,
    /// Legal name, which the holder of the account should bear.
    pub legal_name: String,
    /// SIREN.
    pub siren: Siren,
    /// Whether it is a public body, normally paid at the Treasury's banks.
    pub is_public: bool,
}

/// What a revision of the convention changes in its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Nothing: this revision or a newer one was taken into account before.
    Stale,
    /// Only the revision that was taken into account.
    Seen(PaymentPlan),
    /// Something a reader of the plan sees: its own revision moves.
    Changed(PaymentPlan),
    /// The same, and the instalments have to be planned again.
    Replanned(PaymentPlan, Cause),
}

/// Why the instalments of a plan are planned again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An amendment changes the terms of payment.
    Amendment,
    /// A decision changes what is due (art. 8).
    Decision,
}

impl PaymentPlan {
    /// Resource name.
    pub fn name(&self) -> PaymentPlanName {
        PaymentPlanName {
            operator: self.convention.operator,
            convention: self.convention.convention,
        }
    }

    /// What is due to the operator in all: never more than the grant in force.
    pub fn due(&self) -> Money {
        self.measures
            .due
            .map_or(self.grant, |due| due.min(self.grant))
    }

    /// What the instalments make up, unless more was ordered before. A termination leaves them as they are: what is not
    /// ordered is blocked.
    pub fn payable(&self) -> Money {
        if self.measures.terminated {
            self.grant
        } else {
            self.due()
        }
    }

    /// What the operator has to give back: what was paid above what is due, no less than what is claimed, and never more
    /// than what was paid.
    pub fn to_recover(&self) -> Money {
        let above = self
            .paid
            .checked_sub(self.due())
            .unwrap_or_default()
            .max(Money::ZERO);
        above.max(self.measures.claimed).min(self.paid)
    }

    /// OPEN until the whole grant is paid, or what a decision leaves of it. A terminated plan that was not paid in full is
    /// not settled: what remains is never paid.
    pub fn state(&self) -> State {
        let paid_as_reduced = !self.measures.terminated && self.paid >= self.due();
        if self.paid >= self.grant || paid_as_reduced {
            State::Settled
        } else {
            State::Open
        }
    }

    /// Takes a revision of the convention into account. Actions once completed stay so.
    pub fn learn(self, agreement: &Agreement, now: OffsetDateTime) -> Result<Learned, Mismatch> {
        if agreement.revision <= self.convention_revision {
            return Ok(Learned::Stale);
        }
        if agreement.budget_year != self.budget_year {
            return Err(Mismatch::BudgetYear);
        }
        let plan = Self {
            title: agreement.title.clone(),
            grant: agreement.grant,
            terms: agreement.due_terms()?,
            advance_without_call: agreement.advance_without_call,
            actions_completed: self.actions_completed || agreement.actions_completed,
            measures: agreement.measures,
            convention_revision: agreement.revision,
            ..self.clone()
        };
        let seen = Self {
            convention_revision: agreement.revision,
            ..self.clone()
        };
        Ok(if plan == seen {
            Learned::Seen(plan)
        } else if plan.terms != self.terms {
            Learned::Replanned(plan.changed(now), Cause::Amendment)
        } else if !plan.measures.terminated && plan.payable() != self.payable() {
            Learned::Replanned(plan.changed(now), Cause::Decision)
        } else {
            Learned::Changed(plan.changed(now))
        })
    }

    /// Adds a payment, never beyond what the instalments make up.
    pub fn pay(self, amount: Money, planned: Money, now: OffsetDateTime) -> Result<Self, Mismatch> {
        let paid = self
            .paid
            .checked_add(amount)
            .filter(|paid| *paid <= planned)
            .ok_or(Mismatch::Overpaid)?;
        Ok(Self { paid, ..self }.changed(now))
    }

    fn changed(self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}
