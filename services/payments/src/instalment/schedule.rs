//! A plan with all its instalments: what one of them may do depends on the others.

use nonrecours_kernel::{Blocker, InstalmentId, Money, paris_date};
use time::Date;

use super::{
    Next, Obstacle, Refusal,
    domain::{Command, Instalment, Kind, Stage, State, Step},
};
use crate::payment_plan::{Mismatch, Payee, PaymentPlan};

/// A plan, its instalments in their order, and who is paid (échéancier).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The plan.
    pub plan: PaymentPlan,
    /// The operator.
    pub payee: Payee,
    /// Every instalment, by position.
    pub instalments: Vec<Instalment>,
}

impl Schedule {
    /// One of the instalments.
    pub fn find(&self, id: InstalmentId) -> Option<&Instalment> {
        self.instalments
            .iter()
            .find(|instalment| instalment.name.instalment == id)
    }

    /// What the instalments make up, those that are cancelled left out.
    pub fn planned(&self) -> Result<Money, Mismatch> {
        let live = self.instalments.iter().filter(|one| one.is_live());
        Money::sum(live.map(|one| one.amount)).ok_or(Mismatch::Terms)
    }

    /// What stands in the way of the next step of an instalment, with who can lift it.
    ///
    /// Until it is ordered, what the convention has become. Not later: the order is with the accountant, a transfer made is
    /// a fact that the books must show, and what was not due is recovered. Of one that is PLANNED also the actions that a
    /// balance waits for, and each earlier instalment. Of one that is CANCELLED why.
    pub fn obstacles(&self, instalment: &Instalment) -> Vec<Obstacle<'_>> {
        let measures = match instalment.state {
            State::Planned | State::Called { .. } | State::Certified(_) => {
                self.measures(instalment)
            }
            State::Ordered(_) | State::Paid(_) => return Vec::new(),
            State::Cancelled { cause, .. } => return vec![Obstacle::Cancelled(cause)],
        };
        if instalment.state != State::Planned {
            return measures;
        }
        let actions = instalment.kind == Kind::Balance && !self.plan.actions_completed;
        let earlier = self.instalments.iter().filter_map(|other| {
            let next = Next::of(other, &self.plan)?;
            let earlier = other.position < instalment.position;
            earlier.then_some(Obstacle::EarlierUnpaid(other, next))
        });
        let actions = actions.then_some(Obstacle::ActionsNotCompleted);
        measures.into_iter().chain(actions).chain(earlier).collect()
    }

    /// The same on a day: an order comes too late once the last day of its budget year has passed.
    pub fn obstacles_on(&self, instalment: &Instalment, day: Date) -> Vec<Obstacle<'_>> {
        let mut obstacles = self.obstacles(instalment);
        let waits = instalment.state.stage() == Stage::Certified;
        if waits && self.plan.charge(day).is_none() {
            obstacles.push(Obstacle::YearClosed(self.plan.charged_year()));
        }
        obstacles
    }

    /// The same for whoever wants to make the step.
    pub fn blockers(&self, instalment: &Instalment) -> Vec<Blocker> {
        let obstacles = self.obstacles(instalment);
        let blocker = |obstacle: &Obstacle<'_>| obstacle.blocker(&self.plan.convention);
        obstacles.iter().map(blocker).collect()
    }

    /// What formal notices and decisions (art. 7 and 8) put in the way of a payment.
    fn measures(&self, instalment: &Instalment) -> Vec<Obstacle<'_>> {
        if self.plan.measures.terminated {
            return vec![Obstacle::Terminated];
        }
        let due = self.plan.due();
        let with = self.plan.paid.checked_add(instalment.amount);
        let reduced = with.is_none_or(|paid| paid > self.plan.payable());
        let suspended = self.plan.measures.suspended.then_some(Obstacle::Suspended);
        let reduced = reduced.then_some(Obstacle::Reduced { due });
        suspended.into_iter().chain(reduced).collect()
    }

    /// Makes a step of one of the instalments; all refusals are in [`Refusal`].
    pub fn take(
        &self,
        instalment: &Instalment,
        command: Command,
        step: Step,
    ) -> Result<Instalment, Refusal> {
        if !instalment.is_live() {
            return Err(Refusal::Cancelled(self.blockers(instalment)));
        }
        let current = instalment.clone();
        let day = paris_date(step.time);
        let next = match command {
            Command::Call { reference, account } => current.call(reference, account, step),
            Command::Certify { account } => {
                current.certify(account, self.plan.advance_without_call, step)
            }
            Command::Order => current.order(step),
            Command::Confirm { transfer_date } => current.confirm(transfer_date, step),
        }?;
        // Whatever the command, nothing moves while something stands in the way.
        let obstacles = self.obstacles_on(instalment, day);
        let blockers = obstacles
            .iter()
            .map(|obstacle| obstacle.blocker(&self.plan.convention))
            .collect::<Vec<_>>();
        match (blockers, instalment.state.stage()) {
            (blockers, _) if blockers.is_empty() => Ok(next),
            (blockers, Stage::Planned) => Err(Refusal::CallBlocked(blockers)),
            (blockers, _) => Err(Refusal::PaymentBlocked(blockers)),
        }
    }
}
