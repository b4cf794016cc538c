//! The end of the actions.

use nonrecours_contracts::conventions::{CompleteActionsRequest, ConventionState, Party};
use nonrecours_testkit::request_id;

use crate::{
    requests::{date, pairs, precondition, reason, sign, violations},
    world::World,
};

#[tokio::test]
async fn the_end_of_the_actions_is_recorded_once_a_report_is_accepted() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.ready(&setting).await.name;
    assert_eq!(
        precondition(world.complete(&name).await),
        "CONVENTION_NOT_IN_FORCE"
    );
    world.sign(sign(&name, Party::Operator)).await.unwrap();
    world.sign(sign(&name, Party::Authority)).await.unwrap();
    assert_eq!(
        precondition(world.complete(&name).await),
        "REPORT_NOT_ACCEPTED"
    );
    let report = world.submitted(&name).await;
    assert_eq!(
        precondition(world.complete(&name).await),
        "REPORT_NOT_ACCEPTED"
    );
    world.accept(&report.name).await;
    let accepted = world.convention(&name).await;
    assert_eq!(accepted.accepted_report, report.name);

    let mut officer = world.conventions(world.tokens.officer());
    let request = |day| CompleteActionsRequest {
        name: name.clone(),
        completion_date: Some(date(2025, 10, day)),
        etag: accepted.etag.clone(),
        request_id: request_id(),
    };
    for day in [6, 8] {
        let outcome = officer.complete_actions(request(day)).await;
        assert_eq!(precondition(outcome), "COMPLETION_DATE_OUT_OF_RANGE");
    }
    let stale = CompleteActionsRequest {
        etag: "1".to_owned(),
        ..request(7)
    };
    assert_eq!(
        reason(officer.complete_actions(stale).await),
        "ETAG_MISMATCH"
    );
    let no_day = CompleteActionsRequest {
        completion_date: None,
        ..request(7)
    };
    assert_eq!(
        violations(officer.complete_actions(no_day).await),
        pairs(&[("completion_date", "REQUIRED")])
    );
    let good = request(7);
    let completed = officer
        .complete_actions(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(completed.state(), ConventionState::Completed);
    assert_eq!(completed.completion_date, Some(date(2025, 10, 7)));
    assert_eq!(world.convention(&name).await, completed);
    let again = officer
        .complete_actions(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, completed);
    let other = CompleteActionsRequest {
        etag: String::new(),
        ..good
    };
    assert_eq!(
        reason(officer.complete_actions(other).await),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        precondition(world.complete(&name).await),
        "CONVENTION_NOT_IN_FORCE"
    );
    world.changes_until("convention.completed", &name).await;
}
