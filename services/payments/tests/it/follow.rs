//! What follows from the changes of `conventions`.

use nonrecours_contracts::{
    conventions::ConventionState,
    feed::Change,
    payments::{Instalment, InstalmentKind, InstalmentState, PaymentPlan},
};
use nonrecours_kernel::OperatorName;

use crate::world::{World, call, euros, rib};

/// Kinds of the changes told of a convention so far. The opening of one more plan comes after all that was told to the
/// service before.
async fn told(world: &World, convention: &str) -> Vec<String> {
    let marker = world.convention(world.operator());
    world.tell(&marker);
    let plan = format!("{}/paymentPlan", marker.name);
    let changes = world.changes_until("payment_plan.opened", &plan).await;
    changes
        .into_iter()
        .filter(|change| change.name.starts_with(convention))
        .map(|change| change.kind)
        .collect()
}

fn snapshot<M: prost::Message + prost::Name + Default>(change: &Change) -> M {
    change.snapshot.as_ref().unwrap().to_msg().unwrap()
}

#[tokio::test]
async fn a_convention_in_force_opens_its_plan() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let shown = |instalment: &Instalment| {
        (
            instalment.position,
            instalment.kind(),
            instalment.amount.clone().unwrap(),
            instalment.state(),
            instalment.revision,
        )
    };
    let planned = InstalmentState::Planned;
    assert_eq!(
        shown(&agreed.advance),
        (1, InstalmentKind::Advance, euros(920_000), planned, 1)
    );
    assert_eq!(
        shown(&agreed.balance),
        (2, InstalmentKind::Balance, euros(230_000), planned, 1)
    );

    let changes = world
        .changes_until("instalment.planned", &agreed.balance.name)
        .await;
    let [opened, first, second] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(opened.kind, "payment_plan.opened");
    assert_eq!(opened.actor, "service:payments");
    assert_eq!(
        snapshot::<PaymentPlan>(opened),
        world.plan(&agreed.convention).await
    );
    assert_eq!(
        (first.kind.as_str(), &first.name),
        ("instalment.planned", &agreed.advance.name)
    );
    assert_eq!(snapshot::<Instalment>(first), agreed.advance);
    assert_eq!(snapshot::<Instalment>(second), agreed.balance);
}

#[tokio::test]
async fn nothing_is_opened_before_both_have_signed() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    for state in [ConventionState::Draft, ConventionState::PartlySigned] {
        convention.state = state.into();
        convention.revision += 1;
        world.tell(&convention);
    }
    assert_eq!(told(&world, &convention.name).await, [""; 0]);
}

#[tokio::test]
async fn duplicated_late_and_replayed_changes_do_nothing() {
    let mut world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let before = [
        "payment_plan.opened",
        "instalment.planned",
        "instalment.planned",
    ];
    assert_eq!(told(&world, &convention.name).await, before);

    world.tell(&convention);
    let mut late = convention.clone();
    late.revision = 6;
    late.title = "Un titre abandonné".to_owned();
    world.tell(&late);
    assert_eq!(told(&world, &convention.name).await, before);

    // As if the service had crashed before it kept its place: it reads everything again.
    let owner = world.db.owner().await;
    sqlx::query("UPDATE feed_cursor SET cursor = ''")
        .execute(&owner)
        .await
        .unwrap();
    world.restart().await;
    let plan = world.plan(&agreed.convention).await;
    assert_eq!((plan.revision, plan.convention_revision), (1, 7));
    assert_eq!(told(&world, &convention.name).await, before);
    assert_eq!(
        world.schedule(&agreed.convention).await,
        [agreed.advance, agreed.balance]
    );
}

#[tokio::test]
async fn a_newer_revision_updates_the_plan_and_is_told_when_it_shows() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let plan = format!("{}/paymentPlan", convention.name);

    // Only something else of the convention has changed.
    convention.revision = 8;
    world.tell(&convention);
    assert_eq!(told(&world, &convention.name).await.len(), 3);
    let seen = world.plan(&agreed.convention).await;
    assert_eq!((seen.revision, seen.convention_revision), (1, 8));

    convention.revision = 9;
    convention.title = "Convention de partenariat 2025, titre corrigé".to_owned();
    world.tell(&convention);
    world.changes_until("payment_plan.updated", &plan).await;
    let renamed = world.plan(&agreed.convention).await;
    assert_eq!(renamed.convention_title, convention.title);
    assert_eq!((renamed.revision, renamed.convention_revision), (2, 9));
    assert!(!renamed.actions_completed);

    world.completed(convention.clone()).await;
    let before = told(&world, &convention.name).await;
    assert_eq!(
        before[3..],
        ["payment_plan.updated", "payment_plan.updated"]
    );
    let completed = world.plan(&agreed.convention).await;
    assert!(completed.actions_completed);
    assert_eq!((completed.revision, completed.convention_revision), (3, 10));

    // The convention is settled by our own payments: nothing shows here.
    convention.revision = 11;
    convention.state = ConventionState::Settled.into();
    world.tell(&convention);
    assert_eq!(told(&world, &convention.name).await, before);
}

#[tokio::test]
async fn a_convention_first_seen_completed_opens_a_plan_that_knows_it() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    convention.state = ConventionState::Completed.into();
    let agreed = world.learned(&convention).await;
    assert!(world.plan(&agreed.convention).await.actions_completed);
    let [blocker] = agreed.balance.blockers.as_slice() else {
        panic!("{:?}", agreed.balance.blockers);
    };
    assert_eq!(blocker.reason, "EARLIER_INSTALMENT_UNPAID");
}

#[tokio::test]
async fn the_holder_of_the_account_is_compared_with_the_newest_name() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.call(call(&agreed.advance.name)).await.unwrap();
    let operator = OperatorName {
        operator: agreed.operator,
    };
    let warnings = async || -> Vec<(String, String)> {
        told(&world, &agreed.convention.to_string()).await;
        let account = world
            .instalment(&agreed.advance.name)
            .await
            .bank_account
            .unwrap();
        let shown = |warning: nonrecours_contracts::common::Warning| {
            assert!(!warning.message_fr.is_empty());
            (warning.field, warning.reason)
        };
        account.warnings.into_iter().map(shown).collect()
    };
    assert_eq!(rib().holder, "Commune de Dainville");
    assert_eq!(warnings().await, []);
    world.tell_operator(operator, 3, "Ville de Dainville");
    let differs = [(
        "bank_account.holder".to_owned(),
        "IBAN_HOLDER_DIFFERS".to_owned(),
    )];
    assert_eq!(warnings().await, differs);
    // A revision that comes late is not newer.
    world.tell_operator(operator, 2, "Commune de Dainville");
    assert_eq!(warnings().await, differs);
}
