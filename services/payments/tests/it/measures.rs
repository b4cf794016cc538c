//! Suspension, reduction, termination and recovery, as `conventions` tells of them.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState},
    payments::{Instalment, InstalmentState, PaymentPlanState},
};
use nonrecours_rpc::details::Details;
use tonic::{Code, Status};

use crate::world::{World, call, certify, confirm, euros, order};

/// Tells of the convention as it now is, and waits until it is known.
pub async fn told(world: &World, convention: &mut Convention) {
    let name = convention.name.parse().unwrap();
    // Each of these revisions changes something that the plan shows.
    let wanted = world.plan(&name).await.revision + 1;
    convention.revision += 1;
    world.tell(convention);
    let plan = format!("{}/paymentPlan", convention.name);
    world
        .changes_to(|change| change.name == plan && change.revision >= wanted)
        .await;
    let known = world.plan(&name).await.convention_revision;
    assert_eq!(known, convention.revision);
}

/// The reason of a refusal, and those of its blockers.
fn blocked(outcome: Result<Instalment, Status>) -> (String, Vec<String>) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let details = Details::of(&status);
    let french = |text: &str| assert!(!text.is_empty());
    french(&details.french);
    details
        .blockers
        .iter()
        .for_each(|blocker| french(&blocker.description));
    let blockers = details.blocker_reasons();
    let blockers = blockers.iter().map(|reason| reason.to_string()).collect();
    (details.reason, blockers)
}

fn because(reason: &str, blockers: &[&str]) -> (String, Vec<String>) {
    let blockers = blockers.iter().map(|reason| reason.to_string()).collect();
    (reason.to_owned(), blockers)
}

#[tokio::test]
async fn nothing_is_called_certified_or_ordered_while_payments_are_suspended() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let name = &agreed.advance.name;
    for steps in 0..3 {
        convention.suspended = true;
        told(&world, &mut convention).await;
        let plan = world.plan(&agreed.convention).await;
        assert!(plan.suspended && !plan.terminated);
        let (outcome, reason) = match steps {
            0 => (world.call(call(name)).await, "CALL_BLOCKED"),
            1 => (world.certify(certify(name)).await, "PAYMENT_BLOCKED"),
            _ => (world.order(order(name)).await, "PAYMENT_BLOCKED"),
        };
        assert_eq!(blocked(outcome), because(reason, &["CONVENTION_SUSPENDED"]));
        let shown = world.instalment(name).await.blockers;
        assert_eq!(shown[0].reason, "CONVENTION_SUSPENDED");

        convention.suspended = false;
        told(&world, &mut convention).await;
        assert!(!world.plan(&agreed.convention).await.suspended);
        match steps {
            0 => world.call(call(name)).await,
            1 => world.certify(certify(name)).await,
            _ => world.order(order(name)).await,
        }
        .unwrap();
    }
    // What was ordered is confirmed all the same: the transfer is a fact.
    convention.suspended = true;
    told(&world, &mut convention).await;
    let paid = world.confirm(confirm(name, &world.clock)).await.unwrap();
    assert_eq!(paid.state(), InstalmentState::Paid);
}

#[tokio::test]
async fn a_terminated_convention_pays_what_was_ordered_and_nothing_more() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let name = &agreed.advance.name;
    world.advance(name, 3).await;
    convention.state = ConventionState::Terminated.into();
    convention.due_amount = Some(euros(500_000));
    told(&world, &mut convention).await;
    let plan = world.plan(&agreed.convention).await;
    assert!(plan.terminated);
    assert_eq!(plan.to_recover_amount, Some(euros(0)));

    world.confirm(confirm(name, &world.clock)).await.unwrap();
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(920_000)));
    assert_eq!(plan.due_amount, Some(euros(500_000)));
    assert_eq!(plan.to_recover_amount, Some(euros(420_000)));
    assert_eq!(plan.state(), PaymentPlanState::Open);
    assert_eq!(
        blocked(world.call(call(&agreed.balance.name)).await),
        because(
            "CALL_BLOCKED",
            &["CONVENTION_TERMINATED", "ACTIONS_NOT_COMPLETED"]
        )
    );

    // The report accepted since shows more as spent; then a decision claims more back.
    convention.due_amount = Some(euros(900_000));
    told(&world, &mut convention).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.to_recover_amount, Some(euros(20_000)));
    convention.recover_amount = Some(euros(30_000));
    told(&world, &mut convention).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.to_recover_amount, Some(euros(30_000)));
}

#[tokio::test]
async fn a_reduced_grant_leaves_what_is_due_and_settles_when_it_is_paid() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    world.advance(&agreed.advance.name, 4).await;
    convention.state = ConventionState::Completed.into();
    convention.reduced_amount = Some(euros(1_000_000));
    convention.due_amount = Some(euros(1_000_000));
    told(&world, &mut convention).await;
    let called = world.call(call(&agreed.balance.name)).await.unwrap();
    assert_eq!(called.amount, Some(euros(80_000)));
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.state(), PaymentPlanState::Open);
    // The terms of the convention are what they were.
    assert_eq!(plan.terms[1].amount, Some(euros(230_000)));

    convention.reduced_amount = Some(euros(900_000));
    convention.due_amount = Some(euros(900_000));
    told(&world, &mut convention).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.state(), PaymentPlanState::Settled);
    assert_eq!(plan.to_recover_amount, Some(euros(20_000)));
    assert_eq!(
        blocked(world.certify(certify(&agreed.balance.name)).await),
        because("INSTALMENT_CANCELLED", &["GRANT_REDUCED"])
    );

    // A later decision may leave more again.
    convention.reduced_amount = Some(euros(1_100_000));
    convention.due_amount = Some(euros(1_100_000));
    told(&world, &mut convention).await;
    let further = world.schedule(&agreed.convention).await.pop().unwrap();
    assert_eq!(further.position, 3);
    world.advance(&further.name, 4).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(1_100_000)));
    assert_eq!(plan.state(), PaymentPlanState::Settled);
    assert_eq!(plan.to_recover_amount, Some(euros(0)));
}
