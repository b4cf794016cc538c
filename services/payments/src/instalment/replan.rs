//! Instalments planned again: when an amendment changes the terms, or a decision what is due.

use std::slice::Iter;

use nonrecours_kernel::{IdSource, InstalmentName, Money};
use time::OffsetDateTime;

use super::{Instalment, Kind, Schedule, Stage};
use crate::payment_plan::{Cause, Mismatch};

/// Places of a plan, those of cancelled instalments included.
const MAX_PLACES: i16 = 99;

/// What becomes of one instalment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replanned {
    /// As it was; none: it is new.
    pub before: Option<Instalment>,
    /// As it is now: PLANNED or CANCELLED.
    pub next: Instalment,
}

impl Replanned {
    /// The instalment as it was certified, when it was: the books take its liquidation back.
    pub fn liquidated(&self) -> Option<&Instalment> {
        let certified = |one: &&Instalment| one.state.stage() == Stage::Certified;
        self.before.as_ref().filter(certified)
    }

    /// The change that it is told as.
    pub fn kind(&self) -> &'static str {
        match (&self.before, self.next.is_live()) {
            (None, _) => "instalment.planned",
            (Some(_), true) => "instalment.replanned",
            (Some(_), false) => "instalment.cancelled",
        }
    }

    /// Why, for the history; `cause` says what changed of the plan.
    pub fn why(&self, cause: &str) -> String {
        let Some(before) = &self.before else {
            return format!("{cause} Une échéance s'ajoute à l'échéancier.");
        };
        let amounts = if self.next.is_live() {
            let (from, to) = (before.amount.french(), self.next.amount.french());
            format!("L'échéance passe de {from} à {to}")
        } else {
            "L'échéance est annulée".to_owned()
        };
        let steps = match before.state.stage() {
            Stage::Called => " ; l'appel de fonds, fait pour une autre somme, ne vaut plus",
            Stage::Certified => {
                " ; l'appel de fonds et la certification, faits pour une autre somme, ne valent plus"
            }
            _ => "",
        };
        format!("{cause} {amounts}{steps}.")
    }
}

impl Schedule {
    /// Plans again all that is not ordered, so that the instalments make up what is payable exactly, and gives the
    /// instalments that changed, by position.
    ///
    /// Those ORDERED and PAID keep their amount and stand for as many terms. What remains is shared among the other terms
    /// in their proportion; nothing left of the terms, a further balance takes it. A term finds its instalment by kind, in
    /// the order of the plan; the ones passed over or left with nothing are cancelled. From the first term that finds none
    /// on, the instalments are new, so that positions keep the order of the terms.
    pub fn replan(
        &mut self,
        cause: Cause,
        ids: &IdSource,
        now: OffsetDateTime,
    ) -> Result<Vec<Replanned>, Mismatch> {
        let kept = self.instalments.iter().filter(|one| one.is_ordered());
        let ordered = Money::sum(kept.clone().map(|one| one.amount)).ok_or(Mismatch::Terms)?;
        let payable = self.plan.payable();
        let left = payable.checked_sub(ordered).ok_or(Mismatch::Terms)?;
        let shares = shares(&self.plan.terms, kept.count(), left.max(Money::ZERO))?;

        let is_open = |one: &&Instalment| one.is_live() && !one.is_ordered();
        let open: Vec<_> = self.instalments.iter().filter(is_open).cloned().collect();
        let mut open = open.iter();
        let mut next = Vec::new();
        let mut added = Vec::new();
        for (kind, amount) in shares {
            let (passed, found) = find(&mut open, kind);
            next.extend(passed.iter().map(|one| one.clone().cancel(cause, now)));
            match found {
                Some(found) if found.amount == amount => {}
                Some(found) => next.push(found.clone().replan(amount, now)),
                None => added.push((kind, amount)),
            }
        }
        next.extend(open.map(|one| one.clone().cancel(cause, now)));
        let last = self.instalments.last().map_or(0, |one| one.position);
        for (position, (kind, amount)) in (last + 1..).zip(added) {
            if position > MAX_PLACES {
                return Err(Mismatch::Places);
            }
            let name = InstalmentName {
                operator: self.plan.convention.operator,
                convention: self.plan.convention.convention,
                instalment: ids.next(),
            };
            next.push(Instalment::plan(name, kind, position, amount, now));
        }
        let replanned = next.into_iter().map(|next| self.replace(next)).collect();
        // Counted twice: by sharing, and from the instalments.
        if self.planned()? != payable.max(ordered) {
            return Err(Mismatch::Terms);
        }
        Ok(replanned)
    }

    /// Puts an instalment in its place, or after all others.
    fn replace(&mut self, next: Instalment) -> Replanned {
        let same = |one: &&mut Instalment| one.name == next.name;
        let before = match self.instalments.iter_mut().find(same) {
            Some(place) => Some(std::mem::replace(place, next.clone())),
            None => {
                self.instalments.push(next.clone());
                None
            }
        };
        Replanned { before, next }
    }
}

/// What the terms get that no ordered instalment stands for; those that get nothing are left out.
fn shares(
    terms: &[(Kind, Money)],
    ordered: usize,
    left: Money,
) -> Result<Vec<(Kind, Money)>, Mismatch> {
    let terms = match terms.get(ordered..) {
        Some(terms) if !terms.is_empty() => terms.to_vec(),
        _ if left.is_zero() => return Ok(Vec::new()),
        _ => vec![(Kind::Balance, left)],
    };
    let weights: Vec<_> = terms.iter().map(|(_, amount)| *amount).collect();
    let amounts = left.apportion(&weights).ok_or(Mismatch::Terms)?;
    let kinds = terms.into_iter().map(|(kind, _)| kind);
    let shares = kinds.zip(amounts).filter(|(_, amount)| !amount.is_zero());
    Ok(shares.collect())
}

/// Takes the first of this kind, with those passed over; none of this kind: all are passed over.
fn find<'a>(
    open: &mut Iter<'a, Instalment>,
    kind: Kind,
) -> (&'a [Instalment], Option<&'a Instalment>) {
    let all = open.as_slice();
    let found = open.position(|one| one.kind == kind);
    match found.and_then(|at| Some((all.get(..at)?, all.get(at)?))) {
        Some((passed, found)) => (passed, Some(found)),
        None => (all, None),
    }
}
