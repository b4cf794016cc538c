//! The life of a convention: DRAFT -> PARTLY_SIGNED -> IN_FORCE -> COMPLETED <-> SETTLED, or TERMINATED on the way.

use nonrecours_kernel::{
    ActivityReportId, ConventionId, ConventionName, FrameworkConventionName, Money, Siren,
    paris_date,
};
use time::{Date, OffsetDateTime};

pub use super::state::{Completion, Execution, Plan, Recovered, Signature, State};
use super::{
    measures::Measures,
    party::{ByParty, Party},
    signing::{Circumstances, signing_blockers},
    terms::{Changes, Terms},
};
use crate::{act::domain::Act, refusal::Refusal};

/// A convention as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convention {
    /// Resource name.
    pub name: ConventionName,
    /// What the parties agree on.
    pub terms: Terms,
    /// The same operator's convention that this one renews.
    pub renewed_from: Option<ConventionId>,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was drafted.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What a report of `payments` changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It was known, or something newer.
    Known,
    /// The plan's revision only.
    Noted(Convention),
    /// Something the convention shows.
    Changed {
        /// The convention after it.
        convention: Convention,
        /// What happened.
        kind: &'static str,
    },
}

impl Convention {
    /// A new draft.
    pub fn draft(name: ConventionName, terms: Terms, now: OffsetDateTime) -> Self {
        Self {
            name,
            terms,
            renewed_from: None,
            state: State::Draft,
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// The draft of the next budget year, from a convention that is or was in force.
    pub fn renewal(
        &self,
        id: ConventionId,
        framework_convention: FrameworkConventionName,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let terms = match self.execution() {
            Some(_) => self.terms.clone().renewed(framework_convention),
            None => None,
        };
        let name = ConventionName {
            operator: self.name.operator,
            convention: id,
        };
        Ok(Self {
            renewed_from: Some(self.name.convention),
            ..Self::draft(name, terms.ok_or(Refusal::ConventionNotRenewable)?, now)
        })
    }

    /// What it has since both parties have signed; nothing before.
    pub const fn execution(&self) -> Option<&Execution> {
        match &self.state {
            State::Draft | State::PartlySigned { .. } => None,
            State::InForce { execution, .. }
            | State::Completed { execution, .. }
            | State::Settled { execution, .. }
            | State::Terminated { execution, .. } => Some(execution),
        }
    }

    /// Number of the version in force; 0 before both have signed.
    pub fn version(&self) -> i32 {
        self.execution().map_or(0, |execution| execution.version)
    }

    /// The signature of a party, once given.
    pub fn signature(&self, party: Party) -> Option<&Signature> {
        match &self.state {
            State::Draft => None,
            State::PartlySigned {
                party: signed,
                signature,
            } => (*signed == party).then_some(signature),
            State::InForce { execution, .. }
            | State::Completed { execution, .. }
            | State::Settled { execution, .. }
            | State::Terminated { execution, .. } => Some(execution.signatures.get(party)),
        }
    }

    /// DRAFT -> DRAFT: other terms, which the recorded acts must still be about: of the same bodies (those of the
    /// SIRENs given), and on the days of the signatories' empowering decisions.
    pub fn update(
        self,
        changes: Changes,
        acts: &ByParty<Option<Act>>,
        sirens: &ByParty<Siren>,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        self.drafted()?;
        let mut terms = changes.apply(self.terms.clone());
        for party in Party::ALL {
            if let Some(act) = acts.get(party) {
                if act.act_id.siren() != *sirens.get(party) {
                    return Err(Refusal::ActSirenMismatch(party));
                }
                terms = terms.empowered(party, act.act_id.date())?;
            }
        }
        Ok(self.changed(now, |convention| convention.terms = terms))
    }

    /// DRAFT -> DRAFT: takes note of a party's act, decided on that day by the body of that SIREN. Gives the changed
    /// convention when the blank date of the signatory was filled.
    pub fn authorise(
        self,
        party: Party,
        act: (Siren, Date),
        sirens: &ByParty<Siren>,
        now: OffsetDateTime,
    ) -> Result<Option<Self>, Refusal> {
        self.drafted()?;
        let (siren, date) = act;
        if siren != *sirens.get(party) {
            return Err(Refusal::ActSirenMismatch(party));
        }
        let terms = self.terms.clone().empowered(party, date)?;
        Ok((terms != self.terms).then(|| self.changed(now, |convention| convention.terms = terms)))
    }

    /// DRAFT -> PARTLY_SIGNED, PARTLY_SIGNED -> IN_FORCE.
    pub fn sign(
        self,
        party: Party,
        by: &str,
        circumstances: &Circumstances,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let earlier = match &self.state {
            State::Draft => None,
            State::PartlySigned { party: signed, .. } if *signed == party => {
                return Err(Refusal::AlreadySigned(party));
            }
            State::PartlySigned { signature, .. } => Some(signature.clone()),
            State::InForce { .. }
            | State::Completed { .. }
            | State::Settled { .. }
            | State::Terminated { .. } => return Err(Refusal::ConventionNotDraft),
        };
        let blockers = signing_blockers(&self, circumstances, paris_date(now));
        if !blockers.is_empty() {
            return Err(Refusal::SigningBlocked(blockers));
        }
        let signature = Signature {
            time: now,
            by: by.to_owned(),
        };
        let state = match (earlier, party) {
            (None, party) => State::PartlySigned { party, signature },
            (Some(operator), Party::Authority) => in_force(signature, operator, now),
            (Some(authority), Party::Operator) => in_force(authority, signature, now),
        };
        Ok(self.changed(now, |convention| convention.state = state))
    }

    /// IN_FORCE -> IN_FORCE, TERMINATED -> TERMINATED: names the accepted report, which shows this sum as spent.
    pub fn accept_report(
        self,
        report: ActivityReportId,
        spent: Money,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let State::InForce { execution, .. } = &self.state else {
            return self.account_for(report, spent, now);
        };
        let state = State::InForce {
            execution: execution.clone(),
            accepted_report: Some(report),
        };
        Ok(self.changed(now, |convention| convention.state = state))
    }

    /// IN_FORCE -> COMPLETED. [`settled`](Self::settled) says whether SETTLED follows at once.
    pub fn complete(self, date: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        let State::InForce {
            execution,
            accepted_report,
        } = &self.state
        else {
            return Err(Refusal::ConventionNotInForce);
        };
        let report = accepted_report.ok_or(Refusal::ReportNotAccepted)?;
        let (since, today) = (paris_date(execution.since), paris_date(now));
        if !(since..=today).contains(&date) {
            return Err(Refusal::CompletionDateOutOfRange { since, today });
        }
        let state = State::Completed {
            execution: execution.clone(),
            completion: Completion { report, date },
        };
        Ok(self.changed(now, |convention| convention.state = state))
    }

    /// COMPLETED -> SETTLED when everything is paid and nothing keeps it open; nothing otherwise.
    pub fn settled(&self, now: OffsetDateTime) -> Option<Self> {
        match &self.state {
            State::Completed {
                execution,
                completion,
            } if execution.plan.settled && execution.measures.allow_settlement() => {
                let state = State::Settled {
                    execution: execution.clone(),
                    completion: *completion,
                    settled: now,
                };
                Some(
                    self.clone()
                        .changed(now, |convention| convention.state = state),
                )
            }
            _ => None,
        }
    }

    /// SETTLED -> COMPLETED when not everything is paid after all: money came back, or is due again; nothing otherwise.
    pub fn reopened(&self, now: OffsetDateTime) -> Option<Self> {
        match &self.state {
            State::Settled {
                execution,
                completion,
                ..
            } if !execution.plan.settled => {
                let state = State::Completed {
                    execution: execution.clone(),
                    completion: *completion,
                };
                Some(
                    self.clone()
                        .changed(now, |convention| convention.state = state),
                )
            }
            _ => None,
        }
    }

    /// Takes note of what `payments` reports of the plan; what is older than what is known changes nothing.
    pub fn learn(mut self, plan: Plan, now: OffsetDateTime) -> Result<Learned, Refusal> {
        let (State::InForce { execution, .. }
        | State::Completed { execution, .. }
        | State::Settled { execution, .. }
        | State::Terminated { execution, .. }) = &mut self.state
        else {
            return Err(Refusal::ConventionNotInForce);
        };
        let known = execution.plan;
        if plan.revision <= known.revision {
            return Ok(Learned::Known);
        }
        execution.plan = plan;
        Ok(if let Some(convention) = self.settled(now) {
            Learned::Changed {
                convention,
                kind: "convention.settled",
            }
        } else if let Some(convention) = self.reopened(now) {
            Learned::Changed {
                convention,
                kind: "convention.reopened",
            }
        } else if plan.paid != known.paid {
            Learned::Changed {
                convention: self.changed(now, |_| {}),
                kind: "convention.paid",
            }
        } else if plan.recovered != known.recovered {
            Learned::Changed {
                convention: self.changed(now, |_| {}),
                kind: "convention.recovery_updated",
            }
        } else {
            Learned::Noted(self)
        })
    }

    fn drafted(&self) -> Result<(), Refusal> {
        match self.state {
            State::Draft => Ok(()),
            _ => Err(Refusal::ConventionNotDraft),
        }
    }

    pub(super) fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

fn in_force(authority: Signature, operator: Signature, now: OffsetDateTime) -> State {
    State::InForce {
        execution: Execution {
            signatures: ByParty {
                authority,
                operator,
            },
            since: now,
            version: 1,
            engaged: Money::ZERO,
            plan: Plan::default(),
            measures: Measures::default(),
        },
        accepted_report: None,
    }
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ending_tests.rs"]
mod ending_tests;

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod sequence_tests;
