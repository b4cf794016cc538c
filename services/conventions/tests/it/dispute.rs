//! Disputes (art. 9).

use nonrecours_contracts::conventions::{
    ConventionState, DisputeState, Party, RecordAmicableStepRequest, ReferDisputeRequest,
};
use nonrecours_testkit::request_id;
use time::Duration;

use crate::{
    ending::{close_dispute, dispute},
    requests::{date, precondition, reason},
    world::World,
};

fn attempt(name: &str, day: i32) -> RecordAmicableStepRequest {
    RecordAmicableStepRequest {
        name: name.to_owned(),
        amicable_date: Some(date(2025, 10, day)),
        amicable_step: "Réunion de conciliation, sans accord.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn refer(name: &str, day: i32) -> ReferDisputeRequest {
    ReferDisputeRequest {
        name: name.to_owned(),
        referral_date: Some(date(2025, 10, day)),
        court: "Tribunal administratif de Lille".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn an_amicable_attempt_comes_before_the_court() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let mut manager = world.disputes(world.tokens.manager(setting.operator));
    assert_eq!(
        reason(
            manager
                .create_dispute(dispute(&parent, Party::Authority))
                .await
        ),
        "PARTY_NOT_YOURS"
    );
    let mut late = dispute(&parent, Party::Operator);
    late.dispute.as_mut().unwrap().open_date = Some(date(2025, 10, 8));
    assert_eq!(
        precondition(manager.create_dispute(late).await),
        "DATE_OUT_OF_RANGE"
    );
    let request = dispute(&parent, Party::Operator);
    let opened = manager.create_dispute(request.clone()).await;
    let opened = opened.unwrap().into_inner();
    assert_eq!(opened.state(), DisputeState::Open);
    let again = manager.create_dispute(request).await;
    assert_eq!(again.unwrap().into_inner(), opened);
    assert_eq!(world.convention(&parent).await.open_disputes, 1);
    let name = opened.name;

    world.clock.advance(Duration::days(5));
    let mut officer = world.disputes(world.tokens.officer());
    assert_eq!(
        precondition(officer.refer_dispute(refer(&name, 10)).await),
        "AMICABLE_STEP_MISSING"
    );
    assert_eq!(
        precondition(officer.record_amicable_step(attempt(&name, 6)).await),
        "DATE_OUT_OF_RANGE"
    );
    let tried = officer.record_amicable_step(attempt(&name, 10)).await;
    let tried = tried.unwrap().into_inner();
    assert_eq!(tried.state(), DisputeState::Amicable);
    assert_eq!(
        precondition(officer.record_amicable_step(attempt(&name, 10)).await),
        "AMICABLE_STEP_RECORDED"
    );
    assert_eq!(
        precondition(officer.refer_dispute(refer(&name, 9)).await),
        "DATE_OUT_OF_RANGE"
    );
    let stale = ReferDisputeRequest {
        etag: "1".to_owned(),
        ..refer(&name, 11)
    };
    assert_eq!(reason(officer.refer_dispute(stale).await), "ETAG_MISMATCH");
    let referred = officer.refer_dispute(refer(&name, 11)).await;
    let referred = referred.unwrap().into_inner();
    assert_eq!(referred.state(), DisputeState::InCourt);
    assert_eq!(referred.amicable_date, Some(date(2025, 10, 10)));
    assert_eq!(
        precondition(officer.refer_dispute(refer(&name, 11)).await),
        "DISPUTE_IN_COURT"
    );
    // Not before its last step.
    assert_eq!(
        precondition(officer.close_dispute(close_dispute(&name)).await),
        "DATE_OUT_OF_RANGE"
    );
    let mut close = close_dispute(&name);
    close.close_date = Some(date(2025, 10, 12));
    let closed = officer.close_dispute(close).await.unwrap().into_inner();
    assert_eq!(closed.state(), DisputeState::Closed);
    assert_eq!(closed.court, "Tribunal administratif de Lille");
    assert_eq!(world.convention(&parent).await.open_disputes, 0);
    assert_eq!(
        precondition(officer.close_dispute(close_dispute(&name)).await),
        "DISPUTE_CLOSED"
    );
    assert_eq!(
        precondition(officer.record_amicable_step(attempt(&name, 12)).await),
        "DISPUTE_CLOSED"
    );
    assert_eq!(
        precondition(officer.refer_dispute(refer(&name, 12)).await),
        "DISPUTE_CLOSED"
    );
    for kind in [
        "dispute.opened",
        "dispute.amicable_step_recorded",
        "dispute.referred",
        "dispute.closed",
    ] {
        world.changes_until(kind, &name).await;
    }
}

#[tokio::test]
async fn a_paid_convention_is_settled_when_its_last_dispute_is_closed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let mut officer = world.disputes(world.tokens.officer());
    let mut names = Vec::new();
    for _ in 0..2 {
        let opened = officer.create_dispute(dispute(&parent, Party::Authority));
        names.push(opened.await.unwrap().into_inner().name);
    }
    let report = world.submitted(&parent).await;
    world.accept(&report.name).await;
    world.report_plan(&parent, 9, 1_150_000, "payment_plan.paid");
    world.changes_until("convention.paid", &parent).await;
    let completed = world.complete(&parent).await.unwrap();
    assert_eq!(completed.state(), ConventionState::Completed);
    for (name, state) in names
        .iter()
        .zip([ConventionState::Completed, ConventionState::Settled])
    {
        officer.close_dispute(close_dispute(name)).await.unwrap();
        assert_eq!(world.convention(&parent).await.state(), state);
    }
    let told = world.changes_until("convention.settled", &parent).await;
    let before = &told[told.len() - 2];
    assert_eq!(before.kind, "convention.undisputed");
}
