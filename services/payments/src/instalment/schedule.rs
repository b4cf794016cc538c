//! A plan with all its instalments: what one of them may do depends on the others.

use nonrecours_kernel::{Blocker, InstalmentId, Money};

use super::{
    Refusal,
    domain::{Command, Instalment, Kind, Stage, State, Step},
};
use crate::payment_plan::{Cause, Mismatch, Payee, PaymentPlan};

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
    /// Until it is ordered, what the convention has become: `CONVENTION_SUSPENDED`, `CONVENTION_TERMINATED`,
    /// `GRANT_REDUCED`. Not later: the order is with the accountant, a transfer made is a fact that the books must show,
    /// and what was not due is recovered. Of one that is PLANNED also `ACTIONS_NOT_COMPLETED` for a balance, and
    /// `EARLIER_INSTALMENT_UNPAID` for each earlier one. Of one that is CANCELLED why: `TERMS_AMENDED`, `GRANT_REDUCED`.
    pub fn blockers(&self, instalment: &Instalment) -> Vec<Blocker> {
        let measures = match instalment.state {
            State::Planned | State::Called { .. } | State::Certified(_) => {
                self.measures(instalment)
            }
            State::Ordered(_) | State::Paid(_) => return Vec::new(),
            State::Cancelled { cause, .. } => return vec![self.cancelled(cause)],
        };
        if instalment.state != State::Planned {
            return measures;
        }
        let actions = (instalment.kind == Kind::Balance && !self.plan.actions_completed).then(|| {
            Blocker::new(
                "ACTIONS_NOT_COMPLETED",
                self.plan.convention.to_string(),
                "The actions are not recorded as completed: the operator hands in its report, and the \
                 programme officer accepts it and records the completion.",
                "Le solde est dû après réalisation des actions (art. 6) : l'opérateur remet son bilan, \
                 puis le chargé de programme l'accepte et constate l'achèvement des actions.",
            )
        });
        let earlier = self
            .instalments
            .iter()
            .filter(|other| other.position < instalment.position)
            .filter_map(unpaid);
        let planned = actions.into_iter().chain(earlier);
        measures.into_iter().chain(planned).collect()
    }

    /// Why an instalment is cancelled.
    fn cancelled(&self, cause: Cause) -> Blocker {
        let convention = self.plan.convention.to_string();
        match cause {
            Cause::Amendment => Blocker::new(
                "TERMS_AMENDED",
                convention,
                "An amendment has left nothing of this instalment: see the other instalments of the plan.",
                "Un avenant n'a rien laissé à cette échéance : reportez-vous aux autres échéances du plan.",
            ),
            Cause::Decision => Blocker::new(
                "GRANT_REDUCED",
                convention,
                "A decision that reduces the grant has left nothing of this instalment.",
                "La décision qui réduit la subvention (art. 8) n'a rien laissé à cette échéance.",
            ),
        }
    }

    /// What formal notices and decisions (art. 7 and 8) put in the way of a payment.
    fn measures(&self, instalment: &Instalment) -> Vec<Blocker> {
        let convention = || self.plan.convention.to_string();
        if self.plan.measures.terminated {
            return vec![Blocker::new(
                "CONVENTION_TERMINATED",
                convention(),
                "The convention is terminated: nothing more is called, certified or ordered.",
                "La convention est résiliée : aucune échéance n'est plus appelée, certifiée ni ordonnée.",
            )];
        }
        let suspended = self.plan.measures.suspended.then(|| {
            Blocker::new(
                "CONVENTION_SUSPENDED",
                convention(),
                "A decision suspends the payments: the authorising officer decides when they go on.",
                "Une décision suspend les paiements (art. 8) : ils reprennent sur décision de l'ordonnateur.",
            )
        });
        let due = self.plan.due();
        let within = self
            .plan
            .paid
            .checked_add(instalment.amount)
            .is_some_and(|paid| paid <= due);
        let reduced = (!within).then(|| {
            Blocker::new(
                "GRANT_REDUCED",
                convention(),
                format!("The grant is reduced to {due}: with this instalment more would be paid."),
                format!(
                    "La subvention est réduite à {} (art. 8) : cette échéance la dépasserait avec les sommes déjà \
                     versées.",
                    due.french()
                ),
            )
        });
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
        let next = match command {
            Command::Call { reference, account } => current.call(reference, account, step),
            Command::Certify { account } => {
                current.certify(account, self.plan.advance_without_call, step)
            }
            Command::Order => current.order(step),
            Command::Confirm { transfer_date } => current.confirm(transfer_date, step),
        }?;
        // Whatever the command, nothing moves while something stands in the way.
        match (self.blockers(instalment), instalment.state.stage()) {
            (blockers, _) if blockers.is_empty() => Ok(next),
            (blockers, Stage::Planned) => Err(Refusal::CallBlocked(blockers)),
            (blockers, _) => Err(Refusal::PaymentBlocked(blockers)),
        }
    }
}

fn unpaid(earlier: &Instalment) -> Option<Blocker> {
    let (waits_en, waits_fr) = match earlier.state.stage() {
        Stage::Planned => (
            "the operator's call for funds",
            "l'appel de fonds de l'opérateur",
        ),
        Stage::Called => (
            "the certification by a programme officer",
            "la certification du service fait par un chargé de programme",
        ),
        Stage::Certified => (
            "the order of the authorising officer",
            "le mandat de l'ordonnateur",
        ),
        Stage::Ordered => (
            "the transfer confirmed by the accountant",
            "la confirmation du virement par le comptable",
        ),
        Stage::Paid | Stage::Cancelled => return None,
    };
    let (position, kind) = (earlier.position, earlier.kind.french());
    Some(Blocker::new(
        "EARLIER_INSTALMENT_UNPAID",
        earlier.name.to_string(),
        format!("Instalment {position} is not paid: it waits for {waits_en}."),
        format!("L'échéance n° {position} ({kind}) n'est pas payée : elle attend {waits_fr}."),
    ))
}
