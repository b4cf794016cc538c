//! What settling a difference does: a payment confirmed, taken back as far as it came back, or received for a recovery.

use nonrecours_contracts::payments::{PaymentDifferenceOutcome, SettlePaymentDifferenceRequest};
use nonrecours_kernel::{IdSource, Invalid, Money, RecoveryName, Scope, Text, Violation};
use nonrecours_pg::{Entry, Tx};
use nonrecours_rpc::{Check, Failure, convert::date};
use time::Date;
use tonic::Code;

use super::{Outcome, PaymentDifference, Subject, rpc::ordered};
use crate::{
    error::{DOMAIN, Error},
    instalment::{self, returning},
    payment_plan,
    recovery::{self, Command, positive},
    return_file::{OrderKey, wire::slip_entry},
    slip::{self, Stage},
};

/// What the accountant asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// The sum ordered was paid on this day.
    PaidInFull(Date),
    /// Nothing.
    Dismissed,
    /// So much is taken back.
    Returned(Money),
    /// So much is received for this recovery.
    Recovered(Money, RecoveryName),
}

impl Asked {
    /// With which outcome.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::PaidInFull(_) => Outcome::PaidInFull,
            Self::Dismissed => Outcome::Dismissed,
            Self::Returned(amount) => Outcome::Returned(amount),
            Self::Recovered(amount, recovery) => Outcome::Recovered(amount, recovery),
        }
    }
}

/// Reads what is asked for: what its outcome needs, and nothing else.
pub(super) fn asked(check: &mut Check, request: &SettlePaymentDifferenceRequest) -> Option<Asked> {
    use PaymentDifferenceOutcome::{Dismissed, PaidInFull, Recovered, Returned, Unspecified};
    let outcome = request.outcome();
    let day = match (&request.payment_date, outcome == PaidInFull) {
        (given, true) => check.take("payment_date", date(given.as_ref())),
        (None, false) => None,
        (Some(_), false) => {
            check.refuse("payment_date", unexpected("La date de paiement"));
            None
        }
    };
    let amount = match (&request.returned_amount, outcome) {
        (given, Returned | Recovered) => check.take("returned_amount", positive(given.as_ref())),
        (None, _) => None,
        (Some(_), _) => {
            check.refuse("returned_amount", unexpected("Le montant revenu"));
            None
        }
    };
    let recovery = match (request.recovery.as_str(), outcome == Recovered) {
        (given, true) => check.parse::<RecoveryName>("recovery", given),
        ("", false) => None,
        (_, false) => {
            check.refuse("recovery", unexpected("Le titre de recette"));
            None
        }
    };
    match outcome {
        // The contract refuses it.
        Unspecified => None,
        PaidInFull => day.map(Asked::PaidInFull),
        Dismissed => Some(Asked::Dismissed),
        Returned => amount.map(Asked::Returned),
        Recovered => Some(Asked::Recovered(amount?, recovery?)),
    }
}

fn unexpected(what: &str) -> Invalid {
    Invalid::new(
        "UNEXPECTED",
        "this outcome has no such value",
        format!("{what} ne s'indique pas pour cette issue : retirez cette valeur."),
    )
}

/// A difference that is being settled, under the lock of its order's register.
pub(super) struct Settling<'a> {
    pub ids: &'a IdSource,
    pub scope: &'a Scope,
    pub difference: &'a PaymentDifference,
}

impl Settling<'_> {
    /// Does what is asked, and gives what changes beside the difference.
    pub(super) async fn book(&self, tx: &mut Tx, asked: Asked) -> Result<Option<Entry>, Error> {
        let key = match &self.difference.subject {
            Subject::Order { key, .. } => Some(*key),
            Subject::Reference(_) => None,
        };
        match asked {
            Asked::Dismissed => Ok(None),
            Asked::PaidInFull(day) => {
                let key = key.ok_or_else(not_payable)?;
                self.pay(tx, key, day).await.map(Some)
            }
            Asked::Returned(amount) => {
                let key = self.came_back(key, amount)?;
                self.take_back(tx, key, amount).await.map(Some)
            }
            Asked::Recovered(amount, recovery) => {
                let key = self.came_back(key, amount)?;
                self.receive(tx, key, amount, recovery).await?;
                Ok(None)
            }
        }
    }

    /// The order of which no less than this is stated to have come back.
    fn came_back(&self, key: Option<OrderKey>, amount: Money) -> Result<OrderKey, Failure> {
        let key = key.filter(|_| self.difference.came_back);
        let key = key.ok_or_else(not_stated)?;
        // A sum beyond all amounts is stated as none.
        match self.difference.stated_amount {
            Some(stated) if amount > stated => Err(exceeded(stated)),
            _ => Ok(key),
        }
    }

    /// Confirms the instalment of an order, and pays the order.
    async fn pay(&self, tx: &mut Tx, order: OrderKey, day: Date) -> Result<Entry, Error> {
        let (slip, _, order) = ordered(tx, order).await?;
        if order.stage.rejected() || order.stage == Stage::Paid {
            return Err(not_payable().into());
        }
        let name = &order.instalment;
        let confirmed = instalment::rpc::confirm(tx, self.ids, self.scope, name, day).await??;
        slip::orders::update(tx, &order.pay(confirmed)).await?;
        Ok(slip_entry(&slip::store::touch(tx, &slip).await?))
    }

    /// Takes back as much of what an order paid.
    async fn take_back(&self, tx: &mut Tx, order: OrderKey, amount: Money) -> Result<Entry, Error> {
        let (slip, _, order) = ordered(tx, order).await?;
        if order.stage != Stage::Paid {
            return Err(not_stated().into());
        }
        let (name, kept) = (order.instalment, order.kept());
        let day = self.difference.stated_date.ok_or_else(not_stated)?;
        let next = order.come_back(amount, day).ok_or_else(|| exceeded(kept))?;
        let taken = if next.stage == Stage::Paid {
            returning::take_part_back(tx, self.ids, &name, amount).await?
        } else {
            returning::take_back(tx, self.ids, &name).await?
        };
        taken.map_err(claimed)?;
        slip::orders::update(tx, &next).await?;
        Ok(slip_entry(&slip::store::touch(tx, &slip).await?))
    }

    /// Receives it for a recovery of the operator that was paid.
    async fn receive(
        &self,
        tx: &mut Tx,
        (instalment, _): OrderKey,
        amount: Money,
        recovery: RecoveryName,
    ) -> Result<(), Error> {
        if recovery.operator != instalment.operator {
            let invalid = Invalid::new(
                "OTHER_OPERATOR",
                "the money came back from another operator",
                "Ce titre de recette concerne un autre opérateur que celui qui avait été payé.",
            );
            return Err(Failure::invalid(vec![Violation::at("recovery", invalid)]).into());
        }
        payment_plan::store::lock(tx, &recovery.parent()).await?;
        let current = recovery::store::get(tx, &recovery).await?;
        let current = current.ok_or_else(|| Failure::not_found(recovery))?;
        let command = Command::Receive {
            amount,
            date: self.difference.stated_date.ok_or_else(not_stated)?,
            reference: format!("Retour {}", self.difference.name.payment_difference),
        };
        let stepped = recovery::stepping::step(tx, self.ids, self.scope, &current, command);
        stepped.await?;
        Ok(())
    }
}

fn not_payable() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "ORDER_NOT_PAYABLE",
        Text::new(
            "The order was rejected, or is paid already, or there is none: dismiss the difference.",
            "Ce mandat a été rejeté, ou il est déjà payé, ou il n'existe pas : l'écart ne peut qu'être classé sans suite.",
        ),
    )
}

fn not_stated() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "RETURN_NOT_STATED",
        Text::new(
            "The difference is not about money that came back of an order that is paid.",
            "Cet écart ne porte pas sur un retour de fonds d'un mandat payé : choisissez une autre issue.",
        ),
    )
}

fn exceeded(most: Money) -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "RETURN_EXCEEDED",
        Text::new(
            format!("No more than {most} came back and is still paid."),
            format!(
                "Il n'est revenu, ou il ne reste payé, que {} : indiquez un montant qui ne le dépasse pas.",
                most.french()
            ),
        ),
    )
}

fn claimed(text: Text) -> Failure {
    Failure::new(Code::FailedPrecondition, DOMAIN, "RETURN_CLAIMED", text)
}
