//! Inspections, hearings and decisions (art. 8).

use nonrecours_contracts::{
    conventions::{
        ConventionState, CreateDecisionRequest, DecisionKind, HearingOutcome, HearingState,
        InspectionState, TerminationGround,
    },
    google::r#type::Money,
};

use crate::{
    ending::{close_inspection, decision, hearing, held, inspection, record},
    requests::{date, euros, precondition, reason},
    world::World,
};

fn with(mut request: CreateDecisionRequest, amount: Money) -> CreateDecisionRequest {
    request.decision.as_mut().unwrap().amount = Some(amount);
    request
}

#[tokio::test]
async fn an_inspection_is_opened_and_closed_with_its_findings() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let mut officer = world.inspections(world.tokens.officer());
    let mut late = inspection(&parent);
    late.inspection.as_mut().unwrap().open_date = Some(date(2025, 10, 8));
    assert_eq!(
        precondition(officer.create_inspection(late).await),
        "DATE_OUT_OF_RANGE"
    );
    let opened = officer.create_inspection(inspection(&parent)).await;
    let opened = opened.unwrap().into_inner();
    assert_eq!(opened.state(), InspectionState::Open);
    let mut early = close_inspection(&opened.name);
    early.close_date = Some(date(2025, 10, 6));
    assert_eq!(
        precondition(officer.close_inspection(early).await),
        "DATE_OUT_OF_RANGE"
    );
    let request = close_inspection(&opened.name);
    let closed = officer.close_inspection(request.clone()).await;
    let closed = closed.unwrap().into_inner();
    assert_eq!(closed.state(), InspectionState::Closed);
    assert_eq!(closed.findings, request.findings);
    let again = officer.close_inspection(request).await;
    assert_eq!(again.unwrap().into_inner(), closed);
    assert_eq!(
        precondition(
            officer
                .close_inspection(close_inspection(&opened.name))
                .await
        ),
        "INSPECTION_CLOSED"
    );
}

#[tokio::test]
async fn nothing_is_decided_before_the_operator_was_heard_or_refused_to_be() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let elsewhere = world.in_force(&setting).await.name;
    let mut officer = world.hearings(world.tokens.officer());
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let suspend = |hearing: &str| decision(&parent, DecisionKind::Suspend, hearing);
    assert_eq!(
        precondition(decisions.create_decision(suspend("")).await),
        "HEARING_MISSING"
    );
    let mut inspections = world.inspections(world.tokens.officer());
    let opened = inspections.create_inspection(inspection(&parent)).await;
    let opened = opened.unwrap().into_inner().name;
    let outcome = officer.create_hearing(hearing(&elsewhere, &opened)).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let convened = officer.create_hearing(hearing(&parent, &opened)).await;
    let convened = convened.unwrap().into_inner();
    assert_eq!(convened.state(), HearingState::Convened);
    assert_eq!(convened.inspection, opened);
    assert_eq!(
        precondition(decisions.create_decision(suspend(&convened.name)).await),
        "HEARING_MISSING"
    );
    let mut late = record(&convened.name, HearingOutcome::Refused);
    late.outcome_date = Some(date(2025, 10, 8));
    assert_eq!(
        precondition(officer.record_hearing(late).await),
        "DATE_OUT_OF_RANGE"
    );
    let outcome = record(&convened.name, HearingOutcome::Refused);
    let refusal = officer.record_hearing(outcome).await.unwrap().into_inner();
    assert_eq!(refusal.state(), HearingState::Refused);
    let outcome = record(&convened.name, HearingOutcome::Held);
    assert_eq!(
        precondition(officer.record_hearing(outcome).await),
        "HEARING_RECORDED"
    );
    let outcome = decision(&elsewhere, DecisionKind::Suspend, &convened.name);
    assert_eq!(
        reason(decisions.create_decision(outcome).await),
        "NOT_FOUND"
    );
    let mut early = suspend(&convened.name);
    early.decision.as_mut().unwrap().decision_date = Some(date(2025, 10, 6));
    assert_eq!(
        precondition(decisions.create_decision(early).await),
        "DATE_OUT_OF_RANGE"
    );
    let request = suspend(&convened.name);
    let taken = decisions.create_decision(request.clone()).await;
    let taken = taken.unwrap().into_inner();
    assert_eq!(taken.hearing, convened.name);
    let again = decisions.create_decision(request).await;
    assert_eq!(again.unwrap().into_inner(), taken);
    assert!(world.convention(&parent).await.suspended);
    world.changes_until("convention.suspended", &parent).await;
    world.changes_until("decision.taken", &taken.name).await;
}

#[tokio::test]
async fn decisions_suspend_resume_reduce_recover_and_terminate() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    world.report_plan(&parent, 5, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &parent).await;
    let heard = held(&world, &parent).await;
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let of = |kind| decision(&parent, kind, &heard);

    let outcome = decisions.create_decision(of(DecisionKind::Resume)).await;
    assert_eq!(precondition(outcome), "NOT_SUSPENDED");
    decisions
        .create_decision(of(DecisionKind::Suspend))
        .await
        .unwrap();
    let outcome = decisions.create_decision(of(DecisionKind::Suspend)).await;
    assert_eq!(precondition(outcome), "ALREADY_SUSPENDED");
    decisions
        .create_decision(of(DecisionKind::Resume))
        .await
        .unwrap();
    assert!(!world.convention(&parent).await.suspended);

    let reduce = |cents| with(of(DecisionKind::Reduce), euros(cents));
    let outcome = decisions.create_decision(reduce(1_150_000)).await;
    assert_eq!(precondition(outcome), "REDUCTION_TOO_HIGH");
    decisions.create_decision(reduce(1_000_000)).await.unwrap();
    let outcome = decisions.create_decision(reduce(1_000_000)).await;
    assert_eq!(precondition(outcome), "REDUCTION_TOO_HIGH");
    let reduced = world.convention(&parent).await;
    assert_eq!(reduced.reduced_amount, Some(euros(1_000_000)));
    assert_eq!(reduced.due_amount, Some(euros(1_000_000)));
    assert_eq!(reduced.grant_amount, Some(euros(1_150_000)));

    let recover = |cents| with(of(DecisionKind::Recover), euros(cents));
    decisions.create_decision(recover(900_000)).await.unwrap();
    let outcome = decisions.create_decision(recover(20_001)).await;
    assert_eq!(precondition(outcome), "RECOVERY_TOO_HIGH");

    let terminate = decisions.create_decision(of(DecisionKind::Terminate)).await;
    let terminate = terminate.unwrap().into_inner();
    let terminated = world.convention(&parent).await;
    assert_eq!(terminated.state(), ConventionState::Terminated);
    assert_eq!(terminated.termination_ground(), TerminationGround::Decision);
    assert_eq!(terminated.termination_cause, terminate.name);
    assert_eq!(terminated.recover_amount, Some(euros(900_000)));
    for kind in [
        DecisionKind::Suspend,
        DecisionKind::Resume,
        DecisionKind::Terminate,
    ] {
        let outcome = decisions.create_decision(of(kind)).await;
        assert_eq!(precondition(outcome), "CONVENTION_NOT_RUNNING");
    }
    let outcome = decisions.create_decision(reduce(1)).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_RUNNING");
    // What is claimed back is often decided after the end.
    decisions.create_decision(recover(20_000)).await.unwrap();
    let claimed = world.convention(&parent).await;
    assert_eq!(claimed.recover_amount, Some(euros(920_000)));
    let told = world
        .changes_to(|change| change.name == parent && change.revision == claimed.revision)
        .await;
    let kinds: Vec<_> = told
        .iter()
        .filter(|change| change.name == parent)
        .map(|change| change.kind.as_str())
        .collect();
    assert_eq!(
        kinds[kinds.len() - 6..],
        [
            "convention.suspended",
            "convention.resumed",
            "convention.reduced",
            "convention.recovery_decided",
            "convention.terminated",
            "convention.recovery_decided",
        ]
    );
}
