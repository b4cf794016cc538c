//! Plans opened from a convention, kept up with it, paid.

use std::sync::Arc;

use nonrecours_kernel::{BudgetYear, IdSource, ManualClock, Money};
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::instalment::{
    Kind,
    fixtures::{NOW, agreement},
};

fn ids() -> IdSource {
    IdSource::seeded(Arc::new(ManualClock::at(NOW)), 1)
}

fn cents(cents: i64) -> Money {
    Money::from_cents(cents)
}

fn revised(revision: i64) -> Agreement {
    Agreement {
        revision,
        ..agreement()
    }
}

#[test]
fn a_plan_opens_with_the_instalments_of_its_convention() {
    let (plan, instalments) = agreement().open(&ids(), NOW).unwrap();
    assert_eq!(plan.state(), State::Open);
    assert_eq!((plan.revision, plan.convention_revision), (1, 7));
    assert_eq!(plan.terms, agreement().terms);
    let shown: Vec<_> = instalments
        .iter()
        .map(|one| (one.position, one.kind, one.amount.cents()))
        .collect();
    assert_eq!(
        shown,
        [(1, Kind::Advance, 920_000), (2, Kind::Balance, 230_000)]
    );
}

#[test]
fn a_term_that_rounds_to_nothing_gives_no_instalment() {
    let cent = cents(1);
    let tiny = Agreement {
        grant: cent,
        terms: vec![(Kind::Advance, cent), (Kind::Balance, Money::ZERO)],
        ..agreement()
    };
    let (plan, instalments) = tiny.open(&ids(), NOW).unwrap();
    assert_eq!(instalments.len(), 1);
    // The same terms again change nothing.
    let again = Agreement {
        revision: 8,
        ..tiny
    };
    assert!(matches!(
        plan.clone().learn(&again, NOW),
        Ok(Learned::Seen(_))
    ));
    let paid = plan.pay(cent, cent, NOW).unwrap();
    assert_eq!(paid.state(), State::Settled);
}

#[test]
fn terms_that_do_not_make_up_the_grant_are_refused() {
    let with = |grant: i64, terms: &[i64]| Agreement {
        grant: cents(grant),
        terms: terms
            .iter()
            .map(|amount| (Kind::Advance, cents(*amount)))
            .collect(),
        ..revised(8)
    };
    let (plan, _) = agreement().open(&ids(), NOW).unwrap();
    for bad in [
        with(100, &[80, 19]),
        with(100, &[80, 21]),
        with(100, &[120, -20]),
        with(0, &[]),
        with(-100, &[-100]),
        with(13, &[1; 13]),
    ] {
        assert_eq!(bad.open(&ids(), NOW), Err(Mismatch::Terms), "{bad:?}");
        assert_eq!(plan.clone().learn(&bad, NOW), Err(Mismatch::Terms));
    }
    assert!(with(12, &[1; 12]).open(&ids(), NOW).is_ok());
}

#[test]
fn a_plan_learns_each_revision_once_and_never_goes_back() {
    let (plan, _) = agreement().open(&ids(), NOW).unwrap();
    let later = datetime!(2025-12-20 10:00 UTC);
    assert_eq!(plan.clone().learn(&revised(7), later), Ok(Learned::Stale));
    assert_eq!(plan.clone().learn(&revised(6), later), Ok(Learned::Stale));
    let Ok(Learned::Seen(seen)) = plan.learn(&revised(8), later) else {
        panic!("nothing visible has changed");
    };
    assert_eq!(
        (seen.convention_revision, seen.revision, seen.update_time),
        (8, 1, NOW)
    );

    let completed = Agreement {
        actions_completed: true,
        ..revised(9)
    };
    let Ok(Learned::Changed(plan)) = seen.learn(&completed, later) else {
        panic!("the completion is visible");
    };
    assert!(plan.actions_completed);
    assert_eq!(
        (plan.convention_revision, plan.revision, plan.update_time),
        (9, 2, later)
    );
    let Ok(Learned::Seen(plan)) = plan.learn(&revised(10), later) else {
        panic!("completed stays completed");
    };
    assert!(plan.actions_completed);
    let next_year = Agreement {
        budget_year: BudgetYear::new(2026).unwrap(),
        ..revised(11)
    };
    assert_eq!(plan.learn(&next_year, later), Err(Mismatch::BudgetYear));
}

#[test]
fn other_terms_and_another_sum_due_are_planned_again() {
    let (plan, _) = agreement().open(&ids(), NOW).unwrap();
    let learn = |plan: &PaymentPlan, agreement: &Agreement| {
        let agreement = Agreement {
            revision: plan.convention_revision + 1,
            ..agreement.clone()
        };
        plan.clone().learn(&agreement, NOW).unwrap()
    };
    let amended = Agreement {
        grant: cents(1_500_000),
        terms: vec![
            (Kind::Advance, cents(1_200_000)),
            (Kind::Balance, cents(300_000)),
        ],
        advance_without_call: true,
        ..agreement()
    };
    let Learned::Replanned(plan, Cause::Amendment) = learn(&plan, &amended) else {
        panic!("the terms are other ones");
    };
    assert_eq!((plan.grant, &plan.terms), (amended.grant, &amended.terms));
    assert!(plan.advance_without_call);

    // A ceiling of before the amendment counts up to the grant in force.
    let with = |due: i64, terminated: bool| Agreement {
        measures: Measures {
            due: Some(cents(due)),
            terminated,
            ..Measures::default()
        },
        ..amended.clone()
    };
    let Learned::Changed(generous) = learn(&plan, &with(1_600_000, false)) else {
        panic!("as much is due as before");
    };
    assert_eq!(generous.due(), amended.grant);
    let Learned::Replanned(reduced, Cause::Decision) = learn(&plan, &with(1_000_000, false)) else {
        panic!("less is due");
    };
    assert_eq!(reduced.payable(), cents(1_000_000));
    // A termination changes what is due, but plans nothing again.
    assert!(matches!(
        learn(&reduced, &with(0, true)),
        Learned::Changed(_)
    ));
}

#[test]
fn what_is_paid_above_a_lowered_grant_is_to_be_recovered() {
    let (plan, _) = agreement().open(&ids(), NOW).unwrap();
    let plan = plan.pay(cents(920_000), cents(1_150_000), NOW).unwrap();
    let lowered = Agreement {
        grant: cents(900_000),
        terms: vec![
            (Kind::Advance, cents(720_000)),
            (Kind::Balance, cents(180_000)),
        ],
        ..revised(8)
    };
    let Ok(Learned::Replanned(plan, _)) = plan.learn(&lowered, NOW) else {
        panic!("the terms are other ones");
    };
    assert_eq!(plan.to_recover(), cents(20_000));
    assert_eq!(plan.state(), State::Settled);
}

proptest! {
    #[test]
    fn never_more_paid_than_planned(amounts in prop::collection::vec(1_i64..600_000, 0..8)) {
        let (mut plan, _) = agreement().open(&ids(), NOW).unwrap();
        let planned = plan.grant;
        for amount in amounts {
            let amount = cents(amount);
            let before = plan.clone();
            plan = match plan.pay(amount, planned, NOW) {
                Ok(plan) => {
                    prop_assert_eq!(plan.paid.checked_sub(amount), Some(before.paid));
                    prop_assert_eq!(plan.revision, before.revision + 1);
                    plan
                }
                Err(mismatch) => {
                    prop_assert_eq!(mismatch, Mismatch::Overpaid);
                    prop_assert!(before.paid.checked_add(amount).unwrap() > planned);
                    before
                }
            };
            prop_assert!(plan.paid <= planned);
            prop_assert_eq!(plan.state() == State::Settled, plan.paid == plan.grant);
        }
    }
}
