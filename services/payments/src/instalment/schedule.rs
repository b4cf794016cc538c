//! A plan with all its instalments: what one of them may do depends on the others.

use nonrecours_kernel::{Blocker, InstalmentId, Money, paris_date};
use time::Date;

use super::{
    Command, Destination, DocumentKind, Instalment, Kind, Next, Obstacle, Refusal, Requirements,
    Stage, State, Step, SupportingDocument,
};
use crate::{
    bank_account::Standing,
    payment_plan::{Mismatch, Payee, PaymentPlan},
};

/// A plan, its instalments in their order, and who is paid (échéancier).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The plan.
    pub plan: PaymentPlan,
    /// The operator.
    pub payee: Payee,
    /// What its accountant wants to see.
    pub requirements: Requirements,
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
    /// Until it is ordered, what the convention has become and its account; until it is certified, what justifies it. Not
    /// later: the order is with the accountant, a transfer made is a fact that the books must show, and what was not due is
    /// recovered. Of one that is PLANNED also the actions that a balance waits for, and each earlier instalment. Of one that
    /// is CANCELLED why.
    pub fn obstacles<'a>(&'a self, instalment: &'a Instalment) -> Vec<Obstacle<'a>> {
        let (state, mut found) = (&instalment.state, self.measures(instalment));
        match state {
            State::Planned => {
                if instalment.kind == Kind::Balance && !self.plan.actions_completed {
                    found.push(Obstacle::ActionsNotCompleted);
                }
                found.extend(self.earlier(instalment).filter_map(|other| {
                    let next = Next::of(other, &self.plan)?;
                    Some(Obstacle::EarlierUnpaid(other, next))
                }));
                if Next::of(instalment, &self.plan) == Some(Next::Certify) {
                    found.extend(self.missing(instalment));
                }
            }
            State::Called { account, .. } => {
                found.extend(self.missing(instalment));
                found.extend(unpayable(instalment, account));
            }
            State::Certified(certified) => found.extend(unpayable(instalment, &certified.account)),
            State::Ordered(_) | State::Paid(_) => return Vec::new(),
            State::Cancelled { cause, .. } => return vec![Obstacle::Cancelled(*cause)],
        }
        found
    }

    /// The live instalments before this one.
    fn earlier(&self, instalment: &Instalment) -> impl Iterator<Item = &Instalment> {
        let position = instalment.position;
        let instalments = self.instalments.iter();
        instalments.filter(move |other| other.position < position && other.is_live())
    }

    /// Whether another payment of the convention comes before this one.
    pub fn is_later(&self, instalment: &Instalment) -> bool {
        self.earlier(instalment).next().is_some()
    }

    /// What justifies it and is not there: every document that its accountant wants, but those that need no looking for. An
    /// advance that nobody called has no call, and the statement of sums paid is drawn at the certification.
    fn missing<'a>(&'a self, instalment: &'a Instalment) -> impl Iterator<Item = Obstacle<'a>> {
        let wanted = if self.is_later(instalment) {
            &self.requirements.later
        } else {
            &self.requirements.first
        };
        // Of what is never paid any more nothing is missing.
        let ended = self.plan.measures.terminated;
        let uncalled = instalment.state.call().is_none();
        let there = |kind: DocumentKind| {
            let mut documents = instalment.documents.iter();
            documents.any(|one| one.kind == kind && !one.withdrawn)
        };
        wanted.iter().filter_map(move |&kind| {
            let needless = match kind {
                DocumentKind::Statement => true,
                DocumentKind::Call => uncalled,
                _ => false,
            };
            (!ended && !needless && !there(kind))
                .then_some(Obstacle::DocumentMissing(instalment, kind))
        })
    }

    /// The same on a day: an order comes too late once the last day of its budget year has passed.
    pub fn obstacles_on<'a>(&'a self, instalment: &'a Instalment, day: Date) -> Vec<Obstacle<'a>> {
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
        let (current, now) = (instalment.clone(), step.time);
        let day = paris_date(now);
        let next = match command {
            // Papers may be put in order whatever stands in the way.
            Command::Attach { documents } => return current.attach(documents, now),
            Command::Redirect { account, rib } => return current.redirect(account, rib, now),
            Command::Call {
                reference,
                account,
                documents,
            } => {
                let next = current.call(reference, account, step)?;
                // Papers that are missing hold back the certification alone.
                let mut found = self.obstacles(instalment);
                found.retain(|obstacle| !obstacle.is_formal());
                self.unless_blocked(instalment, found)?;
                return next.justified(documents);
            }
            Command::Certify { account, documents } => {
                return self.certify(current, account, documents, step);
            }
            Command::Order => current.order(step),
            Command::Confirm { transfer_date } => current.confirm(transfer_date, step),
        }?;
        self.unless_blocked(instalment, self.obstacles_on(instalment, day))?;
        Ok(next)
    }

    /// Certifies with these documents: they lift what they are missing for.
    fn certify(
        &self,
        current: Instalment,
        account: Option<Destination>,
        documents: Vec<SupportingDocument>,
        step: Step,
    ) -> Result<Instalment, Refusal> {
        let given = account.clone();
        let without_call = self.plan.advance_without_call;
        let justified = current.justified(documents)?;
        let next = justified.clone().certify(account, without_call, step)?;
        let mut found = self.obstacles(&justified);
        if let Some(given) = &given {
            found.extend(unpayable(&next, given));
        }
        self.unless_blocked(&justified, found)?;
        Ok(next)
    }

    /// Whatever the command, nothing moves while something stands in the way.
    fn unless_blocked(
        &self,
        instalment: &Instalment,
        found: Vec<Obstacle<'_>>,
    ) -> Result<(), Refusal> {
        let blockers = found.iter();
        let blockers = blockers.map(|obstacle| obstacle.blocker(&self.plan.convention));
        let blockers: Vec<_> = blockers.collect();
        match instalment.state.stage() {
            _ if blockers.is_empty() => Ok(()),
            Stage::Planned => Err(Refusal::CallBlocked(blockers)),
            _ => Err(Refusal::PaymentBlocked(blockers)),
        }
    }
}

/// Why nothing is paid there.
fn unpayable<'a>(instalment: &'a Instalment, to: &Destination) -> Option<Obstacle<'a>> {
    match to.standing {
        Standing::Approved => None,
        Standing::Entered => Some(Obstacle::AccountNotApproved(instalment)),
        Standing::Superseded | Standing::Revoked => Some(Obstacle::AccountChanged(instalment)),
    }
}
