//! Two conventions of one envelope, amended and paid in any order.

use nonrecours_contracts::conventions::Party;
use nonrecours_kernel::Money;
use nonrecours_rpc::convert::money;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use crate::{
    amending::{draft, grant, sign, withdraw},
    requests::refused,
    world::World,
};

/// Envelope of the two, cents.
const VOTED: i64 = 2_400_000;
/// Steps tried.
const STEPS: usize = 14;

#[tokio::test]
async fn whatever_is_amended_and_paid_the_sums_hold() {
    let world = World::start().await;
    let setting = world.setting(VOTED).await;
    let names = [
        world.in_force(&setting).await.name,
        world.in_force(&setting).await.name,
    ];
    let steps = prop::collection::vec((0..2_usize, prop::bool::weighted(0.3), 5..16_i64), STEPS)
        .new_tree(&mut TestRunner::deterministic())
        .unwrap()
        .current();
    let (mut refusals, mut versions) = (0, [1, 1]);
    for (revision, (which, pays, part)) in (1_i64..).zip(steps) {
        let name = &names[which];
        if pays {
            let before = world.convention(name).await;
            let due = money(before.grant_amount.as_ref()).unwrap().cents();
            let known = money(before.paid_amount.as_ref()).unwrap().cents();
            let paid = (part * 100_000).min(due).max(known);
            world.report_plan_of(name, revision, due, paid);
            if paid != known {
                let moved = before.revision + 1;
                let wanted = |change: &nonrecours_contracts::feed::Change| {
                    change.name == *name && change.revision == moved
                };
                world.changes_to(wanted).await;
            }
        } else {
            let amendment = world
                .amend(draft(name, grant(part * 100_000)))
                .await
                .unwrap()
                .name;
            world.authorise(name, &amendment).await;
            match world
                .sign_amendment(sign(&amendment, Party::Operator))
                .await
            {
                Ok(_) => {
                    world
                        .sign_amendment(sign(&amendment, Party::Authority))
                        .await
                        .unwrap();
                    versions[which] += 1;
                }
                refusal => {
                    let (_, details) = refused(refusal);
                    let reasons = details.blocker_reasons();
                    assert!(
                        reasons == ["ENVELOPE_EXCEEDED"] || reasons == ["AMENDMENT_EMPTY"],
                        "{reasons:?}"
                    );
                    world
                        .amendments(world.tokens.officer())
                        .withdraw_amendment(withdraw(&amendment))
                        .await
                        .unwrap();
                    refusals += 1;
                }
            }
        }
        let mut engaged = Money::ZERO;
        for (name, version) in names.iter().zip(versions) {
            let convention = world.convention(name).await;
            assert_eq!(convention.version, version);
            let amounts = convention
                .instalment_terms
                .iter()
                .map(|it| money(it.amount.as_ref()).unwrap());
            let granted = money(convention.grant_amount.as_ref()).unwrap();
            assert_eq!(Money::sum(amounts), Some(granted));
            let paid = money(convention.paid_amount.as_ref()).unwrap();
            engaged = engaged.checked_add(granted.max(paid)).unwrap();
        }
        assert!(engaged.cents() <= VOTED);
        let told = world.engaged(&setting).await;
        assert_eq!(money(told.as_ref()).unwrap(), engaged);
    }
    assert!(versions.iter().sum::<i32>() > 3 && refusals > 0);
}
