//! A part of a transfer that comes back: a difference, and what somebody makes of it; the books verified after each step.

use nonrecours_contracts::{
    conventions::Convention,
    payments::{
        GetRecoveryRequest, InstalmentState, PaymentDifference, PaymentDifferenceCause,
        PaymentDifferenceOutcome, RecoveryState, SettlePaymentDifferenceRequest, Slip,
        SlipOrderState,
    },
};
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;

use crate::{
    bank::{DEBTOR, credit, debit, notification, reference, statement},
    payment_difference::dismissed,
    recovery::{amend, issue},
    slip_schema::broken,
    treasury::{Treasury, states},
    world::{World, euros, reason},
};

/// An advance that a bank has paid: the convention, the advance's name, the slip.
async fn paid(treasury: &Treasury<'_>) -> (Convention, String, Slip) {
    let (convention, name) = treasury.ordered_under().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let paid = notification(&debit(reference(&slip), "9200.00"));
    treasury.import(&paid).await.unwrap();
    (convention, name, slip)
}

/// Says that so much of it came back; the difference that this is.
async fn came_back(treasury: &Treasury<'_>, slip: &Slip, amount: &str) -> PaymentDifference {
    let part = notification(&credit(reference(slip), amount, "AC04"));
    treasury.import(&part).await.unwrap();
    treasury.differences().await.remove(0)
}

fn settled(
    difference: &PaymentDifference,
    outcome: PaymentDifferenceOutcome,
    cents: i64,
) -> SettlePaymentDifferenceRequest {
    SettlePaymentDifferenceRequest {
        outcome: outcome.into(),
        returned_amount: Some(euros(cents)),
        request_id: request_id(),
        ..dismissed(difference)
    }
}

fn of(convention: &Convention) -> ConventionName {
    convention.name.parse().unwrap()
}

#[tokio::test]
async fn a_part_that_is_returned_is_due_again_and_the_rest_stays_paid() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (told, name, slip) = paid(&treasury).await;
    let convention = of(&told);
    let difference = came_back(&treasury, &slip, "200.00").await;
    assert_eq!(difference.cause(), PaymentDifferenceCause::Amount);
    assert_eq!(
        (difference.came_back, difference.stated_amount.clone()),
        (true, Some(euros(20_000)))
    );
    let request = settled(&difference, PaymentDifferenceOutcome::Returned, 20_000);
    let done = treasury.settle(request.clone()).await.unwrap();
    assert_eq!(done.outcome(), PaymentDifferenceOutcome::Returned);
    assert_eq!(done.settled_amount, Some(euros(20_000)));
    assert_eq!(treasury.settle(request).await.unwrap(), done);
    world
        .changes_until("instalment.partly_returned", &name)
        .await;

    let order = treasury.slip(&slip.name).await.orders.remove(0);
    assert_eq!(
        (order.state(), order.returned_amount),
        (SlipOrderState::Paid, Some(euros(20_000)))
    );
    let schedule = world.schedule(&convention).await;
    let amounts: Vec<_> = schedule
        .iter()
        .map(|one| (one.state(), one.amount.clone()))
        .collect();
    assert_eq!(
        amounts,
        [
            (InstalmentState::Paid, Some(euros(900_000))),
            (InstalmentState::Planned, Some(euros(250_000))),
        ]
    );
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(900_000))
    );
    // The money and the certification of the part, after those of the whole.
    assert_eq!(world.entries(&convention).await.len(), 4);
    world.verified(&convention).await;
    // The same movement on the statement is the same movement.
    let again = statement(DEBTOR, &credit(reference(&slip), "200.00", "AC04"));
    assert_eq!(treasury.import(&again).await.unwrap().difference_count, 0);

    // Then the rest: the payment as a whole is undone, and made again.
    let rest = notification(&credit(reference(&slip), "9000.00", "AC04"));
    let file = treasury.import(&rest).await.unwrap();
    assert_eq!((file.changed_count, file.difference_count), (1, 0));
    let instalment = world.instalment(&name).await;
    assert_eq!(
        (instalment.state(), instalment.amount),
        (InstalmentState::Ordered, Some(euros(900_000)))
    );
    world.verified(&convention).await;
    let next = treasury.issue(treasury.request(&[&name])).await.unwrap();
    assert_eq!(next.amount, Some(euros(900_000)));
    let paid = notification(&debit(reference(&next), "9000.00"));
    treasury.import(&paid).await.unwrap();
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(900_000))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_part_that_was_not_due_leaves_less_to_recover() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (mut told, _, slip) = paid(&treasury).await;
    amend(&world, &mut told, 900_000).await;
    let convention = of(&told);
    let difference = came_back(&treasury, &slip, "150.00").await;
    treasury
        .settle(settled(
            &difference,
            PaymentDifferenceOutcome::Returned,
            15_000,
        ))
        .await
        .unwrap();
    let claimed = world.claim(issue(&convention)).await.unwrap();
    assert_eq!(claimed.amount, Some(euros(5_000)));
    world.verified(&convention).await;
}

#[tokio::test]
async fn what_a_recovery_claims_is_received_for_it() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (mut told, name, slip) = paid(&treasury).await;
    amend(&world, &mut told, 900_000).await;
    let convention = of(&told);
    let claimed = world.claim(issue(&convention)).await.unwrap();
    let difference = came_back(&treasury, &slip, "200.00").await;
    let returned = settled(&difference, PaymentDifferenceOutcome::Returned, 20_000);
    assert_eq!(reason(treasury.settle(returned).await), "RETURN_CLAIMED");

    let received = |cents, recovery: &str| SettlePaymentDifferenceRequest {
        recovery: recovery.to_owned(),
        ..settled(&difference, PaymentDifferenceOutcome::Recovered, cents)
    };
    let done = treasury
        .settle(received(20_000, &claimed.name))
        .await
        .unwrap();
    assert_eq!(done.outcome(), PaymentDifferenceOutcome::Recovered);
    assert_eq!(
        (done.settled_amount, done.recovery.as_str()),
        (Some(euros(20_000)), claimed.name.as_str())
    );
    let plan = world.plan(&convention).await;
    assert_eq!(plan.recovered_amount, Some(euros(20_000)));
    world
        .changes_until("recovery.received", &claimed.name)
        .await;
    let name_of = GetRecoveryRequest {
        name: claimed.name.clone(),
    };
    let mut recoveries = world.recoveries(world.tokens.auditor());
    let recovery = recoveries.get_recovery(name_of).await.unwrap();
    assert_eq!(recovery.into_inner().state(), RecoveryState::Recovered);
    // The order stays paid as it was.
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
    assert_eq!(world.instalment(&name).await.amount, Some(euros(920_000)));
    world.verified(&convention).await;
    // Another part comes back: nothing remains of the recovery.
    let more = came_back(&treasury, &slip, "100.00").await;
    let closed = SettlePaymentDifferenceRequest {
        name: more.name.clone(),
        ..received(10_000, &claimed.name)
    };
    assert_eq!(reason(treasury.settle(closed).await), "RECOVERY_CLOSED");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (_, name) = treasury.ordered_under().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let short = notification(&debit(reference(&slip), "1.00"));
    treasury.import(&short).await.unwrap();
    let difference = treasury.differences().await.remove(0);
    assert!(!difference.came_back);
    let request = settled(&difference, PaymentDifferenceOutcome::Returned, 100);
    assert_eq!(reason(treasury.settle(request).await), "RETURN_NOT_STATED");
    treasury.settle(dismissed(&difference)).await.unwrap();

    let (mut told, _, slip) = paid(&treasury).await;
    let difference = came_back(&treasury, &slip, "200.00").await;
    let request = settled(&difference, PaymentDifferenceOutcome::Returned, 20_001);
    assert_eq!(reason(treasury.settle(request).await), "RETURN_EXCEEDED");
    let told_of = async |request| {
        let details = Details::of(&treasury.settle(request).await.unwrap_err());
        assert_eq!(details.reason, "INVALID_REQUEST");
        let violations = details.violations.into_iter();
        violations
            .map(|violation| (violation.field, violation.reason))
            .collect::<Vec<_>>()
    };
    let pair = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    let unwanted = SettlePaymentDifferenceRequest {
        recovery: "recoveries/1".to_owned(),
        ..settled(&difference, PaymentDifferenceOutcome::Dismissed, 1)
    };
    assert_eq!(
        told_of(unwanted).await,
        [
            pair("returned_amount", "UNEXPECTED"),
            pair("recovery", "UNEXPECTED")
        ]
    );
    let nothing = settled(&difference, PaymentDifferenceOutcome::Recovered, 0);
    assert_eq!(
        told_of(nothing).await,
        [
            pair("returned_amount", "NOT_POSITIVE"),
            pair("recovery", "RESOURCE_NAME_INVALID")
        ]
    );
    // A recovery of another operator, then one that there is not.
    amend(&world, &mut told, 900_000).await;
    let claimed = world.claim(issue(&of(&told))).await.unwrap();
    let (_, _, other) = paid(&treasury).await;
    let theirs = came_back_of(&treasury, &other).await;
    let foreign = SettlePaymentDifferenceRequest {
        recovery: claimed.name.clone(),
        ..settled(&theirs, PaymentDifferenceOutcome::Recovered, 100)
    };
    assert_eq!(told_of(foreign).await, [pair("recovery", "OTHER_OPERATOR")]);
    let (parent, _) = claimed.name.rsplit_once('/').unwrap();
    let nowhere = SettlePaymentDifferenceRequest {
        recovery: format!("{parent}/{}", world.ids.next::<()>()),
        ..settled(&difference, PaymentDifferenceOutcome::Recovered, 100)
    };
    assert_eq!(reason(treasury.settle(nowhere).await), "NOT_FOUND");
    // More than it claims.
    let more = came_back_whole(&treasury, &slip).await;
    let beyond = SettlePaymentDifferenceRequest {
        recovery: claimed.name,
        ..settled(&more, PaymentDifferenceOutcome::Recovered, 20_001)
    };
    assert_eq!(reason(treasury.settle(beyond).await), "RECOVERY_EXCEEDED");
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
}

/// The difference of the second of two orders.
async fn came_back_of(treasury: &Treasury<'_>, slip: &Slip) -> PaymentDifference {
    came_back(treasury, slip, "200.00").await;
    let mut differences = treasury.differences().await;
    differences.pop().unwrap()
}

/// What came back as a whole of what was claimed meanwhile.
async fn came_back_whole(treasury: &Treasury<'_>, slip: &Slip) -> PaymentDifference {
    let whole = notification(&credit(reference(slip), "9200.00", "AC04"));
    treasury.import(&whole).await.unwrap();
    let difference = treasury.differences().await.pop().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::Confirmation);
    assert!(difference.came_back);
    difference
}

#[tokio::test]
async fn the_rules_hold_in_the_database_too() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (_, _, slip) = paid(&treasury).await;
    let difference = came_back(&treasury, &slip, "200.00").await;
    let request = settled(&difference, PaymentDifferenceOutcome::Returned, 20_000);
    treasury.settle(request).await.unwrap();
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        (
            "UPDATE slip_order SET returned_amount = amount",
            "slip_order_returned_part",
        ),
        (
            "UPDATE slip_order SET state = 'TAKEN_IN_CHARGE', payment_date = NULL",
            "slip_order_returned_part",
        ),
        (
            "UPDATE payment_difference SET came_back = false",
            "payment_difference_settled_amount",
        ),
        (
            "UPDATE payment_difference SET outcome = 'PAID_IN_FULL'",
            "payment_difference_settled_amount",
        ),
        (
            "UPDATE payment_difference SET recovery_id = payment_difference_id",
            "payment_difference_settled_amount",
        ),
        (
            "UPDATE payment_difference SET settled_amount = 0",
            "payment_difference_settled_amount_check",
        ),
    ] {
        assert_eq!(broken(&owner, sql).await, constraint, "{sql}");
    }
}
