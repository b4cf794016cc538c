//! The books against the figures: everything recomputed from the entries, and compared.

use nonrecours_kernel::{InstalmentName, Money, Text};

use super::{Account, Movement, Subject};
use crate::{
    instalment::{Instalment, Schedule},
    payment_plan::Mismatch,
    recovery::{ActKind, Recovery},
};

/// What the entries of one movement of one instalment or recovery come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// What they book.
    pub subject: Subject,
    /// Movement.
    pub movement: Movement,
    /// Their sum.
    pub amount: Money,
    /// How many they are.
    pub entries: i64,
    /// Who made the step that the last one books.
    pub last_actor: String,
}

/// An order that stands, and what corrections took off it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it orders.
    pub instalment: InstalmentName,
    /// Amount, as it was ordered, less what came back of it.
    pub amount: Money,
    /// What was taken off.
    pub corrected: Money,
}

/// A figure that is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Amount of an instalment from its certification on.
    CertifiedAmount,
    /// Amount of an instalment that is paid.
    PaidAmount,
    /// Who certified.
    CertifiedBy,
    /// Who confirmed the transfer.
    PaidBy,
    /// Sum paid of a plan.
    PlanPaidAmount,
    /// Sum of the instalments of a plan.
    PlannedAmount,
    /// What a recovery claims.
    ClaimedAmount,
    /// What of a recovery is back.
    RecoveredAmount,
    /// What of a recovery was given up.
    WrittenOffAmount,
    /// What is back of all recoveries of a plan.
    PlanRecoveredAmount,
    /// What the State owes by an agreement.
    StateDueAmount,
    /// What has come of it.
    StateReceivedAmount,
    /// Amount of an instalment whose order is in a slip.
    OrderAmount,
}

/// A figure that the books do not bear out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which.
    pub figure: Figure,
    /// The instalment, the recovery, the plan, or the receivable.
    pub subject: String,
    /// What the books or the rules say.
    pub expected: String,
    /// What the figure is.
    pub found: String,
}

/// What the books of one plan come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many entries there are.
    pub entries: i64,
    /// Debits less credits of each account that has entries.
    pub balances: Vec<(Account, Money)>,
    /// Where the books and the figures differ.
    pub discrepancies: Vec<Discrepancy>,
}

impl Verification {
    /// Verifies one plan with its recoveries.
    pub fn of(
        schedule: &Schedule,
        recoveries: &[&Recovery],
        orders: &[Sent],
        booked: &[Booked],
    ) -> Result<Self, Mismatch> {
        let mut discrepancies = Vec::new();
        for instalment in &schedule.instalments {
            discrepancies.extend(of_instalment(instalment, booked)?);
        }
        for recovery in recoveries {
            discrepancies.extend(of_recovery(recovery, booked)?);
        }
        for order in orders {
            discrepancies.extend(of_order(schedule, order)?);
        }
        discrepancies.extend(of_plan(schedule, booked)?);
        let mut balances = Vec::new();
        for account in Account::ALL {
            let debits = sum(booked, |one| one.movement.debit() == account)?;
            let credits = sum(booked, |one| one.movement.credit() == account)?;
            if debits.is_positive() || credits.is_positive() {
                balances.push((account, less(debits, credits)?));
            }
        }
        Ok(Self {
            entries: booked.iter().map(|one| one.entries).sum(),
            balances,
            discrepancies,
        })
    }
}

impl Discrepancy {
    /// What differs, for people.
    pub fn text(&self) -> Text {
        let (en, fr) = match self.figure {
            Figure::CertifiedAmount => ("certified amount", "montant certifié"),
            Figure::PaidAmount => ("amount paid", "montant payé"),
            Figure::CertifiedBy => ("person who certified", "auteur de la certification"),
            Figure::PaidBy => (
                "person who confirmed the transfer",
                "auteur de la confirmation du virement",
            ),
            Figure::PlanPaidAmount => ("sum paid of the plan", "somme versée de l'échéancier"),
            Figure::PlannedAmount => (
                "sum of the instalments of the plan",
                "somme des échéances de l'échéancier",
            ),
            Figure::ClaimedAmount => ("amount claimed", "montant du titre de recette"),
            Figure::RecoveredAmount => ("amount recovered", "montant recouvré"),
            Figure::WrittenOffAmount => ("amount written off", "montant admis en non-valeur"),
            Figure::PlanRecoveredAmount => (
                "sum recovered of the plan",
                "somme recouvrée de l'échéancier",
            ),
            Figure::StateDueAmount => ("amount due from the State", "montant dû par l'État"),
            Figure::StateReceivedAmount => {
                ("amount received from the State", "montant reçu de l'État")
            }
            Figure::OrderAmount => (
                "amount of the instalment ordered",
                "montant de l'échéance mandatée",
            ),
        };
        let (expected, found) = (&self.expected, &self.found);
        Text::new(
            format!("The {en} is {found}, it should be {expected}."),
            format!("Écart relevé, {fr} : {found} au lieu de {expected}."),
        )
    }
}

fn of_instalment(
    instalment: &Instalment,
    booked: &[Booked],
) -> Result<impl Iterator<Item = Discrepancy>, Mismatch> {
    let state = &instalment.state;
    let entries = |movement| {
        let subject = Subject::Instalment(instalment.name);
        let same = move |one: &&Booked| one.subject == subject && one.movement == movement;
        booked.iter().find(same)
    };
    let total = |movement| entries(movement).map_or(Money::ZERO, |one| one.amount);
    let certified = less(total(Movement::Liquidation), total(Movement::Reversal))?;
    let paid = less(total(Movement::Payment), total(Movement::Return))?;
    let due = |reached: bool| {
        if reached {
            instalment.amount
        } else {
            Money::ZERO
        }
    };
    let last_actor = |movement| entries(movement).map_or("", |one| one.last_actor.as_str());
    let certification = state.certified().map(|state| &state.certification);
    let confirmation = state.paid().map(|state| &state.confirmation);
    let figures = [
        Some((
            Figure::CertifiedAmount,
            certified.to_string(),
            due(certification.is_some()).to_string(),
        )),
        Some((
            Figure::PaidAmount,
            paid.to_string(),
            due(confirmation.is_some()).to_string(),
        )),
        certification.map(|step| {
            let actor = last_actor(Movement::Liquidation).to_owned();
            (Figure::CertifiedBy, actor, step.actor.clone())
        }),
        confirmation.map(|step| {
            let actor = last_actor(Movement::Payment).to_owned();
            (Figure::PaidBy, actor, step.actor.clone())
        }),
    ];
    let subject = instalment.name.to_string();
    let differs = move |(figure, expected, found)| differs(figure, &subject, expected, found);
    Ok(figures.into_iter().flatten().filter_map(differs))
}

fn of_recovery(
    recovery: &Recovery,
    booked: &[Booked],
) -> Result<impl Iterator<Item = Discrepancy>, Mismatch> {
    let of = Subject::Recovery(recovery.name);
    let total = |movement| sum(booked, |one| one.subject == of && one.movement == movement);
    let claimed = less(total(Movement::Claim)?, total(Movement::Reduction)?)?;
    let acts = |kind| recovery.sum(kind);
    let received = acts(ActKind::Receipt).checked_add(acts(ActKind::Offset));
    let figures = [
        (
            Figure::ClaimedAmount,
            claimed,
            less(recovery.amount, acts(ActKind::Reduction))?,
        ),
        (
            Figure::RecoveredAmount,
            total(Movement::Receipt)?,
            received.ok_or(Mismatch::Terms)?,
        ),
        (
            Figure::WrittenOffAmount,
            total(Movement::WriteOff)?,
            acts(ActKind::WriteOff),
        ),
    ];
    let subject = recovery.name.to_string();
    Ok(figures
        .into_iter()
        .filter_map(move |(figure, expected, found)| {
            differs(figure, &subject, expected.to_string(), found.to_string())
        }))
}

fn of_order(schedule: &Schedule, order: &Sent) -> Result<Option<Discrepancy>, Mismatch> {
    let found = schedule.find(order.instalment.instalment);
    let found = found.map_or(Money::ZERO, |one| one.amount);
    let expected = less(order.amount, order.corrected)?;
    Ok(differs(
        Figure::OrderAmount,
        &order.instalment.to_string(),
        expected.to_string(),
        found.to_string(),
    ))
}

fn of_plan(schedule: &Schedule, booked: &[Booked]) -> Result<Vec<Discrepancy>, Mismatch> {
    let plan = &schedule.plan;
    let moved = |movement| sum(booked, move |one| one.movement == movement);
    let paid = less(moved(Movement::Payment)?, moved(Movement::Return)?)?;
    let ordered = schedule.instalments.iter().filter(|one| one.is_ordered());
    let ordered = Money::sum(ordered.map(|one| one.amount)).ok_or(Mismatch::Terms)?;
    let subject = plan.name().to_string();
    let back = sum(booked, |one| one.movement == Movement::Receipt)?;
    let mut figures = vec![
        (Figure::PlanPaidAmount, paid, plan.paid),
        (Figure::PlanRecoveredAmount, back, plan.recovered.received),
    ];
    if !plan.measures.terminated {
        let payable = plan.payable().max(ordered);
        figures.push((Figure::PlannedAmount, payable, schedule.planned()?));
    }
    let differs = |(figure, expected, found): (_, Money, Money)| {
        differs(figure, &subject, expected.to_string(), found.to_string())
    };
    Ok(figures.into_iter().filter_map(differs).collect())
}

fn differs(figure: Figure, subject: &str, expected: String, found: String) -> Option<Discrepancy> {
    (expected != found).then(|| Discrepancy {
        figure,
        subject: subject.to_owned(),
        expected,
        found,
    })
}

fn sum(booked: &[Booked], of: impl Fn(&Booked) -> bool) -> Result<Money, Mismatch> {
    let amounts = booked.iter().filter(|one| of(one)).map(|one| one.amount);
    Money::sum(amounts).ok_or(Mismatch::Terms)
}

fn less(debits: Money, credits: Money) -> Result<Money, Mismatch> {
    debits.checked_sub(credits).ok_or(Mismatch::Terms)
}
