//! A convention ends: completed, settled, terminated.

use time::macros::date;

use super::*;
use crate::convention::{
    fixtures::{NOW, SPENT, TODAY, id, in_force},
    measures::Cause,
};

#[test]
fn payment_before_completion_settles_at_completion_and_after_it_at_once() {
    let plan = Plan {
        revision: 5,
        paid: Money::from_cents(1_150_000),
        settled: true,
        ..Plan::default()
    };
    let reported = in_force().accept_report(id(9), SPENT, NOW).unwrap();
    let Learned::Changed { convention, kind } = reported.clone().learn(plan, NOW).unwrap() else {
        panic!("a sum was paid");
    };
    assert_eq!(kind, "convention.paid");
    assert_eq!(convention.weight().paid, plan.paid);
    let before = convention.complete(TODAY, NOW).unwrap();
    let before = before.settled(NOW).unwrap();

    let completed = reported.complete(TODAY, NOW).unwrap();
    assert_eq!(completed.settled(NOW), None);
    let Learned::Changed {
        convention: after,
        kind,
        ..
    } = completed.learn(plan, NOW).unwrap()
    else {
        panic!("a sum was paid");
    };
    assert_eq!(kind, "convention.settled");
    assert_eq!(before.state, after.state);
    assert_eq!(after.clone().learn(plan, NOW), Ok(Learned::Known));

    // The balance came back: it is due again, and settled once more when it is paid again.
    let returned = Plan {
        revision: 6,
        paid: Money::from_cents(920_000),
        settled: false,
        ..plan
    };
    let Learned::Changed { convention, kind } = after.learn(returned, NOW).unwrap() else {
        panic!("a sum came back");
    };
    assert_eq!(kind, "convention.reopened");
    assert_eq!(convention.state.as_str(), "COMPLETED");
    assert_eq!(convention.state.settle_time(), None);
    assert_eq!(convention.weight().paid, returned.paid);
    let again = Plan {
        revision: 7,
        ..plan
    };
    let Learned::Changed { kind, .. } = convention.learn(again, NOW).unwrap() else {
        panic!("a sum was paid");
    };
    assert_eq!(kind, "convention.settled");
}

#[test]
fn completion_lies_between_the_signature_and_today() {
    let convention = in_force();
    assert_eq!(
        convention.clone().complete(TODAY, NOW),
        Err(Refusal::ReportNotAccepted)
    );
    let convention = convention.accept_report(id(9), SPENT, NOW).unwrap();
    for day in [date!(2025 - 10 - 06), date!(2025 - 10 - 08)] {
        let refusal = convention.clone().complete(day, NOW).unwrap_err();
        assert_eq!(refusal.reason(), "COMPLETION_DATE_OUT_OF_RANGE");
    }
    assert!(convention.complete(TODAY, NOW).is_ok());
}

#[test]
fn a_dispute_or_a_suspension_keeps_a_paid_convention_open() {
    let paid = Plan {
        revision: 5,
        paid: Money::from_cents(1_150_000),
        settled: true,
        ..Plan::default()
    };
    let completed = in_force()
        .accept_report(id(9), SPENT, NOW)
        .and_then(|convention| convention.complete(TODAY, NOW))
        .unwrap();
    let paid_under = |convention: Convention| match convention.learn(paid, NOW).unwrap() {
        Learned::Changed {
            convention, kind, ..
        } => (convention, kind),
        other => panic!("{other:?}"),
    };
    let (disputed, kind) = paid_under(completed.clone().disputed(NOW).unwrap());
    assert_eq!(kind, "convention.paid");
    assert_eq!(disputed.settled(NOW), None);
    assert!(disputed.undisputed(NOW).settled(NOW).is_some());
    let (suspended, kind) = paid_under(completed.suspend(NOW).unwrap());
    assert_eq!(kind, "convention.paid");
    assert_eq!(
        suspended.clone().suspend(NOW),
        Err(Refusal::AlreadySuspended)
    );
    assert!(suspended.resume(NOW).unwrap().settled(NOW).is_some());
}

#[test]
fn what_is_due_after_termination_is_what_the_report_shows() {
    let cause = Cause::Decision(id(8));
    let terminated = in_force()
        .terminate(TODAY, cause, Money::ZERO, NOW)
        .unwrap();
    assert_eq!(terminated.due(), Money::ZERO);
    assert_eq!(
        terminated.clone().terminate(TODAY, cause, Money::ZERO, NOW),
        Err(Refusal::ConventionNotRunning)
    );
    let reported = terminated.accept_report(id(9), SPENT, NOW).unwrap();
    assert_eq!(reported.due(), SPENT);
    let ceiling = Money::from_cents(1_000_000);
    let reduced = in_force()
        .reduce(ceiling, NOW)
        .and_then(|convention| convention.accept_report(id(9), SPENT, NOW))
        .and_then(|convention| convention.terminate(TODAY, cause, SPENT, NOW))
        .unwrap();
    assert_eq!(reduced.due(), ceiling);
}
