//! What a convention in force says of its payments, and the plan that follows.

use nonrecours_kernel::{BudgetYear, ConventionName, IdSource, InstalmentName, Money};
use time::OffsetDateTime;

use super::{PaymentPlan, Period, Recovered};
use crate::instalment::{Instalment, Kind};

/// Most instalments that the terms of one convention provide for.
const MAX_TERMS: usize = 12;

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
    /// Grant in force, positive.
    pub grant: Money,
    /// Instalments in their order, with their amounts.
    pub terms: Vec<(Kind, Money)>,
    /// Whether the advance is paid without a call.
    pub advance_without_call: bool,
    /// Whether the actions are completed.
    pub actions_completed: bool,
    /// What stands beside its ordinary life.
    pub measures: Measures,
    /// The days that the convention runs over, when they are told.
    pub period: Option<Period>,
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

/// What the convention says cannot be paid as it stands: a fault of ours, never of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The grant is not positive, or the instalments do not add up to it, or there are too many.
    #[error("the instalments of a convention do not make up its grant")]
    Terms,
    /// The budget year is another one: no amendment changes it.
    #[error("a convention in force has another budget year")]
    BudgetYear,
    /// A plan has no place left for one more instalment.
    #[error("a plan was planned again too often")]
    Places,
    /// More would be recovered than is claimed.
    #[error("more would be recovered than is claimed")]
    Recovered,
    /// A payment would take the sum paid above what is planned.
    #[error("more would be paid than was planned")]
    Overpaid,
}

impl Agreement {
    /// A plan with its instalments, all PLANNED. A term that rounds to nothing gives no instalment.
    pub fn open(
        &self,
        ids: &IdSource,
        now: OffsetDateTime,
    ) -> Result<(PaymentPlan, Vec<Instalment>), Mismatch> {
        let terms = self.due_terms()?;
        let instalments = (1..)
            .zip(&terms)
            .map(|(position, &(kind, amount))| {
                let name = InstalmentName {
                    operator: self.convention.operator,
                    convention: self.convention.convention,
                    instalment: ids.next(),
                };
                Instalment::plan(name, kind, position, amount, now)
            })
            .collect();
        let plan = PaymentPlan {
            convention: self.convention,
            title: self.title.clone(),
            budget_year: self.budget_year,
            carried_to: None,
            grant: self.grant,
            terms,
            paid: Money::ZERO,
            advance_without_call: self.advance_without_call,
            actions_completed: self.actions_completed,
            measures: self.measures,
            period: self.period,
            recovered: Recovered::default(),
            convention_revision: self.revision,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        Ok((plan, instalments))
    }

    /// The terms that something is to be paid by. They make up the grant.
    pub(super) fn due_terms(&self) -> Result<Vec<(Kind, Money)>, Mismatch> {
        let due = self.terms.iter().filter(|(_, amount)| !amount.is_zero());
        let terms: Vec<_> = due.copied().collect();
        let amounts = || terms.iter().map(|(_, amount)| *amount);
        let sound = self.grant.is_positive()
            && terms.len() <= MAX_TERMS
            && amounts().all(Money::is_positive)
            && Money::sum(amounts()) == Some(self.grant);
        sound.then_some(terms).ok_or(Mismatch::Terms)
    }
}
