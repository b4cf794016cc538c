//! The whole life of a payment on files alone: paid, rejected, corrected, paid again, recovered; the books verified at
//! each step. Once through a public accountant, once through a bank.

use nonrecours_contracts::payments::{
    InstalmentState, PaymentPlanState, RecoveryState, RedirectInstalmentRequest, SlipOrderState,
};
use nonrecours_kernel::ConventionName;
use nonrecours_pes::validate;
use nonrecours_testkit::request_id;

use crate::{
    bank::{DEBTOR, credit, debit, message_id, of_transfer, reference, report, statement, why},
    bank_account::elsewhere,
    recovery::{amend, issue, notify, receive},
    treasury::{Treasury, acquit, of_piece, of_slip, retour, states},
    world::{World, euros, reason},
};

/// Says that an instalment is paid on the operator's other account, entered by it and approved by the authority.
async fn corrected(world: &World, convention: &ConventionName, instalment: &str) {
    let account = world.paid_on(convention, elsewhere()).await;
    let mut client = world.instalments(world.tokens.officer());
    client
        .redirect_instalment(RedirectInstalmentRequest {
            name: instalment.to_owned(),
            bank_account_name: account.name,
            etag: String::new(),
            request_id: request_id(),
        })
        .await
        .unwrap();
}

/// After an amendment to 9 000 €: 200 € are claimed, notified and received, and nothing is left to claim.
async fn recovered(world: &World, convention: &ConventionName) {
    let claimed = world.claim(issue(convention)).await.unwrap();
    assert_eq!((claimed.number, &claimed.amount), (1, &Some(euros(20_000))));
    world.verified(convention).await;
    let notified = world.notify(notify(&claimed)).await.unwrap();
    let part = world
        .receive(receive(&notified, 5_000, "P503-1"))
        .await
        .unwrap();
    assert_eq!(part.outstanding_amount, Some(euros(15_000)));
    world.verified(convention).await;
    let whole = world
        .receive(receive(&part, 15_000, "P503-2"))
        .await
        .unwrap();
    assert_eq!(whole.state(), RecoveryState::Recovered);
    world.verified(convention).await;
    let plan = world.plan(convention).await;
    assert_eq!(plan.recovered_amount, Some(euros(20_000)));
    let more = world.claim(issue(convention)).await;
    assert_eq!(reason(more), "NOTHING_TO_RECOVER");
    assert_eq!(plan.state(), PaymentPlanState::Settled);
}

#[tokio::test]
async fn through_a_public_accountant() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (mut told, advance) = treasury.ordered_under().await;
    let convention: ConventionName = told.name.parse().unwrap();
    world.verified(&convention).await;

    // Sent, accepted, rejected for its account.
    let first = treasury.issue(treasury.request(&[&advance])).await.unwrap();
    assert_eq!(validate(&treasury.file(&first).await.content), []);
    treasury
        .import(&acquit(&first.file_name, &of_slip(1, 1, "")))
        .await
        .unwrap();
    let taken = of_piece(1, "02", "", &[]);
    treasury.import(&retour(1, &taken)).await.unwrap();
    let refused = of_piece(
        1,
        "04",
        "<CodRejet V=\"5301\"/><MotifRejet V=\"Compte clos\"/>",
        &[],
    );
    treasury.import(&retour(1, &refused)).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&first.name).await),
        [SlipOrderState::Rejected]
    );
    world.verified(&convention).await;

    // Corrected, sent again under a new number, paid.
    corrected(&world, &convention, &advance).await;
    let second = treasury.issue(treasury.request(&[&advance])).await.unwrap();
    assert_eq!((second.number, second.orders[0].piece), (2, 2));
    let file = treasury.file(&second).await.content;
    assert_eq!(validate(&file), []);
    let iban = elsewhere().iban.replace(' ', "").to_uppercase();
    assert!(String::from_utf8_lossy(&file).contains(&iban));
    treasury
        .import(&acquit(&second.file_name, &of_slip(2, 1, "")))
        .await
        .unwrap();
    let paid = of_piece(2, "05", "", &[("2025-10-07", "9200.00")]);
    let done = treasury.import(&retour(2, &paid)).await.unwrap();
    assert_eq!(done.difference_count, 0);
    assert_eq!(
        world.instalment(&advance).await.state(),
        InstalmentState::Paid
    );
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(920_000))
    );
    world.verified(&convention).await;

    // Overpaid after an amendment, recovered.
    amend(&world, &mut told, 900_000).await;
    world.verified(&convention).await;
    recovered(&world, &convention).await;
    assert_eq!(treasury.differences().await, []);
}

#[tokio::test]
async fn through_a_bank() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (mut told, advance) = treasury.ordered_under().await;
    let convention: ConventionName = told.name.parse().unwrap();

    // Sent, rejected by the bank.
    let first = treasury.issue(treasury.request(&[&advance])).await.unwrap();
    treasury.transfer_file(&first).await;
    let said = of_transfer(reference(&first), "RJCT", &why("RC01", ""));
    let said = report(&message_id(&first), "<GrpSts>PART</GrpSts>", &said);
    treasury.import(&said).await.unwrap();
    world.verified(&convention).await;

    // Sent again, paid, and come back.
    let second = treasury.issue(treasury.request(&[&advance])).await.unwrap();
    assert_eq!((second.number, second.orders[0].piece), (2, 1));
    let said = of_transfer(reference(&second), "ACSP", "");
    treasury
        .import(&report(&message_id(&second), "", &said))
        .await
        .unwrap();
    let paid = debit(reference(&second), "9200.00");
    treasury.import(&statement(DEBTOR, &paid)).await.unwrap();
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(920_000))
    );
    world.verified(&convention).await;
    let back = credit(reference(&second), "9200.00", "AC04");
    treasury
        .import(&statement(DEBTOR, &(paid + &back)))
        .await
        .unwrap();
    assert_eq!(
        states(&treasury.slip(&second.name).await),
        [SlipOrderState::Rejected]
    );
    assert_eq!(world.plan(&convention).await.paid_amount, Some(euros(0)));
    world.verified(&convention).await;

    // Corrected, sent to the other account, paid.
    corrected(&world, &convention, &advance).await;
    let third = treasury.issue(treasury.request(&[&advance])).await.unwrap();
    assert_eq!((third.number, third.orders[0].piece), (3, 2));
    let iban = elsewhere().iban.replace(' ', "").to_uppercase();
    assert!(treasury.transfer_file(&third).await.contains(&iban));
    let paid = debit(reference(&third), "9200.00");
    let done = treasury.import(&statement(DEBTOR, &paid)).await.unwrap();
    assert_eq!((done.changed_count, done.difference_count), (1, 0));
    assert_eq!(
        world.instalment(&advance).await.state(),
        InstalmentState::Paid
    );
    world.verified(&convention).await;

    amend(&world, &mut told, 900_000).await;
    world.verified(&convention).await;
    recovered(&world, &convention).await;
    assert_eq!(treasury.differences().await, []);
}
