//! Issuing a recovery: how much, and why, as the plan has it.

use nonrecours_kernel::{BudgetYear, ProgrammeId, RecoveryName, paris_date};
use time::Date;

use super::{Breach, Cause, Recovery, Refusal};
use crate::{
    instalment::{Schedule, Step},
    payment_plan::PaymentPlan,
};

/// What a caller asks to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All that the plan says is to recover and nobody claims.
    Unclaimed,
    /// What a breach of the contrat d'engagement républicain withdraws.
    Breach {
        /// The decision.
        decision: String,
        /// Day of the breach.
        date: Date,
    },
}

/// What it is issued with.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: RecoveryName,
    /// Programme that claims.
    pub programme: ProgrammeId,
    /// Budget year it is numbered in.
    pub budget_year: BudgetYear,
    /// The next number of that year.
    pub number: i32,
    /// Who issues it, and when.
    pub step: Step,
}

/// Issues a recovery under this plan.
pub fn issue(schedule: &Schedule, asked: Asked, header: Header) -> Result<Recovery, Refusal> {
    let plan = &schedule.plan;
    let today = paris_date(header.step.time);
    let (cause, amount) = match asked {
        Asked::Unclaimed => (cause(plan), plan.unclaimed()),
        Asked::Breach { decision, date } => {
            if schedule.payee.is_public {
                return Err(Refusal::CommitmentNotApplicable);
            }
            if plan.recovered.withdrawn.is_positive() {
                return Err(Refusal::BreachRecovered);
            }
            let breach = breach(plan, decision, date, today)?;
            let amount = breach
                .kept
                .of_days(breach.remaining_days, breach.period_days);
            (
                Cause::RepublicanCommitment(breach),
                amount.unwrap_or_default(),
            )
        }
    };
    if !amount.is_positive() {
        return Err(Refusal::NothingToRecover);
    }
    let now = header.step.time;
    Ok(Recovery {
        name: header.name,
        programme: header.programme,
        budget_year: header.budget_year,
        number: header.number,
        cause,
        amount,
        issue_date: today,
        issue: header.step,
        notification: None,
        acts: Vec::new(),
        revision: 1,
        create_time: now,
        update_time: now,
    })
}

/// Why the plan has something to recover.
fn cause(plan: &PaymentPlan) -> Cause {
    let measures = &plan.measures;
    if measures.terminated {
        Cause::Termination
    } else if measures.claimed.is_positive() || measures.due.is_some_and(|due| due < plan.grant) {
        Cause::Decision
    } else {
        Cause::Overpayment
    }
}

fn breach(
    plan: &PaymentPlan,
    decision: String,
    date: Date,
    today: Date,
) -> Result<Breach, Refusal> {
    let period = plan.period.ok_or(Refusal::PeriodUnknown)?;
    let out_of_range = Refusal::DateOutOfRange {
        first: period.first,
        last: period.last.min(today),
    };
    let remaining = period.days_from(date).filter(|_| date <= today);
    let (Some(remaining_days), Some(period_days)) = (remaining, period.days()) else {
        return Err(out_of_range);
    };
    let kept = plan.paid.checked_sub(plan.to_recover());
    Ok(Breach {
        decision,
        date,
        kept: kept.unwrap_or_default(),
        remaining_days,
        period_days,
    })
}
