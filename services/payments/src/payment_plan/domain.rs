//! Plans as values: opened from a convention, kept up with it, paid.

use nonrecours_kernel::{
    BudgetYear, ConventionName, IdSource, InstalmentName, Money, OperatorId, PaymentPlanName, Siren,
};
use time::OffsetDateTime;

use crate::instalment::{Instalment, Kind, State as InstalmentState};

/// Most instalments of one plan: what a convention may provide for.
const MAX_INSTALMENTS: usize = 12;

/// How the grant of one convention is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentPlan {
    /// The convention; the plan is its only one.
    pub convention: ConventionName,
    /// Title of the convention.
    pub title: String,
    /// Budget year the grant is charged to.
    pub budget_year: BudgetYear,
    /// What is granted: the most that can ever be paid.
    pub grant: Money,
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

/// What formal notices and decisions (art. 7 and 8) leave of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Whether a decision suspends the payments.
    pub suspended: bool,
    /// Whether the convention is terminated.
    pub terminated: bool,
    /// What is due to the operator in all; none: the whole grant.
    pub due: Option<Money>,
    /// Sum that decisions claim back.
    pub claimed: Money,
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

/// What a revision of a convention in force says of its payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The convention.
    pub convention: ConventionName,
    /// Its revision.
    pub revision: i64,
    /// Its title.
    pub title: String,
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Grant, positive.
    pub grant: Money,
    /// Instalments in their order, with their amounts.
    pub terms: Vec<(Kind, Money)>,
    /// Whether the advance is paid without a call.
    pub advance_without_call: bool,
    /// Whether the actions are completed.
    pub actions_completed: bool,
    /// What stands beside its ordinary life.
    pub measures: Measures,
}

/// What the convention says cannot be paid as it stands: a fault of ours, never of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The grant is not positive, or the instalments do not add up to it, or there are too many.
    #[error("the instalments of a convention do not make up its grant")]
    Terms,
    /// The grant, the budget year or the terms of payment are not those the plan was opened with.
    #[error("the terms of a convention in force have changed without an amendment")]
    Changed,
    /// A payment would take the sum paid above the grant.
    #[error("more would be paid than was granted")]
    Overpaid,
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
}

impl Agreement {
    /// A plan with its instalments, all PLANNED. A term that rounds to nothing gives no instalment.
    pub fn open(
        &self,
        ids: &IdSource,
        now: OffsetDateTime,
    ) -> Result<(PaymentPlan, Vec<Instalment>), Mismatch> {
        let due = self.terms.iter().filter(|(_, amount)| !amount.is_zero());
        let instalments: Vec<Instalment> = (1..)
            .zip(due)
            .map(|(position, &(kind, amount))| Instalment {
                name: InstalmentName {
                    operator: self.convention.operator,
                    convention: self.convention.convention,
                    instalment: ids.next(),
                },
                kind,
                position,
                amount,
                state: InstalmentState::Planned,
                revision: 1,
                create_time: now,
                update_time: now,
            })
            .collect();
        let amounts = || instalments.iter().map(|instalment| instalment.amount);
        let sound = self.grant.is_positive()
            && instalments.len() <= MAX_INSTALMENTS
            && amounts().all(Money::is_positive)
            && Money::sum(amounts()) == Some(self.grant);
        if !sound {
            return Err(Mismatch::Terms);
        }
        let plan = PaymentPlan {
            convention: self.convention,
            title: self.title.clone(),
            budget_year: self.budget_year,
            grant: self.grant,
            paid: Money::ZERO,
            advance_without_call: self.advance_without_call,
            actions_completed: self.actions_completed,
            measures: self.measures,
            convention_revision: self.revision,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        Ok((plan, instalments))
    }
}

impl PaymentPlan {
    /// Resource name.
    pub fn name(&self) -> PaymentPlanName {
        PaymentPlanName {
            operator: self.convention.operator,
            convention: self.convention.convention,
        }
    }

    /// What is due to the operator in all.
    pub fn due(&self) -> Money {
        self.measures.due.unwrap_or(self.grant)
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
        if self.paid == self.grant || paid_as_reduced {
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
        let same_terms = agreement.grant == self.grant
            && agreement.budget_year == self.budget_year
            && agreement.advance_without_call == self.advance_without_call;
        if !same_terms {
            return Err(Mismatch::Changed);
        }
        let actions_completed = self.actions_completed || agreement.actions_completed;
        let visible = agreement.title != self.title
            || actions_completed != self.actions_completed
            || agreement.measures != self.measures;
        let plan = Self {
            title: agreement.title.clone(),
            actions_completed,
            measures: agreement.measures,
            convention_revision: agreement.revision,
            ..self
        };
        Ok(if visible {
            Learned::Changed(plan.changed(now))
        } else {
            Learned::Seen(plan)
        })
    }

    /// Adds a payment, never beyond the grant.
    pub fn pay(self, amount: Money, now: OffsetDateTime) -> Result<Self, Mismatch> {
        let paid = self
            .paid
            .checked_add(amount)
            .filter(|paid| *paid <= self.grant)
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

#[cfg(test)]
mod tests {
    use nonrecours_kernel::ManualClock;
    use proptest::prelude::*;
    use std::sync::Arc;
    use time::macros::datetime;

    use super::*;
    use crate::instalment::fixtures::{NOW, agreement};

    fn ids() -> IdSource {
        IdSource::seeded(Arc::new(ManualClock::at(NOW)), 1)
    }

    #[test]
    fn a_plan_opens_with_the_instalments_of_its_convention() {
        let (plan, instalments) = agreement().open(&ids(), NOW).unwrap();
        assert_eq!(plan.state(), State::Open);
        assert_eq!((plan.revision, plan.convention_revision), (1, 7));
        let shown: Vec<_> = instalments
            .iter()
            .map(|instalment| {
                (
                    instalment.position,
                    instalment.kind,
                    instalment.amount.cents(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [(1, Kind::Advance, 920_000), (2, Kind::Balance, 230_000)]
        );
    }

    #[test]
    fn a_term_that_rounds_to_nothing_gives_no_instalment() {
        let cent = Money::from_cents(1);
        let tiny = Agreement {
            grant: cent,
            terms: vec![(Kind::Advance, cent), (Kind::Balance, Money::ZERO)],
            ..agreement()
        };
        let (plan, instalments) = tiny.open(&ids(), NOW).unwrap();
        assert_eq!(instalments.len(), 1);
        assert_eq!(plan.pay(cent, NOW).unwrap().state(), State::Settled);
    }

    #[test]
    fn terms_that_do_not_make_up_the_grant_are_refused() {
        let with = |grant: i64, terms: &[i64]| Agreement {
            grant: Money::from_cents(grant),
            terms: terms
                .iter()
                .map(|cents| (Kind::Advance, Money::from_cents(*cents)))
                .collect(),
            ..agreement()
        };
        for bad in [
            with(100, &[80, 19]),
            with(100, &[80, 21]),
            with(100, &[120, -20]),
            with(0, &[]),
            with(-100, &[-100]),
            with(13, &[1; 13]),
        ] {
            assert_eq!(bad.open(&ids(), NOW), Err(Mismatch::Terms), "{bad:?}");
        }
        assert!(with(12, &[1; 12]).open(&ids(), NOW).is_ok());
    }

    #[test]
    fn a_plan_learns_each_revision_once_and_never_goes_back() {
        let (plan, _) = agreement().open(&ids(), NOW).unwrap();
        let later = datetime!(2025-12-20 10:00 UTC);
        let next = |revision| Agreement {
            revision,
            ..agreement()
        };
        assert_eq!(plan.clone().learn(&next(7), later), Ok(Learned::Stale));
        assert_eq!(plan.clone().learn(&next(6), later), Ok(Learned::Stale));
        let Ok(Learned::Seen(seen)) = plan.clone().learn(&next(8), later) else {
            panic!("nothing visible has changed");
        };
        assert_eq!(
            (seen.convention_revision, seen.revision, seen.update_time),
            (8, 1, NOW)
        );

        let completed = Agreement {
            actions_completed: true,
            ..next(9)
        };
        let Ok(Learned::Changed(plan)) = seen.learn(&completed, later) else {
            panic!("the completion is visible");
        };
        assert!(plan.actions_completed);
        assert_eq!(
            (plan.convention_revision, plan.revision, plan.update_time),
            (9, 2, later)
        );
        let Ok(Learned::Seen(plan)) = plan.learn(&next(10), later) else {
            panic!("completed stays completed");
        };
        assert!(plan.actions_completed);
        let amended = Agreement {
            grant: Money::from_cents(1),
            ..next(11)
        };
        assert_eq!(plan.learn(&amended, later), Err(Mismatch::Changed));
    }

    proptest! {
        #[test]
        fn never_more_paid_than_granted(amounts in prop::collection::vec(1_i64..600_000, 0..8)) {
            let (mut plan, _) = agreement().open(&ids(), NOW).unwrap();
            for amount in amounts {
                let amount = Money::from_cents(amount);
                let before = plan.clone();
                plan = match plan.pay(amount, NOW) {
                    Ok(plan) => {
                        prop_assert_eq!(plan.paid.checked_sub(amount), Some(before.paid));
                        prop_assert_eq!(plan.revision, before.revision + 1);
                        plan
                    }
                    Err(mismatch) => {
                        prop_assert_eq!(mismatch, Mismatch::Overpaid);
                        prop_assert!(before.paid.checked_add(amount).unwrap() > before.grant);
                        before
                    }
                };
                prop_assert!(plan.paid <= plan.grant);
                prop_assert_eq!(plan.state() == State::Settled, plan.paid == plan.grant);
            }
        }
    }
}
