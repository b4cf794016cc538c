//! What is handed in is kept: versions of reports, with the commitments overdue and the accounts of that day.

use nonrecours_contracts::conventions::{
    ActivityReport, ActivityReportState, ActivityReportVersion, CommitmentFilter,
    CreateOperatorRequest, ListActivityReportVersionsRequest, ListActivityReportsRequest,
    ListCommitmentsRequest, OperatorCategory, RefreshActivityReportRequest,
    RescheduleCommitmentRequest, ReturnActivityReportRequest, SubmitActivityReportRequest,
    UpdateActivityReportRequest,
};
use nonrecours_kernel::{ActivityReportName, paris_midnight};
use nonrecours_testkit::request_id;
use time::macros::date as day;
use tonic::{Code, Response, Status};

use crate::{
    budget::{accounted, deviated, deviation},
    requests::{date, euros, operator, precondition, reason, refused, report},
    world::{Setting, World},
};

fn submit(name: &str) -> SubmitActivityReportRequest {
    SubmitActivityReportRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn refresh(name: &str) -> RefreshActivityReportRequest {
    RefreshActivityReportRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn send_back(name: &str, correction: &str) -> ReturnActivityReportRequest {
    ReturnActivityReportRequest {
        name: name.to_owned(),
        correction: correction.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn drafted(world: &World, setting: &Setting, convention: &str) -> ActivityReport {
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    manager
        .create_activity_report(report(convention))
        .await
        .unwrap()
        .into_inner()
}

async fn submitted(world: &World, name: &str) -> Result<ActivityReport, Status> {
    let parsed: ActivityReportName = name.parse().unwrap();
    let mut manager = world.reports(world.tokens.manager(parsed.operator));
    manager
        .submit_activity_report(submit(name))
        .await
        .map(Response::into_inner)
}

/// The versions of a report, asked for one at a time.
async fn versions(world: &World, name: &str) -> Vec<ActivityReportVersion> {
    let mut auditor = world.reports(world.tokens.auditor());
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListActivityReportVersionsRequest {
            parent: name.to_owned(),
            page_size: 1,
            page_token,
        };
        let page = auditor.list_activity_report_versions(request).await;
        let page = page.unwrap().into_inner();
        assert!(page.activity_report_versions.len() <= 1);
        found.extend(page.activity_report_versions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

fn association() -> CreateOperatorRequest {
    let mut request = operator("732 829 320 00074", OperatorCategory::Association);
    if let Some(association) = &mut request.operator {
        association.republican_commitment_date = Some(date(2025, 9, 1));
        association.rna = "W621000123".to_owned();
    }
    request
}

#[tokio::test]
async fn every_submission_is_kept_with_what_was_answered() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let draft = drafted(&world, &setting, &convention).await;
    let name = draft.name.as_str();
    assert_eq!(draft.version_count, 0);
    assert_eq!(versions(&world, name).await, []);

    let first = submitted(&world, name).await.unwrap();
    assert_eq!(first.version_count, 1);
    let [waiting] = versions(&world, name).await.try_into().unwrap();
    assert_eq!(waiting.activity_report.as_ref(), Some(&first));
    assert_eq!(waiting.name, format!("{name}/versions/1"));
    assert_eq!(waiting.state(), ActivityReportState::Submitted);
    assert_eq!(waiting.submit_time, first.submit_time);
    assert!(!waiting.submitted_by.is_empty());
    assert_eq!(
        (waiting.decide_time, waiting.decided_by.as_str()),
        (None, "")
    );

    let mut officer = world.reports(world.tokens.officer());
    let correction = "Détaillez les dépenses.";
    let returned = officer.return_activity_report(send_back(name, correction));
    let returned = returned.await.unwrap().into_inner();
    assert_eq!(returned.version_count, 1);
    world.followup.spotted(9);
    let rewritten = UpdateActivityReportRequest {
        activity_report: Some(ActivityReport {
            name: name.to_owned(),
            narrative: "Dépenses détaillées.".to_owned(),
            spent_amount: Some(euros(1_100_000)),
            ..ActivityReport::default()
        }),
        request_id: request_id(),
    };
    let mut manager = world.reports(world.tokens.manager(setting.operator));
    manager.update_activity_report(rewritten).await.unwrap();
    let second = submitted(&world, name).await.unwrap();
    let accepted = world.accept(name).await;
    assert_eq!((second.version_count, accepted.version_count), (2, 2));

    let kept = versions(&world, name).await;
    let answers: Vec<_> = kept
        .iter()
        .map(|it| (it.number, it.state(), it.correction.as_str()))
        .collect();
    assert_eq!(
        answers,
        [
            (1, ActivityReportState::Returned, correction),
            (2, ActivityReportState::Accepted, "")
        ]
    );
    // What was handed in first stands as it stood then.
    assert_eq!(kept[0].activity_report.as_ref(), Some(&first));
    assert_eq!(kept[0].decide_time, returned.decide_time);
    assert_ne!(kept[0].decided_by, kept[0].submitted_by);
    assert_eq!(kept[1].activity_report.as_ref(), Some(&second));
    let figures = |index: usize| {
        let report = kept[index].activity_report.as_ref().unwrap();
        report.figures.as_ref().unwrap().persons_spotted
    };
    assert_eq!((figures(0), figures(1)), (5, 9));
}

#[tokio::test]
async fn versions_are_those_of_a_report_that_the_caller_reaches() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let name = world.submitted(&convention).await.name;
    let list = |parent: &str| ListActivityReportVersionsRequest {
        parent: parent.to_owned(),
        ..ListActivityReportVersionsRequest::default()
    };
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world.setting_of(1, arras).await.operator;
    let mut stranger = world.reports(world.tokens.manager(stranger));
    let outcome = stranger.list_activity_report_versions(list(&name)).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let outcome = stranger.refresh_activity_report(refresh(&name)).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let mut auditor = world.reports(world.tokens.auditor());
    let nowhere = format!("{convention}/activityReports/{}", request_id());
    let outcome = auditor.list_activity_report_versions(list(&nowhere)).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let foreign = ListActivityReportVersionsRequest {
        page_token: "bm90IG91cnM".to_owned(),
        ..list(&name)
    };
    let outcome = auditor.list_activity_report_versions(foreign).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn figures_are_drawn_again_without_touching_the_words() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let draft = drafted(&world, &setting, &convention).await;
    let name = draft.name.as_str();
    world.followup.spotted(8);
    world.report_plan(&convention, 3, 920_000, "instalment.paid");
    world.changes_until("convention.paid", &convention).await;
    let mut officer = world.reports(world.tokens.officer());
    let request = RefreshActivityReportRequest {
        etag: draft.etag.clone(),
        ..refresh(name)
    };
    let refreshed = officer.refresh_activity_report(request.clone()).await;
    let refreshed = refreshed.unwrap().into_inner();
    assert_eq!(refreshed.figures.as_ref().unwrap().persons_spotted, 8);
    assert_eq!(refreshed.paid_amount, Some(euros(920_000)));
    assert_eq!(refreshed.narrative, draft.narrative);
    assert_eq!(refreshed.spent_amount, draft.spent_amount);
    let again = officer.refresh_activity_report(request.clone()).await;
    assert_eq!(again.unwrap().into_inner(), refreshed);
    let reused = RefreshActivityReportRequest {
        etag: String::new(),
        ..request.clone()
    };
    let outcome = officer.refresh_activity_report(reused).await;
    assert_eq!(reason(outcome), "REQUEST_ID_REUSED");
    let stale = RefreshActivityReportRequest {
        request_id: request_id(),
        ..request
    };
    let outcome = officer.refresh_activity_report(stale).await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    world.followup.fails(Some(Code::Unavailable));
    let outcome = officer.refresh_activity_report(refresh(name)).await;
    assert_eq!(reason(outcome), "UNAVAILABLE");
    world.followup.fails(None);
    submitted(&world, name).await.unwrap();
    let outcome = officer.refresh_activity_report(refresh(name)).await;
    assert_eq!(precondition(outcome), "REPORT_NOT_EDITABLE");
    let nowhere = format!("{convention}/activityReports/{}", request_id());
    let outcome = officer.refresh_activity_report(refresh(&nowhere)).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    world.changes_until("activity_report.refreshed", name).await;
}

#[tokio::test]
async fn overdue_commitments_are_shown_and_stand_as_they_were_handed_in() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let name = drafted(&world, &setting, &convention).await.name;
    assert_eq!(world.report(&name).await.overdue_commitments, []);
    world.clock.set(paris_midnight(day!(2026 - 01 - 01)));
    let shown = world.report(&name).await.overdue_commitments;
    let [overdue] = shown.as_slice() else {
        panic!("{shown:?}");
    };
    assert_eq!(
        (overdue.code.as_str(), overdue.text.as_str()),
        ("MISSIONS", "Remplir les missions de l'article 2.")
    );
    assert_eq!(overdue.due_date, Some(date(2025, 12, 31)));
    assert!(overdue.commitment.starts_with(&convention));
    // The whole territory's view counts it too.
    let mut auditor = world.roll_ups(world.tokens.auditor());
    let request = nonrecours_contracts::conventions::GetProgrammeReportRequest {
        programme: setting.programme.clone(),
        budget_year: 2025,
    };
    let roll_up = auditor.get_programme_report(request).await;
    let roll_up = roll_up.unwrap().into_inner();
    let figures = roll_up.operators[0].figures.as_ref().unwrap();
    assert_eq!(figures.overdue_commitments, 1);
    assert_eq!(roll_up.total.unwrap().overdue_commitments, 1);
    let listed = ListCommitmentsRequest {
        parent: setting.programme.clone(),
        filter: CommitmentFilter::Overdue.into(),
        ..ListCommitmentsRequest::default()
    };
    let mut officer = world.commitments(world.tokens.officer());
    let listed = officer.list_commitments(listed).await.unwrap().into_inner();
    let listed: Vec<_> = listed.commitments.iter().map(|it| &it.name).collect();
    assert_eq!(listed, [&overdue.commitment]);
    let elsewhere = ListCommitmentsRequest {
        parent: format!("programmes/{}", request_id()),
        ..ListCommitmentsRequest::default()
    };
    let elsewhere = officer.list_commitments(elsewhere).await;
    assert_eq!(elsewhere.unwrap().into_inner().commitments, []);

    // Due later after all: the report handed in before still says what was late that day.
    let handed_in = submitted(&world, &name).await.unwrap();
    assert_eq!(handed_in.overdue_commitments, shown);
    let later = RescheduleCommitmentRequest {
        name: overdue.commitment.clone(),
        due_date: Some(date(2026, 3, 31)),
        etag: String::new(),
        request_id: request_id(),
    };
    officer.reschedule_commitment(later).await.unwrap();
    assert_eq!(world.report(&name).await.overdue_commitments, shown);
    let list = ListActivityReportsRequest {
        parent: convention.clone(),
        ..ListActivityReportsRequest::default()
    };
    let mut reports = world.reports(world.tokens.officer());
    let list = reports.list_activity_reports(list).await;
    let list = list.unwrap().into_inner().activity_reports;
    assert_eq!(list[0].overdue_commitments, shown);
    // Returned, it is drawn up again.
    let returned = reports.return_activity_report(send_back(&name, "À revoir."));
    let returned = returned.await.unwrap().into_inner();
    assert_eq!(returned.overdue_commitments, []);
    let kept = versions(&world, &name).await;
    let kept = kept[0].activity_report.as_ref().unwrap();
    assert_eq!(kept.overdue_commitments, shown);
}

#[tokio::test]
async fn an_operator_of_private_law_hands_its_accounts_in_with_the_report() {
    let world = World::start().await;
    let setting = world.setting_of(50_000_000, association()).await;
    let convention = world.signed_by_association(&setting).await.name;
    let name = drafted(&world, &setting, &convention).await.name;
    let owed = world.report(&name).await.financial_report.unwrap();
    assert!(owed.required && !owed.recorded);
    assert_eq!(owed.budget_year, 2025);
    assert_eq!(owed.due_date, Some(date(2026, 6, 30)));
    assert!(owed.legal_basis.contains("2000-321"), "{owed:?}");
    let (code, details) = refused(submitted(&world, &name).await);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::FailedPrecondition, "REPORT_WITHOUT_ACCOUNTS")
    );
    assert!(details.french.contains("art. 10"), "{}", details.french);

    accounted(&world, &convention).await;
    let handed_in = submitted(&world, &name).await.unwrap();
    let accounts = handed_in.financial_report.clone().unwrap();
    assert!(accounts.required && accounts.recorded);
    assert_eq!(accounts.grant_amount, Some(euros(1_150_000)));
    assert_eq!(accounts.grant_rate, "1");
    let expenses = accounts.expenses.unwrap();
    assert_eq!(
        expenses.lines,
        [
            deviation(
                62,
                "Autres services extérieurs",
                150_000,
                135_000,
                "-0.1",
                false
            ),
            deviation(
                64,
                "Charges de personnel",
                1_000_000,
                1_015_000,
                "0.015",
                false
            ),
        ]
    );
    let total = |label, cents| Some(deviation(0, label, cents, cents, "0", false));
    assert_eq!(
        expenses.total,
        total("Total hors contributions en nature", 1_150_000)
    );
    assert_eq!(
        expenses.in_kind,
        Some(deviation(
            86,
            "Emplois des contributions volontaires en nature",
            50_000,
            50_000,
            "0",
            false
        ))
    );
    assert_eq!(expenses.grand_total, total("Total des charges", 1_200_000));
    let income = accounts.income.unwrap();
    assert_eq!(income.lines.len(), 1);
    assert_eq!(income.grand_total, total("Total des produits", 1_200_000));

    // Other accounts recorded since do not change what was handed in.
    let mut budgets = world.budgets(world.tokens.manager(setting.operator));
    let request = crate::budget::realise(&convention, &[(64, 1), (74, 1)]);
    budgets.record_realised_budget(request).await.unwrap();
    assert_eq!(world.report(&name).await, handed_in);
}

#[tokio::test]
async fn a_public_operator_shows_its_accounts_when_it_has_a_budget_and_owes_none() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let name = drafted(&world, &setting, &convention).await.name;
    assert_eq!(world.report(&name).await.financial_report, None);
    deviated(&world, &convention).await;
    let accounts = world.report(&name).await.financial_report.unwrap();
    assert!(!accounts.required && accounts.recorded);
    assert_eq!(
        (accounts.due_date, accounts.legal_basis.as_str()),
        (None, "")
    );
    let lines = accounts.expenses.unwrap().lines;
    assert!(lines[0].significant && lines[0].deviation_rate.is_empty());
    submitted(&world, &name).await.unwrap();
}
