//! What `payments` reports.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState},
    feed::Change,
    payments::{LedgerEntry, PaymentPlan, PaymentPlanState},
};

use crate::{requests::euros, world::World};

fn told<'a>(changes: &'a [Change], name: &str) -> Vec<(&'a str, i64)> {
    changes
        .iter()
        .filter(|change| change.name == name)
        .map(|change| (change.kind.as_str(), change.revision))
        .collect()
}

/// Tells of a payment under another convention and waits for it: all that was told before it has been applied then.
async fn caught_up(world: &World, marker: &str, revision: i64) {
    world.report_plan(marker, revision, revision, "instalment.paid");
    world
        .changes_to(|change| {
            let any = change.snapshot.as_ref().unwrap();
            change.name == marker
                && any.to_msg::<Convention>().unwrap().paid_amount == Some(euros(revision))
        })
        .await;
}

#[tokio::test]
async fn payments_are_shown_once_whatever_comes_twice_or_late() {
    let mut world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await;
    let name = convention.name.as_str();
    let marker = world.in_force(&setting).await.name;
    world.report_plan(name, 1, 0, "payment_plan.opened");
    world.report_plan(name, 5, 920_000, "payment_plan.paid");
    // Late, twice, and of no interest.
    world.report_plan(name, 4, 0, "instalment.ordered");
    world.report_plan(name, 5, 920_000, "payment_plan.paid");
    world.report_plan(name, 6, 920_000, "instalment.called");
    let entry = LedgerEntry::default();
    world
        .payments
        .push(&format!("{name}/ledgerEntries/1"), 1, "a.new.kind", &entry);
    caught_up(&world, &marker, 1).await;

    let paid = world.convention(name).await;
    assert_eq!(paid.paid_amount, Some(euros(920_000)));
    assert_eq!(paid.state(), ConventionState::InForce);
    assert_eq!(paid.revision, convention.revision + 1);
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.paid_amount, Some(euros(920_001)));
    let changes = world.changes_until("convention.paid", name).await;
    assert_eq!(
        told(&changes, name).last(),
        Some(&("convention.paid", paid.revision))
    );
    let last = changes.last().unwrap();
    assert_eq!(
        last.snapshot
            .as_ref()
            .unwrap()
            .to_msg::<Convention>()
            .unwrap(),
        paid
    );

    // A service that starts again goes on where it stood.
    world.restart().await;
    caught_up(&world, &marker, 2).await;
    assert_eq!(world.convention(name).await, paid);
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.paid_amount, Some(euros(920_002)));
}

#[tokio::test]
async fn the_last_payment_after_completion_settles_the_convention() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    world.report_plan(&name, 5, 920_000, "instalment.paid");
    world.changes_until("convention.paid", &name).await;
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    let completed = world.complete(&name).await.unwrap();
    assert_eq!(completed.state(), ConventionState::Completed);
    world.report_plan(&name, 9, 1_150_000, "payment_plan.paid");
    let changes = world.changes_until("convention.settled", &name).await;
    let settled = world.convention(&name).await;
    assert_eq!(settled.state(), ConventionState::Settled);
    assert!(settled.settle_time.is_some());
    assert_eq!(settled.paid_amount, settled.grant_amount);
    assert_eq!(changes.last().unwrap().actor, "service:conventions");
    let told = told(&changes, &name);
    assert_eq!(told[told.len() - 2].0, "convention.completed");
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.paid_amount, Some(euros(1_150_000)));
    assert_eq!(envelope.engaged_amount, Some(euros(1_150_000)));

    // The balance comes back, and is paid again.
    world.report_plan(&name, 10, 920_000, "payment_plan.updated");
    world.changes_until("convention.reopened", &name).await;
    let reopened = world.convention(&name).await;
    assert_eq!(reopened.state(), ConventionState::Completed);
    assert_eq!(reopened.settle_time, None);
    assert_eq!(reopened.paid_amount, Some(euros(920_000)));
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.paid_amount, Some(euros(920_000)));
    assert_eq!(envelope.engaged_amount, Some(euros(1_150_000)));
    world.report_plan(&name, 11, 1_150_000, "payment_plan.paid");
    world
        .changes_to(|change| {
            change.name == name
                && change.kind == "convention.settled"
                && change.revision > reopened.revision
        })
        .await;
    assert_eq!(
        world.convention(&name).await.state(),
        ConventionState::Settled
    );
}

#[tokio::test]
async fn a_grant_paid_before_completion_settles_with_it() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    world.report_plan(&name, 9, 1_150_000, "payment_plan.paid");
    world.changes_until("convention.paid", &name).await;
    let settled = world.complete(&name).await.unwrap();
    assert_eq!(settled.state(), ConventionState::Settled);
    let changes = world.changes_until("convention.settled", &name).await;
    let told = told(&changes, &name);
    let (completed, last) = (told[told.len() - 2], told[told.len() - 1]);
    assert_eq!(completed, ("convention.completed", settled.revision - 1));
    assert_eq!(last, ("convention.settled", settled.revision));
    let completed: Convention = changes[changes.len() - 2]
        .snapshot
        .as_ref()
        .unwrap()
        .to_msg()
        .unwrap();
    assert_eq!(completed.state(), ConventionState::Completed);
}

#[tokio::test]
async fn what_is_claimed_back_and_recovered_is_shown() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    world.report_plan(&name, 1, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &name).await;
    let plan = |revision, received: i64| PaymentPlan {
        name: format!("{name}/paymentPlan"),
        convention: name.clone(),
        grant_amount: Some(euros(1_150_000)),
        paid_amount: Some(euros(920_000)),
        state: PaymentPlanState::Open.into(),
        claimed_amount: Some(euros(20_000)),
        recovered_amount: Some(euros(received)),
        written_off_amount: Some(euros(1_000)),
        revision,
        ..PaymentPlan::default()
    };
    let kind = "payment_plan.recovery_updated";
    // Late and twice, as everything may come.
    for (revision, received) in [(2, 0), (4, 5_000), (3, 1_000), (4, 5_000)] {
        let plan = plan(revision, received);
        world.payments.push(&plan.name, revision, kind, &plan);
    }
    let marker = world.in_force(&setting).await.name;
    caught_up(&world, &marker, 1).await;
    let convention = world.convention(&name).await;
    assert_eq!(convention.paid_amount, Some(euros(920_000)));
    assert_eq!(convention.recovery_claimed_amount, Some(euros(20_000)));
    assert_eq!(convention.recovered_amount, Some(euros(5_000)));
    assert_eq!(convention.recovery_written_off_amount, Some(euros(1_000)));
    let changes = world
        .changes_until("convention.recovery_updated", &name)
        .await;
    assert!(!changes.is_empty());
}
