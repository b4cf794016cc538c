//! What is engaged of an envelope: what is due under its conventions, or may still become so.

use nonrecours_contracts::conventions::{ConventionState, DecisionKind, Party};

use crate::{
    ending::{decision, held},
    requests::{euros, refused, sign},
    world::World,
};

#[tokio::test]
async fn a_reduction_releases_what_another_convention_needs() {
    let world = World::start().await;
    // Money for two, but for 1 500 €.
    let setting = world.setting(2 * 1_150_000 - 150_000).await;
    let name = world.in_force(&setting).await.name;
    let second = world.ready(&setting).await.name;
    let (_, details) = refused(world.sign(sign(&second, Party::Operator)).await);
    assert_eq!(details.blocker_reasons(), ["ENVELOPE_EXCEEDED"]);
    let heard = held(&world, &name).await;
    let mut reduce = decision(&name, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(1_000_000));
    world
        .decisions(world.tokens.authorising_officer())
        .create_decision(reduce)
        .await
        .unwrap();
    assert_eq!(world.engaged(&setting).await, Some(euros(1_000_000)));
    for party in [Party::Operator, Party::Authority] {
        world.sign(sign(&second, party)).await.unwrap();
    }
    assert_eq!(world.engaged(&setting).await, Some(euros(2_150_000)));
}

#[tokio::test]
async fn a_termination_releases_what_the_report_does_not_show_as_spent() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    world.report_plan(&name, 5, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &name).await;
    let heard = held(&world, &name).await;
    world
        .decisions(world.tokens.authorising_officer())
        .create_decision(decision(&name, DecisionKind::Terminate, &heard))
        .await
        .unwrap();
    // A report may still show that the whole grant was spent.
    assert_eq!(world.convention(&name).await.due_amount, Some(euros(0)));
    assert_eq!(world.engaged(&setting).await, Some(euros(1_150_000)));
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    let terminated = world.convention(&name).await;
    assert_eq!(terminated.due_amount, Some(euros(1_130_000)));
    assert_eq!(world.engaged(&setting).await, Some(euros(1_130_000)));
}

#[tokio::test]
async fn a_settlement_releases_what_was_not_paid() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    world.complete(&name).await.unwrap();
    let heard = held(&world, &name).await;
    let mut reduce = decision(&name, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(900_000));
    world
        .decisions(world.tokens.authorising_officer())
        .create_decision(reduce)
        .await
        .unwrap();
    // Settled at the ceiling: `payments` knows of the reduction.
    let plan = nonrecours_contracts::payments::PaymentPlan {
        name: format!("{name}/paymentPlan"),
        convention: name.clone(),
        grant_amount: Some(euros(1_150_000)),
        paid_amount: Some(euros(900_000)),
        state: nonrecours_contracts::payments::PaymentPlanState::Settled.into(),
        revision: 5,
        ..Default::default()
    };
    world
        .payments
        .push(&plan.name, plan.revision, "payment_plan.paid", &plan);
    world.changes_until("convention.settled", &name).await;
    assert_eq!(
        world.convention(&name).await.state(),
        ConventionState::Settled
    );
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.engaged_amount, Some(euros(900_000)));
    assert_eq!(envelope.paid_amount, Some(euros(900_000)));
}

#[tokio::test]
async fn a_payment_ordered_before_the_release_is_learned_after_another_took_the_money() {
    let world = World::start().await;
    let setting = world.setting(2 * 1_150_000 - 150_000).await;
    let name = world.in_force(&setting).await.name;
    let heard = held(&world, &name).await;
    let mut reduce = decision(&name, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(1_000_000));
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    decisions.create_decision(reduce).await.unwrap();
    let second = world.in_force(&setting).await.name;
    assert_eq!(world.engaged(&setting).await, Some(euros(2_150_000)));
    // More than is due, and nothing is left: it is known all the same, and nothing is engaged beyond what was voted.
    world.report_plan(&name, 5, 1_100_000, "payment_plan.paid");
    world.changes_until("convention.paid", &name).await;
    let sums = async || {
        let envelope = world
            .programme(&setting.programme)
            .await
            .envelopes
            .remove(0);
        (envelope.engaged_amount, envelope.paid_amount)
    };
    let full = (Some(euros(2_150_000)), Some(euros(1_100_000)));
    assert_eq!(sums().await, full);
    // The steps that follow count with it: what the other releases covers it.
    let other = held(&world, &second).await;
    let mut reduce = decision(&second, DecisionKind::Reduce, &other);
    reduce.decision.as_mut().unwrap().amount = Some(euros(1_000_000));
    decisions.create_decision(reduce).await.unwrap();
    let suspend = decision(&name, DecisionKind::Suspend, &heard);
    decisions.create_decision(suspend).await.unwrap();
    assert_eq!(
        sums().await,
        (Some(euros(2_100_000)), Some(euros(1_100_000)))
    );
}
