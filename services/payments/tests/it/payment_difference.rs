//! What the accountant states otherwise than it was ordered: never accepted in silence, settled by somebody.

use nonrecours_contracts::payments::{
    GetPaymentDifferenceRequest, InstalmentState, PaymentDifference, PaymentDifferenceCause,
    PaymentDifferenceOutcome, SettlePaymentDifferenceRequest, SlipOrderState,
};
use nonrecours_kernel::Role;
use nonrecours_rpc::{convert::to_date, details::Details};
use nonrecours_testkit::request_id;
use time::{Date, macros::date};

use crate::{
    treasury::{Treasury, acquit, of_piece, of_slip, retour, states},
    world::{World, confirm, euros, reason},
};

/// The day on which the clock of a world stands.
const TODAY: Date = date!(2025 - 10 - 07);

fn paid_in_full(difference: &PaymentDifference, day: Date) -> SettlePaymentDifferenceRequest {
    SettlePaymentDifferenceRequest {
        name: difference.name.clone(),
        outcome: PaymentDifferenceOutcome::PaidInFull.into(),
        explanation: "Second virement vu sur le compte.".to_owned(),
        payment_date: Some(to_date(day)),
        returned_amount: None,
        recovery: String::new(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn dismissed(difference: &PaymentDifference) -> SettlePaymentDifferenceRequest {
    SettlePaymentDifferenceRequest {
        outcome: PaymentDifferenceOutcome::Dismissed.into(),
        payment_date: None,
        ..paid_in_full(difference, TODAY)
    }
}

#[tokio::test]
async fn another_amount_waits_until_it_is_settled() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let short = of_piece(
        1,
        "05",
        "",
        &[("2025-10-06", "9000.00"), ("2025-10-07", "199.99")],
    );
    let taken = treasury.import(&retour(1, &short)).await.unwrap();
    assert_eq!(taken.difference_count, 1);
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::TakenInCharge]);
    let [difference] = treasury.differences().await.try_into().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::Amount);
    assert_eq!(difference.return_file, taken.name);
    assert_eq!(
        (&difference.slip, &difference.instalment),
        (&slip.name, &name)
    );
    assert_eq!(difference.ordered_amount, Some(euros(920_000)));
    assert_eq!(difference.stated_amount, Some(euros(919_999)));
    assert_eq!(difference.stated_date, Some(to_date(TODAY)));
    assert!(
        difference.message_fr.contains("9\u{202f}199,99"),
        "{}",
        difference.message_fr
    );
    world
        .changes_until("payment_difference.opened", &difference.name)
        .await;
    // Said again by another file, it is not asked again.
    let again = retour(1, &short).replace("<CodBud V=\"00\"/>", "<CodBud V=\"00\"/> ");
    assert_eq!(treasury.import(&again).await.unwrap().difference_count, 0);
    assert_eq!(
        world.instalment(&name).await.state(),
        InstalmentState::Ordered
    );

    let request = paid_in_full(&difference, TODAY);
    let settled = treasury.settle(request.clone()).await.unwrap();
    assert_eq!(settled.outcome(), PaymentDifferenceOutcome::PaidInFull);
    assert_eq!(settled.settler, "accountant");
    assert_eq!(treasury.settle(request).await.unwrap(), settled);
    let read = GetPaymentDifferenceRequest {
        name: difference.name.clone(),
    };
    let mut client = treasury.differences_client(world.tokens.auditor());
    let read = client
        .get_payment_difference(read)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, settled);
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
    assert_eq!(world.instalment(&name).await.state(), InstalmentState::Paid);
    assert_eq!(treasury.differences().await, []);
    let outcome = treasury.settle(dismissed(&difference)).await;
    assert_eq!(reason(outcome), "DIFFERENCE_SETTLED");
    let changes = world
        .changes_until("payment_difference.settled", &difference.name)
        .await;
    let why = &changes.last().unwrap().why;
    assert_eq!(why, "Second virement vu sur le compte.");
}

#[tokio::test]
async fn a_rejected_order_said_to_be_paid_can_only_be_dismissed() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let refused = acquit(&slip.file_name, &of_slip(1, 0, ""));
    treasury.import(&refused).await.unwrap();
    let paid = retour(1, &of_piece(1, "05", "", &[("2025-10-07", "9200.00")]));
    assert_eq!(treasury.import(&paid).await.unwrap().difference_count, 1);
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::FlowRejected]);
    let [difference] = treasury.differences().await.try_into().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::State);

    let outcome = treasury.issue(treasury.request(&[&name])).await;
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.blocker_reasons(), ["DIFFERENCE_OPEN"]);
    let outcome = treasury.settle(paid_in_full(&difference, TODAY)).await;
    assert_eq!(reason(outcome), "ORDER_NOT_PAYABLE");
    let mut stale = dismissed(&difference);
    stale.etag = "\"7\"".to_owned();
    assert_eq!(reason(treasury.settle(stale).await), "ETAG_MISMATCH");
    let settled = treasury.settle(dismissed(&difference)).await.unwrap();
    assert_eq!(settled.outcome(), PaymentDifferenceOutcome::Dismissed);
    let again = treasury.issue(treasury.request(&[&name])).await.unwrap();
    assert_eq!((again.number, again.orders[0].piece), (2, 1));
}

#[tokio::test]
async fn a_payment_that_cannot_be_confirmed_is_a_difference() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let names = [
        treasury.ordered().await,
        treasury.ordered().await,
        treasury.ordered().await,
    ];
    let slip = treasury
        .issue(treasury.request(&[&names[0], &names[1], &names[2]]))
        .await
        .unwrap();
    // Before the order was given; confirmed by hand on another day; by who has ordered it.
    world
        .confirm(confirm(&names[1], &world.clock))
        .await
        .unwrap();
    let early = of_piece(1, "05", "", &[("2025-10-01", "9200.00")]);
    let other = of_piece(2, "05", "", &[("2025-10-06", "9200.00")]);
    let file = retour(1, &(early + &other));
    assert_eq!(treasury.import(&file).await.unwrap().difference_count, 2);
    let token = world.tokens.token(
        "authorising-officer",
        &[Role::AuthorisingOfficer, Role::Accountant],
        None,
    );
    let own = retour(1, &of_piece(3, "05", "", &[("2025-10-07", "9200.00")]));
    let subject = world.instalment(&names[2]).await.order.unwrap().actor;
    let token = if subject == "authorising-officer" {
        token
    } else {
        world.tokens.token(&subject, &[Role::Accountant], None)
    };
    let taken = treasury.import_as(token, &own).await.unwrap();
    assert_eq!(taken.difference_count, 1);
    let differences = treasury.differences().await;
    let causes: Vec<_> = differences.iter().map(PaymentDifference::cause).collect();
    assert_eq!(causes, [PaymentDifferenceCause::Confirmation; 3]);
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::TakenInCharge; 3]
    );
    let outcome = treasury
        .settle(paid_in_full(
            differences
                .iter()
                .find(|difference| difference.instalment == names[0])
                .unwrap(),
            date!(2025 - 10 - 01),
        ))
        .await;
    assert_eq!(reason(outcome), "TRANSFER_DATE_OUT_OF_RANGE");
    // What was confirmed by hand keeps its day.
    let by_hand = differences
        .iter()
        .find(|difference| difference.instalment == names[1])
        .unwrap();
    treasury
        .settle(paid_in_full(by_hand, date!(2025 - 10 - 06)))
        .await
        .unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(stored.orders[1].state(), SlipOrderState::Paid);
    assert_eq!(stored.orders[1].payment_date, Some(to_date(TODAY)));
}

#[tokio::test]
async fn a_settlement_is_checked_whole() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    treasury.issue(treasury.request(&[&name])).await.unwrap();
    let file = retour(1, &of_piece(1, "05", "", &[("2025-10-07", "1.00")]));
    treasury.import(&file).await.unwrap();
    let [difference] = treasury.differences().await.try_into().unwrap();
    let told = async |request| {
        let details = Details::of(&treasury.settle(request).await.unwrap_err());
        let violations = details.violations.into_iter();
        violations
            .map(|violation| (violation.field, violation.reason))
            .collect::<Vec<_>>()
    };
    let pair = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    let mut request = paid_in_full(&difference, TODAY);
    request.payment_date = None;
    request.explanation = "Voir 1 85 02 62 263 001 42".to_owned();
    assert_eq!(
        told(request).await,
        [
            pair("explanation", "NIR_FORBIDDEN"),
            pair("payment_date", "REQUIRED")
        ]
    );
    let mut request = dismissed(&difference);
    request.payment_date = Some(to_date(TODAY));
    assert_eq!(told(request).await, [pair("payment_date", "UNEXPECTED")]);
    let mut request = dismissed(&difference);
    let id = world.ids.next::<()>();
    request.name = format!("{}/paymentDifferences/{id}", treasury.programme);
    assert_eq!(reason(treasury.settle(request).await), "NOT_FOUND");
}
