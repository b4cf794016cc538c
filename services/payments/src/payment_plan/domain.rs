//! Plans as values: kept up with their convention, paid.

use nonrecours_kernel::{BudgetYear, ConventionName, Money, OperatorId, PaymentPlanName, Siren};
use time::{Date, OffsetDateTime};

use super::{Agreement, Charge, Measures, Mismatch, Period, Recovered};
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
    /// The later budget year that it is carried over to; none: its own.
    pub carried_to: Option<BudgetYear>,
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
    /// The days that the convention runs over; not known before `conventions` tells them.
    pub period: Option<Period>,
    /// What the ledger says was claimed back, and what became of that.
    pub recovered: Recovered,
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

    /// What the instalments make up, unless more was ordered before: what is due, and what was given back of it. A
    /// termination leaves them as they are: what is not ordered is blocked.
    pub fn payable(&self) -> Money {
        if self.measures.terminated {
            return self.grant;
        }
        // What decisions and breaches claim is given back for good: it is not due again.
        let for_good = plus(self.measures.claimed, self.recovered.withdrawn);
        let due_again = above(self.recovered.received, for_good);
        plus(self.due(), due_again)
    }

    /// What the operator has to give back in all, recovered since or not: what was paid above what is due, no less than what
    /// decisions claim; besides, what breaches withdraw; and never more than what was paid.
    pub fn to_recover(&self) -> Money {
        let claimed = above(self.paid, self.due()).max(self.measures.claimed);
        plus(claimed, self.recovered.withdrawn).min(self.paid)
    }

    /// What of it is neither recovered nor given up.
    pub fn still_to_recover(&self) -> Money {
        let closed = plus(self.recovered.received, self.recovered.written_off);
        above(self.to_recover(), closed)
    }

    /// What of it no recovery claims.
    pub fn unclaimed(&self) -> Money {
        above(self.to_recover(), self.recovered.claimed)
    }

    /// OPEN until all that is payable is paid. A terminated plan that was not paid in full is not settled: what remains is
    /// never paid.
    pub fn state(&self) -> State {
        if self.paid >= self.payable() {
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
            period: agreement.period.or(self.period),
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

    /// What a plan that is planned again without a new word is planned again for: what last changed what is due.
    pub fn last_cause(&self) -> Cause {
        if self.measures.due.is_some() {
            Cause::Decision
        } else {
            Cause::Amendment
        }
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

    /// Takes a payment off that came back.
    pub fn unpay(self, amount: Money, now: OffsetDateTime) -> Result<Self, Mismatch> {
        let paid = self.paid.checked_sub(amount);
        let paid = paid.filter(|paid| !paid.is_negative());
        let paid = paid.ok_or(Mismatch::Overpaid)?;
        Ok(Self { paid, ..self }.changed(now))
    }

    /// The budget year that what is not ordered goes on.
    pub fn charged_year(&self) -> BudgetYear {
        self.carried_to.unwrap_or(self.budget_year)
    }

    /// The budget year that an order of this day goes on; none when the last day of the plan's has passed, and it is not
    /// carried over.
    pub fn charge(&self, day: Date) -> Option<Charge> {
        let charged = i32::from(self.charged_year().get());
        Charge::of(self.budget_year, day).filter(|charge| charge.year <= charged)
    }

    /// Carried over to this year.
    pub fn carry_over(self, year: BudgetYear, now: OffsetDateTime) -> Self {
        let carried_to = Some(year);
        Self { carried_to, ..self }.changed(now)
    }

    /// Takes what was booked of a recovery into account.
    pub fn recover(self, recovered: Recovered, now: OffsetDateTime) -> Self {
        Self { recovered, ..self }.changed(now)
    }

    fn changed(self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

/// The sum; the range of money is far beyond what a plan holds.
fn plus(one: Money, other: Money) -> Money {
    one.checked_add(other).unwrap_or(Money::MAX)
}

/// What an amount has above another.
fn above(amount: Money, other: Money) -> Money {
    let difference = amount.checked_sub(other).unwrap_or_default();
    difference.max(Money::ZERO)
}
