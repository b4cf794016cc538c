//! Issuing a slip of corrections: what may be corrected, under which numbers, and what its file says.

use nonrecours_kernel::{Blocker, Money};

use super::{
    Correction,
    blocker::{by_bank, duties, not_in_charge, open, other_codes, paid, too_high, year_closed},
    file,
};
use crate::{
    bank_account::Details,
    instalment::{Instalment, Schedule},
    payment_plan::Charge,
    posting_codes::{BudgetCodes, Channel},
    slip::{
        self, Issued, Kind, NotIssued, Order, Payer, Posting, Reason, Register, Slip, Stage, Terms,
    },
};

/// What is to be corrected of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// By how much it is reduced; none: it is cancelled.
    pub reduction: Option<Money>,
    /// Why.
    pub motive: String,
}

/// An order that is to be corrected, and all that may stand in the way.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What is asked.
    pub asked: Asked,
    /// As an instalment that is to go into a slip.
    pub order: slip::Candidate,
    /// Version of the posting codes that its last order was issued under.
    pub posting_codes_version: Option<i32>,
    /// The last correction of its last order.
    pub previous: Option<Previous>,
}

/// A correction of the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Which.
    pub round: i16,
    /// Its number.
    pub piece: i32,
    /// What has become of it.
    pub stage: Stage,
}

impl Previous {
    /// Whether the accountant has not answered.
    pub const fn waits(self) -> bool {
        matches!(
            self.stage,
            Stage::Transmitted | Stage::Acknowledged | Stage::Pending
        )
    }
}

/// What of a candidate goes into the file.
pub(super) struct Ready<'a> {
    pub instalment: &'a Instalment,
    pub schedule: &'a Schedule,
    pub account: &'a Details,
    pub correction: Correction,
    pub posting: Posting<'a>,
}

/// Issues a slip of corrections, in their order. The terms hold the codes that the first of the orders was issued under.
pub fn issue(terms: &Terms<'_>, candidates: &[Candidate]) -> Result<Issued, NotIssued> {
    let mut register = terms.register;
    register.last_correction += 1;
    let number = register.last_correction;
    let budget = terms.codes.and_then(|codes| match &codes.channel {
        Channel::Accountant(budget) => Some(budget),
        Channel::Bank(_) => None,
    });
    let mut blockers = Vec::new();
    let mut ready = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match admit(terms, budget, candidate, &mut register) {
            Ok(one) => ready.push(one),
            Err(found) => blockers.extend(found),
        }
    }
    let (Some(codes), Some(budget), true) = (terms.codes, budget, blockers.is_empty()) else {
        return Err(NotIssued::Blocked(blockers));
    };
    let file = file::flow(terms, number, budget, &ready)?;
    let corrections: Vec<_> = ready.into_iter().map(|one| one.correction).collect();
    let amount = Money::sum(corrections.iter().map(|one| one.amount)).unwrap_or(Money::MAX);
    Ok(Issued {
        slip: Slip {
            name: terms.name,
            kind: Kind::Correction,
            budget_year: terms.budget_year,
            number,
            issue_date: terms.today,
            amount,
            payer: Payer::Accountant,
            file_name: file.name,
            posting_codes_version: codes.version,
            warnings: file.warnings,
            orders: Vec::new(),
            corrections,
            issuer: terms.issuer.to_owned(),
            revision: 1,
            create_time: terms.now,
            update_time: terms.now,
        },
        file: file.content,
        register,
    })
}

/// Whether an order may be corrected, with the number of the correction if so.
fn admit<'a>(
    terms: &Terms<'_>,
    budget: Option<&'a BudgetCodes>,
    candidate: &'a Candidate,
    register: &mut Register,
) -> Result<Ready<'a>, Vec<Blocker>> {
    let (asked, of) = (&candidate.asked, &candidate.order);
    let name = &of.instalment.name;
    let mut found = Vec::new();
    if of.programme != Some(terms.name.programme) {
        found.push(slip::blocker::other_programme(name));
    }
    let last = of.last.as_ref();
    match last {
        Some((year, _)) if *year != terms.budget_year => {
            found.push(slip::blocker::other_year(name, Some(*year)));
        }
        _ => {}
    }
    if Charge::year(terms.budget_year).is_none_or(|charge| charge.last_day < terms.today) {
        found.push(year_closed(name, terms.budget_year));
    }
    let state = &of.instalment.state;
    let ordered = match state.paid() {
        Some(_) => None,
        None => state.ordered(),
    };
    let order = last.map(|(_, order)| order);
    let in_charge = order.filter(|order| order.stage == Stage::TakenInCharge);
    if state.paid().is_some() || order.is_some_and(|order| order.stage == Stage::Paid) {
        found.push(paid(name));
    } else if in_charge.is_none() || ordered.is_none() {
        found.push(not_in_charge(name, order));
    }
    if of.difference {
        found.push(slip::blocker::difference_open(name));
    }
    let previous = candidate.previous;
    if previous.is_some_and(Previous::waits) {
        found.push(open(name));
    }
    let left = in_charge.map_or(Money::ZERO, Order::due);
    if in_charge.is_some() && asked.reduction.is_some_and(|amount| amount >= left) {
        found.push(too_high(name, left));
    }
    if state
        .duties()
        .any(|(duty, step)| duty.precedes_the_order() && step.actor == terms.issuer)
    {
        found.push(duties(name));
    }
    let posting = posting(terms, budget, candidate, &mut found);
    match (ordered, in_charge, posting) {
        (Some(ordered), Some(order), Some(posting)) if found.is_empty() => Ok(Ready {
            instalment: &of.instalment,
            schedule: &of.schedule,
            account: &ordered.certified.account.details,
            correction: Correction {
                order: (*name, order.attempt),
                round: previous.map_or(1, |previous| previous.round.saturating_add(1)),
                corrected_piece: order.piece,
                piece: number(previous, register),
                amount: asked.reduction.unwrap_or(left),
                cancels: asked.reduction.is_none(),
                motive: asked.motive.clone(),
                stage: Stage::Transmitted,
                reason: Reason::default(),
                caller: state.call().map(|call| call.step.actor.clone()),
                certifier: ordered.certified.certification.actor.clone(),
                issuer: terms.issuer.to_owned(),
                acceptance: None,
            },
            posting,
        }),
        _ => Err(found),
    }
}

/// How the payee was posted.
fn posting<'a>(
    terms: &Terms<'_>,
    budget: Option<&'a BudgetCodes>,
    candidate: &'a Candidate,
    found: &mut Vec<Blocker>,
) -> Option<Posting<'a>> {
    let name = &candidate.order.instalment.name;
    let version = candidate.posting_codes_version?;
    let codes = terms.codes?;
    if version != codes.version {
        found.push(other_codes(name));
        return None;
    }
    let Some(budget) = budget else {
        found.push(by_bank(name));
        return None;
    };
    let posting = slip::posting(budget, &candidate.order);
    posting.map_err(|blocker| found.push(blocker)).ok()
}

/// The number of the correction: that of the rejected one, else the next of the year's orders.
fn number(previous: Option<Previous>, register: &mut Register) -> i32 {
    match previous {
        Some(previous) if previous.stage.rejected() => previous.piece,
        _ => {
            register.last_piece += 1;
            register.last_piece
        }
    }
}
