//! Instalments planned again, case by case. That any sequence conserves money is in `conservation`.

use std::sync::Arc;

use nonrecours_kernel::{IdSource, ManualClock, Money};

use super::{
    fixtures::{CERTIFY, NOW, advance, agreement, call, confirm, schedule, step},
    replan::Replanned,
    *,
};
use crate::payment_plan::{Agreement, Cause, Learned, Mismatch};

use Kind::{Advance, Balance, Interim};

fn agreed(terms: &[(Kind, i64)]) -> Agreement {
    let terms: Vec<_> = terms
        .iter()
        .map(|(kind, cents)| (*kind, Money::from_cents(*cents)))
        .collect();
    Agreement {
        grant: Money::sum(terms.iter().map(|(_, amount)| *amount)).unwrap(),
        terms,
        actions_completed: true,
        ..agreement()
    }
}

/// Takes the first instalments through these numbers of steps, each step by its own person.
fn after(terms: &[(Kind, i64)], steps: &[usize]) -> Schedule {
    let mut schedule = schedule(&agreed(terms));
    for (index, steps) in steps.iter().enumerate() {
        advance(&mut schedule, index, *steps);
    }
    schedule
}

fn learn(schedule: &mut Schedule, agreement: Agreement) -> Result<Vec<Replanned>, Mismatch> {
    let ids = IdSource::seeded(Arc::new(ManualClock::at(NOW)), 2);
    let agreement = Agreement {
        revision: schedule.plan.convention_revision + 1,
        ..agreement
    };
    let Learned::Replanned(plan, cause) = schedule.plan.clone().learn(&agreement, NOW)? else {
        panic!("nothing is to be planned again");
    };
    schedule.plan = plan;
    schedule.replan(cause, &ids, NOW)
}

fn amend(schedule: &mut Schedule, terms: &[(Kind, i64)]) -> Vec<Replanned> {
    learn(schedule, agreed(terms)).unwrap()
}

fn shown(schedule: &Schedule) -> Vec<(i16, Kind, i64, Stage)> {
    schedule
        .instalments
        .iter()
        .map(|one| {
            let (amount, stage) = (one.amount.cents(), one.state.stage());
            (one.position, one.kind, amount, stage)
        })
        .collect()
}

#[test]
fn nothing_ordered_takes_the_new_terms_as_they_are() {
    let mut schedule = after(&[(Advance, 920_000), (Balance, 230_000)], &[]);
    let changed = amend(&mut schedule, &[(Advance, 1_000_000), (Balance, 500_001)]);
    assert_eq!(changed.len(), 2);
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 1_000_000, Stage::Planned),
            (2, Balance, 500_001, Stage::Planned)
        ]
    );
    assert_eq!(schedule.instalments[0].revision, 2);
}

#[test]
fn what_is_paid_stays_and_the_others_share_the_rest() {
    let terms = [(Advance, 500), (Interim, 300), (Balance, 200)];
    let mut schedule = after(&terms, &[4]);
    let changed = amend(
        &mut schedule,
        &[(Advance, 750), (Interim, 450), (Balance, 300)],
    );
    // 1 000 cents are left, in 450 : 300, the remainder on the last.
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 500, Stage::Paid),
            (2, Interim, 600, Stage::Planned),
            (3, Balance, 400, Stage::Planned)
        ]
    );
    assert_eq!(changed.len(), 2);
}

#[test]
fn one_whose_amount_stays_keeps_its_state() {
    let terms = [(Advance, 500), (Balance, 500)];
    let mut schedule = after(&terms, &[2]);
    let changed = amend(&mut schedule, &[(Advance, 500), (Balance, 700)]);
    assert_eq!(changed.len(), 1);
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 500, Stage::Certified),
            (2, Balance, 700, Stage::Planned)
        ]
    );
}

#[test]
fn one_called_or_certified_for_another_sum_goes_back() {
    let terms = [(Advance, 920_000), (Balance, 230_000)];
    let says = ["ne va", "l'appel de fonds, fait", "la certification, faits"];
    for (steps, says) in says.into_iter().enumerate() {
        let mut schedule = after(&terms, &[steps]);
        let before = schedule.instalments[0].clone();
        let changed = amend(&mut schedule, &[(Advance, 400_000), (Balance, 100_000)]);
        let next = &schedule.instalments[0];
        assert_eq!(
            (&next.state, next.revision),
            (&State::Planned, before.revision + 1)
        );
        assert_eq!(changed[0].kind(), "instalment.replanned");
        assert_eq!(changed[0].liquidated().is_some(), steps == 2);
        let why = changed[0].why("Avenant.");
        assert!(why.contains("9\u{202f}200,00\u{a0}€ à 4\u{202f}000,00\u{a0}€"));
        assert_eq!(why.contains(says), steps > 0, "{why}");
        // And it may be called and certified once more.
        advance(&mut schedule, 0, 2);
        assert_eq!(schedule.instalments[0].state.stage(), Stage::Certified);
    }
}

#[test]
fn below_what_is_ordered_the_rest_is_cancelled_and_the_difference_recovered() {
    let terms = [(Advance, 920_000), (Balance, 230_000)];
    let mut schedule = after(&terms, &[3]);
    let changed = amend(&mut schedule, &[(Advance, 720_000), (Balance, 180_000)]);
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 920_000, Stage::Ordered),
            (2, Balance, 230_000, Stage::Cancelled)
        ]
    );
    assert_eq!(changed[0].kind(), "instalment.cancelled");
    assert!(changed[0].why("Avenant.").ends_with("est annulée."));
    assert_eq!(schedule.plan.to_recover(), Money::ZERO);
    let confirmed = schedule.instalments[0].clone();
    let paid = schedule
        .take(&confirmed, confirm(), step("accountant", NOW))
        .unwrap();
    let plan = schedule.plan.clone();
    let plan = plan
        .pay(paid.amount, schedule.planned().unwrap(), NOW)
        .unwrap();
    assert_eq!(plan.to_recover(), Money::from_cents(20_000));

    let cancelled = &schedule.instalments[1];
    for command in [call(), CERTIFY, Command::Order, confirm()] {
        let refused = schedule.take(cancelled, command, step("manager", NOW));
        let Err(Refusal::Cancelled(blockers)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(blockers, schedule.blockers(cancelled));
        assert_eq!(blockers[0].reason, "TERMS_AMENDED");
    }
}

#[test]
fn a_grant_that_grows_after_all_is_paid_gives_a_further_balance() {
    let terms = [(Advance, 800), (Balance, 200)];
    let mut schedule = after(&terms, &[4, 4]);
    let changed = amend(&mut schedule, &[(Advance, 1_200), (Balance, 300)]);
    assert_eq!(changed[0].kind(), "instalment.planned");
    assert!(changed[0].why("Avenant.").contains("s'ajoute"));
    let further = (3, Balance, 500, Stage::Planned);
    assert_eq!(shown(&schedule)[2], further);
    // It is still the one that the next amendment changes.
    amend(&mut schedule, &[(Advance, 1_280), (Balance, 320)]);
    assert_eq!(shown(&schedule)[2..], [(3, Balance, 600, Stage::Planned)]);
}

#[test]
fn new_terms_come_after_those_that_are_there() {
    let terms = [(Advance, 500), (Balance, 500)];
    let mut schedule = after(&terms, &[4]);
    amend(
        &mut schedule,
        &[(Advance, 500), (Interim, 300), (Balance, 200)],
    );
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 500, Stage::Paid),
            (2, Balance, 500, Stage::Cancelled),
            (3, Interim, 300, Stage::Planned),
            (4, Balance, 200, Stage::Planned)
        ]
    );
    // What is cancelled is in nobody's way.
    assert_eq!(schedule.blockers(&schedule.instalments[2]), []);
}

#[test]
fn a_term_less_cancels_its_instalment() {
    let terms = [(Advance, 500), (Interim, 300), (Balance, 200)];
    let mut schedule = after(&terms, &[1]);
    amend(&mut schedule, &[(Advance, 500), (Balance, 500)]);
    assert_eq!(
        shown(&schedule),
        [
            (1, Advance, 500, Stage::Called),
            (2, Interim, 300, Stage::Cancelled),
            (3, Balance, 500, Stage::Planned)
        ]
    );
}

#[test]
fn a_decision_that_reduces_the_grant_leaves_what_is_due() {
    let terms = [(Advance, 920_000), (Balance, 230_000)];
    let mut schedule = after(&terms, &[4, 1]);
    let due = |cents: i64| {
        let mut agreement = agreed(&terms);
        agreement.measures.due = Some(Money::from_cents(cents));
        agreement
    };
    learn(&mut schedule, due(1_000_000)).unwrap();
    let balance = schedule.instalments[1].clone();
    assert_eq!(balance.amount.cents(), 80_000);
    assert_eq!(schedule.blockers(&balance), []);
    learn(&mut schedule, due(900_000)).unwrap();
    let balance = &schedule.instalments[1];
    let refused = schedule.take(balance, call(), step("manager", NOW));
    let Err(Refusal::Cancelled(blockers)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(blockers[0].reason, "GRANT_REDUCED");
}

#[test]
fn a_plan_reduced_before_instalments_followed_stays_blocked() {
    let mut schedule = after(&[(Advance, 920_000), (Balance, 230_000)], &[4]);
    schedule.plan.measures.due = Some(Money::from_cents(1_000_000));
    let balance = &schedule.instalments[1];
    let reasons: Vec<_> = schedule
        .blockers(balance)
        .into_iter()
        .map(|blocker| blocker.reason)
        .collect();
    assert_eq!(reasons, ["GRANT_REDUCED"]);
}

#[test]
fn a_plan_has_so_many_places() {
    let mut schedule = after(&[(Balance, 100)], &[]);
    let ids = IdSource::seeded(Arc::new(ManualClock::at(NOW)), 3);
    schedule.instalments[0].position = 98;
    schedule.plan.terms = vec![
        (Advance, Money::from_cents(40)),
        (Balance, Money::from_cents(60)),
    ];
    let mut full = schedule.clone();
    assert_eq!(
        full.replan(Cause::Amendment, &ids, NOW),
        Err(Mismatch::Places)
    );
    schedule.instalments[0].position = 97;
    assert_eq!(
        schedule.replan(Cause::Amendment, &ids, NOW).unwrap().len(),
        3
    );
}
