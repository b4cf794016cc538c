//! Instalments from planned to paid, and each request sent twice.

use nonrecours_contracts::payments::{InstalmentState, ListInstalmentsRequest, PaymentPlanState};
use nonrecours_kernel::ConventionName;
use nonrecours_testkit::request_id;
use time::Duration;

use crate::{
    papers::{NEEDED, documents},
    world::{IBAN, World, call, certify, confirm, euros, order, reason, rib},
};

#[tokio::test]
async fn the_whole_grant_is_paid_in_two_instalments() {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;

    let called = world.call(call(&agreed.advance.name)).await.unwrap();
    assert_eq!(called.state(), InstalmentState::Called);
    assert_eq!(called.call_reference, "2025-114");
    assert_eq!(called.bank_account.unwrap().iban, IBAN);
    world.clock.advance(Duration::days(2));
    world.certify(certify(&agreed.advance.name)).await.unwrap();
    world.order(order(&agreed.advance.name)).await.unwrap();
    world.clock.advance(Duration::days(3));
    let paid = world
        .confirm(confirm(&agreed.advance.name, &world.clock))
        .await
        .unwrap();
    assert_eq!(paid.state(), InstalmentState::Paid);
    let manager = format!("manager-{}", agreed.operator);
    let actors = [
        &paid.call,
        &paid.certification,
        &paid.order,
        &paid.confirmation,
    ]
    .map(|step| step.as_ref().unwrap().actor.as_str());
    assert_eq!(
        actors,
        [
            manager.as_str(),
            "officer",
            "authorising-officer",
            "accountant"
        ]
    );
    let time = |step: &Option<nonrecours_contracts::payments::Step>| step.clone().unwrap().time;
    assert_eq!(time(&paid.certification), time(&paid.order));
    assert_eq!(time(&paid.confirmation), paid.update_time);
    assert_eq!(
        paid.transfer_date.map(|date| (date.month, date.day)),
        Some((10, 12))
    );
    assert_eq!((paid.revision, paid.etag.as_str()), (5, "5"));

    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(920_000)));
    assert_eq!((plan.state(), plan.revision), (PaymentPlanState::Open, 2));

    world.completed(convention).await;
    world.advance(&agreed.balance.name, 4).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(1_150_000)));
    assert_eq!(
        (plan.state(), plan.revision),
        (PaymentPlanState::Settled, 4)
    );

    let changes = world
        .changes_until("instalment.paid", &agreed.balance.name)
        .await;
    let kinds = changes.iter().map(|change| change.kind.as_str());
    let kinds: Vec<_> = kinds
        .filter(|kind| !kind.starts_with("bank_account."))
        .collect();
    let steps = [
        "instalment.called",
        "instalment.certified",
        "instalment.ordered",
        "payment_plan.paid",
        "instalment.paid",
    ];
    let start = [
        "payment_plan.opened",
        "instalment.planned",
        "instalment.planned",
    ];
    let expected = [&start[..], &steps, &["payment_plan.updated"], &steps].concat();
    assert_eq!(kinds, expected);
    let paid = changes
        .iter()
        .rfind(|change| change.kind == "payment_plan.paid")
        .unwrap();
    let snapshot = paid.snapshot.as_ref().unwrap();
    assert_eq!(
        snapshot
            .to_msg::<nonrecours_contracts::payments::PaymentPlan>()
            .unwrap(),
        plan
    );

    // The account is for those who read the instalment, not for those who follow its changes.
    for change in &changes {
        let bytes = &change.snapshot.as_ref().unwrap().value;
        let shown = String::from_utf8_lossy(bytes);
        assert!(!shown.contains(IBAN), "{}", change.kind);
        assert!(!shown.contains(&rib().holder), "{}", change.kind);
    }
}

/// The same request again, the same id with another body, and an etag that is not the current one.
macro_rules! sent_again {
    ($world:ident, $verb:ident, $request:expr, |$other:ident| $alter:expr) => {{
        let request = $request;
        let current = $world.instalment(&request.name).await;
        for stale in [(current.revision - 1).to_string(), "x".to_owned()] {
            let mut stale_request = request.clone();
            stale_request.etag = stale;
            assert_eq!(reason($world.$verb(stale_request).await), "ETAG_MISMATCH");
        }
        assert_eq!($world.instalment(&request.name).await, current);

        let mut request = request;
        request.etag = current.etag.clone();
        let done = $world.$verb(request.clone()).await.unwrap();
        assert_eq!(done.revision, current.revision + 1);
        let entries = $world.entries(&parent(&request.name)).await;
        assert_eq!($world.$verb(request.clone()).await.unwrap(), done);
        assert_eq!($world.instalment(&request.name).await, done);
        assert_eq!($world.entries(&parent(&request.name)).await, entries);

        let mut $other = request;
        $alter;
        assert_eq!(reason($world.$verb($other).await), "REQUEST_ID_REUSED");
        assert_eq!($world.instalment(&done.name).await, done);
        done
    }};
}

fn parent(instalment: &str) -> ConventionName {
    let (parent, _) = instalment.split_once("/instalments/").unwrap();
    parent.parse().unwrap()
}

#[tokio::test]
async fn each_step_is_done_once_however_often_it_is_sent() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    sent_again!(world, call, call(name), |other| other.reference.push('x'));
    sent_again!(world, certify, certify(name), |other| other.etag.clear());
    sent_again!(world, order, order(name), |other| other.etag.clear());
    let paid = sent_again!(world, confirm, confirm(name, &world.clock), |other| other
        .etag
        .clear());
    assert_eq!(paid.revision, 5);
    assert_eq!(world.entries(&agreed.convention).await.len(), 2);
    assert_eq!(world.plan(&agreed.convention).await.revision, 2);
}

#[tokio::test]
async fn an_answer_outlives_the_service() {
    let mut world = World::start().await;
    let agreed = world.agreed().await;
    let request = call(&agreed.advance.name);
    let done = world.call(request.clone()).await.unwrap();
    world.restart().await;
    assert_eq!(world.call(request).await.unwrap(), done);
}

#[tokio::test]
async fn two_callers_may_choose_the_same_request_id() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let mut first = call(&agreed.advance.name);
    first.request_id = request_id();
    let mut second = certify(&agreed.advance.name);
    second.request_id = first.request_id.clone();
    world.call(first).await.unwrap();
    assert_eq!(
        world.certify(second).await.unwrap().state(),
        InstalmentState::Certified
    );
}

#[tokio::test]
async fn an_advance_without_call_is_certified_with_its_rib() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    convention.advance_without_call = true;
    let agreed = world.learned(&convention).await;
    let name = &agreed.advance.name;
    let mut request = certify(name);
    request.bank_account = Some(rib());
    request.documents = documents(&request.name, &NEEDED[..2]);
    let certified = world.certify(request).await.unwrap();
    assert_eq!(certified.state(), InstalmentState::Certified);
    assert_eq!(certified.call, None);
    assert_eq!(certified.bank_account.unwrap().iban, IBAN);
    world.order(order(name)).await.unwrap();
    let paid = world.confirm(confirm(name, &world.clock)).await.unwrap();
    assert_eq!(paid, world.instalment(name).await);
}

#[tokio::test]
async fn instalments_are_listed_by_page_in_the_order_of_the_plan() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let mut client = world.instalments(world.tokens.agent(agreed.operator));
    let mut page = async |parent: ConventionName, page_size: i32, page_token: &str| {
        client
            .list_instalments(ListInstalmentsRequest {
                parent: parent.to_string(),
                page_size,
                page_token: page_token.to_owned(),
            })
            .await
    };
    let first = page(agreed.convention, 1, "").await.unwrap().into_inner();
    let token = first.next_page_token;
    let second = page(agreed.convention, 1, &token)
        .await
        .unwrap()
        .into_inner();
    let listed = [first.instalments, second.instalments].concat();
    assert_eq!(listed, [agreed.advance, agreed.balance]);
    assert_eq!(second.next_page_token, "");

    let elsewhere = ConventionName {
        convention: world.ids.next(),
        ..agreed.convention
    };
    let none = page(elsewhere, 0, "").await.unwrap().into_inner();
    assert_eq!(none.instalments, []);
    assert_eq!(
        reason(page(elsewhere, 1, &token).await),
        "PAGE_TOKEN_INVALID"
    );
    assert_eq!(
        reason(page(agreed.convention, -1, "").await),
        "INVALID_REQUEST"
    );
}
