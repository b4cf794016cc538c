//! What an amendment does to a convention once both parties have signed it.

use time::OffsetDateTime;

use super::{
    domain::{Convention, State},
    terms::Terms,
};
use crate::refusal::Refusal;

impl Convention {
    /// Whether the parties may agree on these terms now: while it is in force; once the actions are done, on anything but
    /// what they were to be.
    pub fn amendable(&self, terms: &Terms) -> Result<(), Refusal> {
        match &self.state {
            State::InForce { .. } => Ok(()),
            State::Completed { .. } if self.terms.same_actions(terms) => Ok(()),
            State::Completed { .. } => Err(Refusal::ActionsCompleted),
            State::Draft
            | State::PartlySigned { .. }
            | State::Settled { .. }
            | State::Terminated { .. } => Err(Refusal::ConventionNotRunning),
        }
    }

    /// IN_FORCE -> IN_FORCE, COMPLETED -> COMPLETED: these terms come into force, as the next version. A ceiling that is
    /// not below the grant any more disappears (art. 8), and a plan of another grant is not a settled one.
    pub fn amend(mut self, terms: Terms, now: OffsetDateTime) -> Result<Self, Refusal> {
        self.amendable(&terms)?;
        let granted_anew = terms.grant != self.terms.grant;
        if let State::InForce { execution, .. } | State::Completed { execution, .. } =
            &mut self.state
        {
            execution.version += 1;
            let measures = &mut execution.measures;
            measures.reduced = measures.reduced.filter(|ceiling| *ceiling < terms.grant);
            execution.plan.settled &= !granted_anew;
        }
        Ok(self.changed(now, |convention| convention.terms = terms))
    }
}
