//! A plan with all its instalments: what one of them may do depends on the others.

use nonrecours_kernel::{Blocker, InstalmentId};

use super::{
    Refusal,
    domain::{Command, Instalment, Kind, Stage, State, Step},
};
use crate::payment_plan::{Payee, PaymentPlan};

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

    /// What stands in the way of the next step of an instalment, with who can lift it: only leaving PLANNED is ever
    /// blocked, later steps wait for their own actor alone.
    ///
    /// `ACTIONS_NOT_COMPLETED` for a balance, about the convention; `EARLIER_INSTALMENT_UNPAID` for each earlier one.
    pub fn blockers(&self, instalment: &Instalment) -> Vec<Blocker> {
        if instalment.state != State::Planned {
            return Vec::new();
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
        actions.into_iter().chain(earlier).collect()
    }

    /// Makes a step of one of the instalments; all refusals are in [`Refusal`].
    pub fn take(
        &self,
        instalment: &Instalment,
        command: Command,
        step: Step,
    ) -> Result<Instalment, Refusal> {
        let current = instalment.clone();
        let next = match command {
            Command::Call { reference, account } => current.call(reference, account, step),
            Command::Certify { account } => {
                current.certify(account, self.plan.advance_without_call, step)
            }
            Command::Order => current.order(step),
            Command::Confirm { transfer_date } => current.confirm(transfer_date, step),
        }?;
        // Whatever the command, nothing leaves PLANNED while something stands in the way.
        match self.blockers(instalment) {
            blockers if blockers.is_empty() => Ok(next),
            blockers => Err(Refusal::CallBlocked(blockers)),
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
        Stage::Paid => return None,
    };
    let (position, kind) = (earlier.position, earlier.kind.french());
    Some(Blocker::new(
        "EARLIER_INSTALMENT_UNPAID",
        earlier.name.to_string(),
        format!("Instalment {position} is not paid: it waits for {waits_en}."),
        format!("L'échéance n° {position} ({kind}) n'est pas payée : elle attend {waits_fr}."),
    ))
}
