//! The books recomputed from their entries.

use nonrecours_contracts::payments::{
    Account, DiscrepancyKind as Kind, PlanVerification, VerifyLedgerRequest, VerifyLedgerResponse,
};
use nonrecours_kernel::{ConventionName, Money, OperatorName};
use nonrecours_rpc::convert::money;
use sqlx::AssertSqlSafe;
use tonic::Status;

use crate::world::{Agreed, World, reason};

async fn page(
    world: &World,
    token: String,
    request: VerifyLedgerRequest,
) -> Result<VerifyLedgerResponse, Status> {
    Ok(world
        .ledger(token)
        .verify_ledger(request)
        .await?
        .into_inner())
}

fn of(parent: &str) -> VerifyLedgerRequest {
    VerifyLedgerRequest {
        parent: parent.to_owned(),
        ..Default::default()
    }
}

async fn verified(world: &World, convention: &ConventionName) -> PlanVerification {
    let request = of(&convention.to_string());
    let page = page(world, world.tokens.accountant(), request).await;
    let [one] = page.unwrap().verifications.try_into().unwrap();
    one
}

/// Kind, what it should be and what it is, of every discrepancy.
async fn differences(world: &World, agreed: &Agreed) -> Vec<(Kind, String, String)> {
    let found = verified(world, &agreed.convention).await.discrepancies;
    let shown = |it: nonrecours_contracts::payments::Discrepancy| {
        assert!(it.message_fr.contains(&it.expected) && it.message_en.contains(&it.found));
        assert!(it.subject.starts_with(&agreed.convention.to_string()));
        (it.kind(), it.expected, it.found)
    };
    found.into_iter().map(shown).collect()
}

fn difference(kind: Kind, expected: &str, found: &str) -> (Kind, String, String) {
    (kind, expected.to_owned(), found.to_owned())
}

#[tokio::test]
async fn books_that_follow_the_steps_agree_with_every_figure() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = format!("{}/paymentPlan", agreed.convention);
    let before = verified(&world, &agreed.convention).await;
    assert_eq!(
        (before.payment_plan, before.entry_count, before.balances),
        (name, 0, Vec::new())
    );
    world.advance(&agreed.advance.name, 4).await;
    let paid = verified(&world, &agreed.convention).await;
    assert_eq!(paid.discrepancies, []);
    assert_eq!(paid.entry_count, 2);
    let balances: Vec<_> = paid
        .balances
        .iter()
        .map(|it| (it.account(), money(it.amount.as_ref()).unwrap()))
        .collect();
    let euros = Money::from_cents;
    assert_eq!(
        balances,
        [
            (Account::GrantExpense, euros(920_000)),
            (Account::OperatorPayable, euros(0)),
            (Account::Treasury, euros(-920_000)),
        ]
    );
}

#[tokio::test]
async fn a_figure_that_the_books_do_not_bear_out_is_found() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let owner = world.db.owner().await;
    // What nobody can do through the service.
    let tamper = async |sql: &str| {
        sqlx::query(AssertSqlSafe(sql))
            .execute(&owner)
            .await
            .unwrap();
    };
    tamper("UPDATE instalment SET amount = 9000 WHERE position = 1").await;
    assert_eq!(
        differences(&world, &agreed).await,
        [
            difference(Kind::CertifiedAmount, "9200.00", "9000.00"),
            difference(Kind::PaidAmount, "9200.00", "9000.00"),
            difference(Kind::PlannedAmount, "11500.00", "11300.00"),
        ]
    );
    tamper("UPDATE instalment SET amount = 9200 WHERE position = 1").await;
    assert_eq!(differences(&world, &agreed).await, []);

    tamper("UPDATE instalment SET certification_actor = 'x', confirmation_actor = 'y' WHERE position = 1").await;
    assert_eq!(
        differences(&world, &agreed).await,
        [
            difference(Kind::CertifiedBy, "officer", "x"),
            difference(Kind::PaidBy, "accountant", "y"),
        ]
    );
    tamper(
        "UPDATE instalment SET certification_actor = 'officer', confirmation_actor = 'accountant' WHERE position = 1",
    )
    .await;
    // An entry against a step that was never made.
    tamper(
        "INSERT INTO ledger_entry
         SELECT operator_id, convention_id, gen_random_uuid(), instalment_id, 'OPERATOR_PAYABLE', 'TREASURY', 1, 'x',
                'x', create_time, 7
         FROM instalment WHERE position = 2",
    )
    .await;
    assert_eq!(
        differences(&world, &agreed).await,
        [difference(Kind::PaidAmount, "1.00", "0.00")]
    );
}

#[tokio::test]
async fn plans_are_verified_by_page_and_by_operator() {
    let world = World::start().await;
    let operator = world.operator();
    let mut plans = Vec::new();
    for _ in 0..3 {
        let agreed = world.learned(&world.convention(operator)).await;
        plans.push(format!("{}/paymentPlan", agreed.convention));
    }
    let other = world.agreed().await;
    let names = |page: &VerifyLedgerResponse| -> Vec<String> {
        let verifications = page.verifications.iter();
        verifications.map(|it| it.payment_plan.clone()).collect()
    };
    let auditor = || world.tokens.auditor();
    let request = VerifyLedgerRequest {
        page_size: 2,
        ..of(&operator.to_string())
    };
    let first = page(&world, auditor(), request.clone()).await.unwrap();
    let next = VerifyLedgerRequest {
        page_token: first.next_page_token.clone(),
        ..request
    };
    let second = page(&world, auditor(), next.clone()).await.unwrap();
    assert_eq!([names(&first), names(&second)].concat(), plans);
    assert_eq!(second.next_page_token, "");
    let all = page(&world, auditor(), of("operators/-")).await.unwrap();
    plans.push(format!("{}/paymentPlan", other.convention));
    assert_eq!(names(&all), plans);

    let elsewhere = VerifyLedgerRequest {
        parent: "operators/-".to_owned(),
        ..next
    };
    let outcome = page(&world, auditor(), elsewhere).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
    let outcome = page(&world, auditor(), of("plans")).await;
    assert_eq!(reason(outcome), "INVALID_REQUEST");
    let unknown = OperatorName {
        operator: world.ids.next(),
    };
    let nothing = page(&world, auditor(), of(&unknown.to_string())).await;
    assert_eq!(nothing.unwrap().verifications, []);
    // For those who answer for the books.
    for token in [
        world.tokens.officer(),
        world.tokens.manager(operator.operator),
    ] {
        let outcome = page(&world, token, of("operators/-")).await;
        assert_eq!(reason(outcome), "ROLE_MISSING");
    }
}
