//! Activity reports.

use nonrecours_contracts::conventions::{
    AcceptActivityReportRequest, ActivityReport, ActivityReportState, CreateActivityReportRequest,
    GetActivityReportRequest, ListActivityReportsRequest, ReturnActivityReportRequest,
    SubmitActivityReportRequest, UpdateActivityReportRequest,
};
use nonrecours_testkit::request_id;
use tonic::Code;

use crate::{
    requests::{NIR, euros, pairs, precondition, reason, refused, report, violations},
    world::World,
};

fn submit(name: &str, etag: &str) -> SubmitActivityReportRequest {
    SubmitActivityReportRequest {
        name: name.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

fn accept(name: &str, etag: &str) -> AcceptActivityReportRequest {
    AcceptActivityReportRequest {
        name: name.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

fn send_back(name: &str, correction: &str, etag: &str) -> ReturnActivityReportRequest {
    ReturnActivityReportRequest {
        name: name.to_owned(),
        correction: correction.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

fn rewrite(name: &str, narrative: &str, etag: &str) -> UpdateActivityReportRequest {
    UpdateActivityReportRequest {
        activity_report: Some(ActivityReport {
            name: name.to_owned(),
            narrative: narrative.to_owned(),
            spent_amount: Some(euros(1_140_000)),
            etag: etag.to_owned(),
            ..ActivityReport::default()
        }),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn a_report_is_drawn_with_the_figures_of_followup() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    world.report_plan(&name, 3, 920_000, "instalment.paid");
    world.changes_until("convention.paid", &name).await;
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    let request = report(&name);
    let drawn = manager
        .create_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(drawn.state(), ActivityReportState::Draft);
    assert_eq!(drawn.paid_amount, Some(euros(920_000)));
    let figures = drawn.figures.clone().unwrap();
    assert_eq!(
        (
            figures.persons_spotted,
            figures.persons_supported,
            figures.entitlements_opened,
            figures.sessions_held
        ),
        (5, 4, 10, 12)
    );
    assert_eq!(figures.yearly_amount_opened, Some(euros(500_000)));
    assert_eq!(figures.publics.len(), 1);
    assert_eq!(
        (
            figures.publics[0].public.as_str(),
            figures.publics[0].persons_spotted
        ),
        ("SENIOR", 5)
    );
    assert_eq!(world.report(&drawn.name).await, drawn);

    // Again: the same answer, and `followup` is not asked twice.
    let again = manager
        .create_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, drawn);
    assert_eq!(world.followup.asked(), std::slice::from_ref(&name));
    let mut other = request;
    other.activity_report.as_mut().unwrap().narrative = "Autre".to_owned();
    assert_eq!(
        reason(manager.create_activity_report(other).await),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        reason(manager.create_activity_report(report(&name)).await),
        "ALREADY_EXISTS"
    );
    let list = ListActivityReportsRequest {
        parent: name.clone(),
        ..ListActivityReportsRequest::default()
    };
    let page = manager
        .list_activity_reports(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.activity_reports, std::slice::from_ref(&drawn));
    world
        .changes_until("activity_report.drafted", &drawn.name)
        .await;

    // Drawn again, it has the figures of that moment.
    world.followup.spotted(8);
    let request = rewrite(&drawn.name, "Quinze permanences.", &drawn.etag);
    let redrawn = manager
        .update_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(redrawn.narrative, "Quinze permanences.");
    assert_eq!(redrawn.spent_amount, Some(euros(1_140_000)));
    assert_eq!(redrawn.figures.as_ref().unwrap().persons_spotted, 8);
    assert_eq!(redrawn.state(), ActivityReportState::Draft);
    let again = manager
        .update_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, redrawn);
    let stale = UpdateActivityReportRequest {
        request_id: request_id(),
        ..request.clone()
    };
    assert_eq!(
        reason(manager.update_activity_report(stale).await),
        "ETAG_MISMATCH"
    );
    let mut other = request;
    other.activity_report.as_mut().unwrap().narrative = "Autre".to_owned();
    assert_eq!(
        reason(manager.update_activity_report(other).await),
        "REQUEST_ID_REUSED"
    );
    world
        .changes_until("activity_report.updated", &drawn.name)
        .await;
}

#[tokio::test]
async fn without_followup_there_is_no_report() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    let request = report(&name);
    let broken = [Code::Unknown, Code::Internal];
    let away = [Code::Unavailable, Code::NotFound, Code::DeadlineExceeded];
    for code in away.into_iter().chain(broken) {
        world.followup.fails(Some(code));
        let (code, details) = refused(manager.create_activity_report(request.clone()).await);
        assert_eq!(
            (code, details.reason.as_str()),
            (Code::Unavailable, "UNAVAILABLE")
        );
        assert!(details.retry.is_some());
    }
    // A refusal that is our own fault says nothing of itself.
    world.followup.fails(Some(Code::PermissionDenied));
    let (code, details) = refused(manager.create_activity_report(request.clone()).await);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::Internal, "INTERNAL")
    );
    world.followup.fails(None);
    // The same request, sent again, is done.
    let drawn = manager
        .create_activity_report(request)
        .await
        .unwrap()
        .into_inner();
    world.followup.fails(Some(Code::Unavailable));
    let outcome = manager
        .update_activity_report(rewrite(&drawn.name, "x", ""))
        .await;
    assert_eq!(reason(outcome), "UNAVAILABLE");
    assert_eq!(world.report(&drawn.name).await, drawn);
}

#[tokio::test]
async fn a_report_is_returned_corrected_and_accepted() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    let mut officer = world.reports(world.tokens.officer());
    let draft = manager
        .create_activity_report(report(&convention))
        .await
        .unwrap()
        .into_inner();
    let name = draft.name.as_str();
    for outcome in [
        officer.accept_activity_report(accept(name, "")).await,
        officer
            .return_activity_report(send_back(name, "x", ""))
            .await,
    ] {
        assert_eq!(precondition(outcome), "REPORT_NOT_SUBMITTED");
    }
    assert_eq!(
        reason(manager.submit_activity_report(submit(name, "9")).await),
        "ETAG_MISMATCH"
    );
    let request = submit(name, "1");
    let submitted = manager
        .submit_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(submitted.state(), ActivityReportState::Submitted);
    assert!(submitted.submit_time.is_some());
    let again = manager
        .submit_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, submitted);
    let other = SubmitActivityReportRequest {
        etag: String::new(),
        ..request
    };
    assert_eq!(
        reason(manager.submit_activity_report(other).await),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        precondition(manager.submit_activity_report(submit(name, "")).await),
        "REPORT_NOT_EDITABLE"
    );
    assert_eq!(
        precondition(manager.update_activity_report(rewrite(name, "x", "")).await),
        "REPORT_NOT_EDITABLE"
    );

    let outcome = officer
        .return_activity_report(send_back(name, &format!("Voir {NIR}"), ""))
        .await;
    assert_eq!(
        violations(outcome),
        pairs(&[("correction", "NIR_FORBIDDEN")])
    );
    let outcome = officer
        .return_activity_report(send_back(name, "x", "1"))
        .await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    let request = send_back(name, "Détaillez les dépenses.", "2");
    let returned = officer
        .return_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(returned.state(), ActivityReportState::Returned);
    assert_eq!(returned.correction, "Détaillez les dépenses.");
    assert!(returned.decide_time.is_some());
    let again = officer
        .return_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, returned);
    let other = ReturnActivityReportRequest {
        correction: "Autre".to_owned(),
        ..request
    };
    assert_eq!(
        reason(officer.return_activity_report(other).await),
        "REQUEST_ID_REUSED"
    );

    let redrawn = manager
        .update_activity_report(rewrite(name, "Dépenses détaillées.", "3"))
        .await;
    assert_eq!(
        redrawn.unwrap().into_inner().state(),
        ActivityReportState::Returned
    );
    let resubmitted = manager
        .submit_activity_report(submit(name, "4"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (resubmitted.decide_time, resubmitted.correction.as_str()),
        (None, "")
    );
    assert_eq!(
        reason(officer.accept_activity_report(accept(name, "1")).await),
        "ETAG_MISMATCH"
    );
    let request = accept(name, "5");
    let accepted = officer
        .accept_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(accepted.state(), ActivityReportState::Accepted);
    assert_eq!(world.report(name).await, accepted);
    assert_eq!(world.convention(&convention).await.accepted_report, name);
    let again = officer
        .accept_activity_report(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, accepted);
    let other = AcceptActivityReportRequest {
        etag: String::new(),
        ..request
    };
    assert_eq!(
        reason(officer.accept_activity_report(other).await),
        "REQUEST_ID_REUSED"
    );
    assert_eq!(
        precondition(officer.accept_activity_report(accept(name, "")).await),
        "REPORT_NOT_SUBMITTED"
    );
    let outcome = manager.submit_activity_report(submit(name, "")).await;
    assert_eq!(precondition(outcome), "REPORT_NOT_EDITABLE");

    let changes = world.changes_until("activity_report.accepted", name).await;
    let told: Vec<_> = changes
        .iter()
        .filter(|it| it.name == name)
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "activity_report.drafted",
            "activity_report.submitted",
            "activity_report.returned",
            "activity_report.updated",
            "activity_report.submitted",
            "activity_report.accepted"
        ]
    );
    world
        .changes_until("convention.report_accepted", &convention)
        .await;
}

#[tokio::test]
async fn everything_wrong_comes_at_once_and_a_report_needs_a_convention_in_force() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await.name;
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    let request = CreateActivityReportRequest {
        parent: draft.clone(),
        activity_report: Some(ActivityReport {
            narrative: format!("Madame X, {NIR}, a été accompagnée."),
            spent_amount: Some(euros(-1)),
            ..ActivityReport::default()
        }),
        request_id: request_id(),
    };
    assert_eq!(
        violations(manager.create_activity_report(request).await),
        pairs(&[
            ("activity_report.narrative", "NIR_FORBIDDEN"),
            ("activity_report.spent_amount", "AMOUNT_NEGATIVE"),
        ])
    );
    let outcome = manager.create_activity_report(report(&draft)).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_IN_FORCE");
    assert_eq!(world.followup.asked(), [""; 0]);
    let missing = format!("{}/conventions/{}", setting.parent(), request_id());
    assert_eq!(
        reason(manager.create_activity_report(report(&missing)).await),
        "NOT_FOUND"
    );
    let name = format!("{draft}/activityReports/{}", request_id());
    let get = GetActivityReportRequest { name: name.clone() };
    assert_eq!(reason(manager.get_activity_report(get).await), "NOT_FOUND");
    assert_eq!(
        reason(manager.submit_activity_report(submit(&name, "")).await),
        "NOT_FOUND"
    );
    let outcome = manager
        .update_activity_report(rewrite(&name, "x", ""))
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let mut officer = world.reports(world.tokens.officer());
    let outcome = officer
        .return_activity_report(send_back(&name, "x", ""))
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    assert_eq!(
        reason(officer.accept_activity_report(accept(&name, "")).await),
        "NOT_FOUND"
    );
}
