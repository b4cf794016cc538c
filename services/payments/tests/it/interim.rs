//! An instalment between the advance and the balance.

use nonrecours_contracts::{
    conventions as source,
    payments::{InstalmentKind, InstalmentState},
};
use nonrecours_kernel::ConventionName;

use crate::world::{World, call, euros};

#[tokio::test]
async fn an_interim_is_called_in_force_once_the_advance_is_paid() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    let balance = convention.instalment_terms.pop().unwrap();
    convention.instalment_terms[0].amount = Some(euros(500_000));
    convention.instalment_terms.extend([
        source::InstalmentTerm {
            kind: source::InstalmentKind::Interim.into(),
            amount: Some(euros(420_000)),
            condition: "Compte rendu à mi-parcours.".to_owned(),
            ..Default::default()
        },
        balance,
    ]);
    world.tell(&convention);
    let plan = format!("{}/paymentPlan", convention.name);
    world.changes_until("payment_plan.opened", &plan).await;
    let name: ConventionName = convention.name.parse().unwrap();
    let [advance, interim, balance] = world.schedule(&name).await.try_into().unwrap();
    assert_eq!(
        (interim.kind(), interim.position, interim.amount),
        (InstalmentKind::Interim, 2, Some(euros(420_000)))
    );

    let reasons = async |name: &str| -> Vec<String> {
        let instalment = world.instalment(name).await;
        instalment
            .blockers
            .into_iter()
            .map(|blocker| blocker.reason)
            .collect()
    };
    assert_eq!(reasons(&interim.name).await, ["EARLIER_INSTALMENT_UNPAID"]);
    assert!(world.call(call(&interim.name)).await.is_err());
    world.advance(&advance.name, 4).await;
    assert_eq!(reasons(&interim.name).await, [""; 0]);
    assert_eq!(
        reasons(&balance.name).await,
        ["ACTIONS_NOT_COMPLETED", "EARLIER_INSTALMENT_UNPAID"]
    );
    let paid = world.advance(&interim.name, 4).await;
    assert_eq!(paid.state(), InstalmentState::Paid);
    assert_eq!(reasons(&balance.name).await, ["ACTIONS_NOT_COMPLETED"]);
    assert_eq!(world.plan(&name).await.paid_amount, Some(euros(920_000)));
}
