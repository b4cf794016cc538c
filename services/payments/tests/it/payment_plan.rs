//! Reading plans.

use nonrecours_contracts::payments::{
    GetPaymentPlanRequest, GetStatementOfPaymentsRequest, InstalmentKind, ListPaymentPlansRequest,
    PaymentPlan, PaymentPlanState, PaymentTerm, StatementLine, StatementOfPayments,
};
use nonrecours_kernel::{ConventionName, OperatorName};
use tonic::Status;

use crate::world::{World, euros, reason};

async fn list(
    world: &World,
    token: String,
    parent: &str,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<String>, String), Status> {
    let request = ListPaymentPlansRequest {
        parent: parent.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let page = world
        .plans(token)
        .list_payment_plans(request)
        .await?
        .into_inner();
    let names = page
        .payment_plans
        .into_iter()
        .map(|plan| plan.name)
        .collect();
    Ok((names, page.next_page_token))
}

#[tokio::test]
async fn a_plan_is_read() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(
        plan,
        PaymentPlan {
            name: format!("{}/paymentPlan", agreed.convention),
            convention: agreed.convention.to_string(),
            convention_title: "Convention de partenariat 2025".to_owned(),
            budget_year: 2025,
            grant_amount: Some(euros(1_150_000)),
            paid_amount: Some(euros(0)),
            state: PaymentPlanState::Open.into(),
            convention_revision: 7,
            actions_completed: false,
            revision: 1,
            create_time: plan.create_time,
            update_time: plan.create_time,
            etag: "1".to_owned(),
            suspended: false,
            terminated: false,
            due_amount: Some(euros(1_150_000)),
            to_recover_amount: Some(euros(0)),
            terms: vec![
                PaymentTerm {
                    kind: InstalmentKind::Advance.into(),
                    amount: Some(euros(920_000)),
                },
                PaymentTerm {
                    kind: InstalmentKind::Balance.into(),
                    amount: Some(euros(230_000)),
                },
            ],
            claimed_amount: Some(euros(0)),
            recovered_amount: Some(euros(0)),
            written_off_amount: Some(euros(0)),
            period_start_date: None,
            period_end_date: None,
            charged_budget_year: 2025,
        }
    );
    assert!(plan.create_time.is_some());
}

#[tokio::test]
async fn a_plan_that_is_not_there_is_not_found() {
    let world = World::start().await;
    let unknown = ConventionName {
        operator: world.ids.next(),
        convention: world.ids.next(),
    };
    let mut client = world.plans(world.tokens.officer());
    let mut get = async |name: String| {
        client
            .get_payment_plan(GetPaymentPlanRequest { name })
            .await
    };
    assert_eq!(
        reason(get(format!("{unknown}/paymentPlan")).await),
        "NOT_FOUND"
    );
    for name in [String::new(), unknown.to_string(), "x".repeat(301)] {
        assert_eq!(reason(get(name).await), "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn plans_are_listed_by_page_and_by_operator() {
    let world = World::start().await;
    let one = world.operator();
    let mut expected = Vec::new();
    for _ in 0..3 {
        let agreed = world.learned(&world.convention(one)).await;
        expected.push(format!("{}/paymentPlan", agreed.convention));
    }
    let other = world.agreed().await;
    let other_plan = format!("{}/paymentPlan", other.convention);
    let officer = || world.tokens.officer();

    let (first, token) = list(&world, officer(), &one.to_string(), 2, "")
        .await
        .unwrap();
    let (second, end) = list(&world, officer(), &one.to_string(), 2, &token)
        .await
        .unwrap();
    assert_eq!([first, second].concat(), expected);
    assert_eq!(end, "");

    let all = [expected.clone(), vec![other_plan.clone()]].concat();
    assert_eq!(
        list(&world, officer(), "operators/-", 0, "")
            .await
            .unwrap()
            .0,
        all
    );
    let manager = || world.tokens.manager(other.operator);
    let own = list(&world, manager(), "operators/-", 0, "").await.unwrap();
    assert_eq!(own, (vec![other_plan], String::new()));

    let of = |operator: OperatorName| operator.to_string();
    let elsewhere = OperatorName {
        operator: other.operator,
    };
    let outcome = list(&world, officer(), &of(elsewhere), 2, &token).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
    let outcome = list(&world, manager(), &of(one), 0, "").await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let outcome = list(&world, officer(), &of(one), -1, "").await;
    assert_eq!(reason(outcome), "INVALID_REQUEST");
}

#[tokio::test]
async fn the_statement_of_payments_follows_the_books() {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let name = format!("{}/paymentPlan", agreed.convention);
    let stated = async || {
        let mut client = world.plans(world.tokens.manager(agreed.operator));
        let request = GetStatementOfPaymentsRequest { name: name.clone() };
        let answer = client.get_statement_of_payments(request).await.unwrap();
        answer.into_inner()
    };
    let before = stated().await;
    assert_eq!(before.payments, []);
    assert_eq!(before.due_amount, Some(euros(920_000)));

    let paid = world.advance(&agreed.advance.name, 4).await;
    world.completed(convention).await;
    let sentence = "9\u{202f}200,00\u{a0}€ versés, 2\u{202f}300,00\u{a0}€ dus.";
    assert_eq!(
        stated().await,
        StatementOfPayments {
            payment_plan: name.clone(),
            convention_title: "Convention de partenariat 2025".to_owned(),
            operator_legal_name: "Commune de Dainville".to_owned(),
            budget_year: 2025,
            statement_date: paid.transfer_date,
            grant_amount: Some(euros(1_150_000)),
            payments: vec![StatementLine {
                instalment: paid.name,
                kind: InstalmentKind::Advance.into(),
                position: 1,
                amount: Some(euros(920_000)),
                transfer_date: paid.transfer_date,
                order: paid.order,
            }],
            paid_amount: Some(euros(920_000)),
            due_amount: Some(euros(230_000)),
            remaining_amount: Some(euros(230_000)),
            to_recover_amount: Some(euros(0)),
            sentence_fr: sentence.to_owned(),
            sentence_en: "9200.00 EUR paid, 2300.00 EUR due.".to_owned(),
        }
    );

    let unknown = ConventionName {
        convention: world.ids.next(),
        ..agreed.convention
    };
    let elsewhere = ConventionName {
        operator: world.ids.next(),
        ..agreed.convention
    };
    for (convention, expected) in [(unknown, "NOT_FOUND"), (elsewhere, "OUT_OF_REACH")] {
        let name = format!("{convention}/paymentPlan");
        let mut client = world.plans(world.tokens.manager(agreed.operator));
        let request = GetStatementOfPaymentsRequest { name };
        let outcome = client.get_statement_of_payments(request).await;
        assert_eq!(reason(outcome), expected);
    }
}
