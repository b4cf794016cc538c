//! Amendments, as `conventions` tells of them: what is ordered stays, the others follow the terms in force.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState},
    feed::{Change, ListHistoryRequest},
    payments::{
        Account, Instalment, InstalmentKind as Kind, InstalmentState as State, PaymentPlan,
        PaymentPlanState,
    },
};
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::{convert::money, details::Details};
use tonic::Code;

use crate::world::{Agreed, World, call, certify, confirm, euros, order};

/// Tells that the convention has these amounts, in the order of its terms, and waits until it is known.
async fn amended(world: &World, convention: &mut Convention, cents: &[i64]) {
    convention.grant_amount = Some(euros(cents.iter().sum()));
    let terms = convention.instalment_terms.iter_mut().zip(cents);
    terms.for_each(|(term, cents)| term.amount = Some(euros(*cents)));
    told(world, convention).await;
}

async fn told(world: &World, convention: &mut Convention) {
    convention.revision += 1;
    world.tell(convention);
    let (plan, wanted) = (
        format!("{}/paymentPlan", convention.name),
        convention.revision,
    );
    world
        .changes_to(|change| {
            let known = || change.snapshot.as_ref()?.to_msg::<PaymentPlan>().ok();
            change.name == plan && known().is_some_and(|it| it.convention_revision == wanted)
        })
        .await;
}

async fn history(world: &World, name: &str) -> Vec<Change> {
    let mut client = world.changes(world.tokens.auditor());
    let request = ListHistoryRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let page = client.list_history(request).await.unwrap();
    page.into_inner().changes
}

/// Position, kind, cents, state and revision of every instalment.
async fn shown(world: &World, convention: &ConventionName) -> Vec<(i32, Kind, i64, State, i64)> {
    let instalments = world.schedule(convention).await;
    instalments
        .iter()
        .map(|it| {
            let amount = money(it.amount.as_ref()).unwrap().cents();
            (it.position, it.kind(), amount, it.state(), it.revision)
        })
        .collect()
}

async fn started() -> (World, Convention, Agreed) {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    (world, convention, agreed)
}

#[tokio::test]
async fn an_amendment_before_any_order_plans_the_new_amounts() {
    let (world, mut convention, agreed) = started().await;
    world.advance(&agreed.advance.name, 1).await;
    convention.title = "Convention de partenariat 2025, avenant n° 1".to_owned();
    convention.advance_without_call = true;
    amended(&world, &mut convention, &[1_000_000, 250_001]).await;

    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.grant_amount, Some(euros(1_250_001)));
    assert_eq!(plan.due_amount, plan.grant_amount);
    assert_eq!(plan.convention_title, convention.title);
    let terms: Vec<_> = plan.terms.iter().map(|it| it.amount.clone()).collect();
    assert_eq!(terms, [Some(euros(1_000_000)), Some(euros(250_001))]);
    assert_eq!(
        shown(&world, &agreed.convention).await,
        [
            (1, Kind::Advance, 1_000_000, State::Planned, 3),
            (2, Kind::Balance, 250_001, State::Planned, 2)
        ]
    );
    // The call was for another sum: its RIB is gone with it, and who called may call again.
    let advance = world.instalment(&agreed.advance.name).await;
    assert_eq!((advance.bank_account, advance.call), (None, None));

    let changes = history(&world, &agreed.convention.to_string()).await;
    let last: Vec<_> = changes.iter().rev().take(3).rev().collect();
    let kinds: Vec<_> = last.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "payment_plan.amended",
            "instalment.replanned",
            "instalment.replanned"
        ]
    );
    let grows =
        "Avenant : la subvention passe de 11\u{202f}500,00\u{a0}€ à 12\u{202f}500,01\u{a0}€.";
    assert_eq!(last[0].why, grows);
    assert_eq!(
        last[1].why,
        format!(
            "{grows} L'échéance passe de 9\u{202f}200,00\u{a0}€ à 10\u{202f}000,00\u{a0}€ ; l'appel de fonds, fait pour \
             une autre somme, ne vaut plus."
        )
    );
    assert!(last.iter().all(|it| !it.label_fr.is_empty()));
    assert!(last.iter().all(|it| it.actor == "service:payments"));
    let told: Instalment = last[1].snapshot.as_ref().unwrap().to_msg().unwrap();
    assert_eq!(told, world.instalment(&agreed.advance.name).await);

    // What comes next in the feed carries no reason of this one.
    world.completed(convention.clone()).await;
    let changes = history(&world, &agreed.convention.to_string()).await;
    assert_eq!(changes.last().unwrap().why, "");
}

#[tokio::test]
async fn a_certified_instalment_of_another_amount_is_reversed_and_certified_again() {
    let (world, mut convention, agreed) = started().await;
    let name = &agreed.advance.name;
    world.advance(name, 2).await;
    amended(&world, &mut convention, &[500_000, 100_000]).await;
    let planned = world.instalment(name).await;
    assert_eq!(planned.state(), State::Planned);
    assert_eq!(planned.certification, None);
    world.advance(name, 4).await;

    let entries = world.entries(&agreed.convention).await;
    let booked: Vec<_> = entries
        .iter()
        .map(|it| {
            let amount = money(it.amount.as_ref()).unwrap().cents();
            (it.debit(), it.credit(), amount, it.instalment_revision)
        })
        .collect();
    let (expense, payable) = (Account::GrantExpense, Account::OperatorPayable);
    assert_eq!(
        booked,
        [
            (expense, payable, 920_000, 3),
            (payable, expense, 920_000, 4),
            (expense, payable, 500_000, 6),
            (payable, Account::Treasury, 500_000, 8)
        ]
    );
    assert!(entries[1].label.contains("contrepassée"));
    assert_eq!(entries[1].actor, "service:payments");
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(500_000)));
}

#[tokio::test]
async fn below_what_is_ordered_the_balance_is_cancelled_and_the_difference_recovered() {
    let (world, mut convention, agreed) = started().await;
    world.advance(&agreed.advance.name, 3).await;
    convention.state = ConventionState::Completed.into();
    amended(&world, &mut convention, &[720_000, 180_000]).await;
    assert_eq!(
        shown(&world, &agreed.convention).await,
        [
            (1, Kind::Advance, 920_000, State::Ordered, 4),
            (2, Kind::Balance, 230_000, State::Cancelled, 2)
        ]
    );
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.to_recover_amount, Some(euros(0)));
    assert_eq!(plan.state(), PaymentPlanState::Open);

    // More than the grant in force is paid, for it was ordered before.
    let request = confirm(&agreed.advance.name, &world.clock);
    world.confirm(request).await.unwrap();
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(920_000)));
    assert_eq!(plan.to_recover_amount, Some(euros(20_000)));
    assert_eq!(plan.state(), PaymentPlanState::Settled);

    let balance = world.instalment(&agreed.balance.name).await;
    assert_eq!(balance.cancel_time, balance.update_time);
    assert_eq!(balance.blockers[0].reason, "TERMS_AMENDED");
    let changes = history(&world, &agreed.balance.name).await;
    let (kind, why) = (&changes[1].kind, &changes[1].why);
    assert_eq!(kind, "instalment.cancelled");
    assert!(why.ends_with("L'échéance est annulée."), "{why}");
    let name = &agreed.balance.name;
    for outcome in [
        world.call(call(name)).await,
        world.certify(certify(name)).await,
        world.order(order(name)).await,
        world.confirm(confirm(name, &world.clock)).await,
    ] {
        let refused = outcome.unwrap_err();
        let details = Details::of(&refused);
        assert_eq!(
            (refused.code(), details.reason.as_str()),
            (Code::FailedPrecondition, "INSTALMENT_CANCELLED")
        );
        assert_eq!(details.blocker_reasons(), ["TERMS_AMENDED"]);
        assert!(details.french.contains("annulée"));
    }
}

#[tokio::test]
async fn a_settled_plan_whose_grant_grows_pays_a_further_balance() {
    let (world, mut convention, agreed) = started().await;
    world.advance(&agreed.advance.name, 4).await;
    world.completed(convention.clone()).await;
    convention.revision += 1;
    convention.state = ConventionState::Completed.into();
    world.advance(&agreed.balance.name, 4).await;
    let settled = world.plan(&agreed.convention).await;
    assert_eq!(settled.state(), PaymentPlanState::Settled);

    amended(&world, &mut convention, &[1_000_000, 250_000]).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.state(), PaymentPlanState::Open);
    let further = (3, Kind::Balance, 100_000, State::Planned, 1);
    assert_eq!(shown(&world, &agreed.convention).await[2], further);
    let name = world.schedule(&agreed.convention).await[2].name.clone();
    world.advance(&name, 4).await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.paid_amount, Some(euros(1_250_000)));
    assert_eq!(plan.state(), PaymentPlanState::Settled);
}

#[tokio::test]
async fn terms_of_another_shape_cancel_and_add_instalments() {
    let (world, mut convention, agreed) = started().await;
    world.advance(&agreed.advance.name, 4).await;
    let mut interim = convention.instalment_terms[1].clone();
    interim.kind = nonrecours_contracts::conventions::InstalmentKind::Interim.into();
    convention.instalment_terms.insert(1, interim);
    amended(&world, &mut convention, &[800_000, 300_000, 100_000]).await;
    assert_eq!(
        shown(&world, &agreed.convention).await,
        [
            (1, Kind::Advance, 920_000, State::Paid, 5),
            (2, Kind::Balance, 230_000, State::Cancelled, 2),
            (3, Kind::Interim, 210_000, State::Planned, 1),
            (4, Kind::Balance, 70_000, State::Planned, 1)
        ]
    );
    // The cancelled one is in nobody's way.
    let name = world.schedule(&agreed.convention).await[2].name.clone();
    world.call(call(&name)).await.unwrap();
}

#[tokio::test]
async fn late_and_duplicated_amendments_do_nothing() {
    let (world, mut convention, agreed) = started().await;
    let mut late = convention.clone();
    late.revision += 1;
    late.grant_amount = Some(euros(100));
    late.instalment_terms.truncate(1);
    late.instalment_terms[0].amount = Some(euros(100));
    convention.revision += 1;
    amended(&world, &mut convention, &[600_000, 400_000]).await;
    let before = shown(&world, &agreed.convention).await;
    world.tell(&late);
    world.tell(&convention);
    // Another amendment comes after both.
    convention.advance_without_call = true;
    told(&world, &mut convention).await;
    assert_eq!(shown(&world, &agreed.convention).await, before);
    let plan = world.plan(&agreed.convention).await;
    assert_eq!(plan.grant_amount, Some(euros(1_000_000)));
}
