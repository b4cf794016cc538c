//! The roll-up of a programme.

use nonrecours_contracts::conventions::{
    GetProgrammeReportRequest, OperatorCategory, RollUpFigures, RollUpTargets,
};
use nonrecours_testkit::request_id;

use crate::{
    budget::accounted,
    requests::{date, euros, operator, pairs, reason, violations},
    world::{Setting, World},
};

fn roll_up(programme: &str, budget_year: i32) -> GetProgrammeReportRequest {
    GetProgrammeReportRequest {
        programme: programme.to_owned(),
        budget_year,
    }
}

fn targets(
    persons_spotted: i64,
    persons_supported: i64,
    entitlements_opened: i64,
) -> Option<RollUpTargets> {
    Some(RollUpTargets {
        persons_spotted,
        persons_supported,
        entitlements_opened,
    })
}

/// Agrees targets, as the terms in force have them.
async fn aim(world: &World, convention: &str, targets: [i32; 3]) {
    let (_, id) = convention.rsplit_once('/').unwrap();
    sqlx::query("UPDATE convention SET targets = $2 WHERE convention_id = $1")
        .bind(id.parse::<uuid::Uuid>().unwrap())
        .bind(targets.to_vec())
        .execute(&world.db.owner().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_roll_up_adds_what_each_operator_did_and_says_what_it_does_not() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut auditor = world.roll_ups(world.tokens.auditor());
    let empty = auditor
        .get_programme_report(roll_up(&setting.programme, 2025))
        .await;
    let empty = empty.unwrap().into_inner();
    assert_eq!((empty.operators.len(), empty.warnings.len()), (0, 0));
    assert_eq!(empty.total.unwrap().grant_amount, Some(euros(0)));

    let first = world.in_force(&setting).await.name;
    // Terms as they stand, which only an amendment changes.
    aim(&world, &first, [50, 20, 30]).await;
    world.report_plan(&first, 2, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &first).await;
    // A second operator of private law, whose convention needs no act of its own, under the same programme.
    let mut private = operator("21620041000019", OperatorCategory::Association);
    if let Some(association) = &mut private.operator {
        association.republican_commitment_date = Some(date(2025, 9, 1));
    }
    let mut operators = world.operators(world.tokens.officer());
    let other = operators
        .create_operator(private)
        .await
        .unwrap()
        .into_inner();
    let other = Setting {
        programme: setting.programme.clone(),
        framework: setting.framework.clone(),
        operator: other
            .name
            .strip_prefix("operators/")
            .unwrap()
            .parse()
            .unwrap(),
    };
    let second = world.signed_by_association(&other).await.name;
    aim(&world, &second, [10, 10, 4]).await;
    world.followup.spotted(7);
    let report = world.submitted(&first).await;
    world.accept(&report.name).await;
    accounted(&world, &second).await;
    let report = world.submitted(&second).await;

    // A report that is only handed in counts for nothing yet, and the answer says so.
    let before = auditor
        .get_programme_report(roll_up(&setting.programme, 2025))
        .await;
    let before = before.unwrap().into_inner();
    let reasons: Vec<_> = before
        .warnings
        .iter()
        .map(|it| it.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        ["PERSONS_COUNTED_IN_EACH_OPERATOR", "REPORTS_NOT_ACCEPTED"]
    );
    let so_far = before.total.unwrap();
    assert_eq!(so_far.persons_spotted, 7);
    // All that was agreed, and of it what the accepted report is held against.
    assert_eq!(so_far.targets, targets(60, 30, 34));
    assert_eq!(so_far.reported_targets, targets(50, 20, 30));
    let of_second = before
        .operators
        .iter()
        .find(|it| it.operator == format!("operators/{}", other.operator));
    let of_second = of_second.unwrap().figures.as_ref().unwrap();
    assert_eq!(of_second.targets, targets(10, 10, 4));
    assert_eq!(of_second.reported_targets, targets(0, 0, 0));

    world.accept(&report.name).await;
    let found = auditor
        .get_programme_report(roll_up(&setting.programme, 2025))
        .await;
    let found = found.unwrap().into_inner();
    assert_eq!(found.operators.len(), 2);
    let total = found.total.unwrap();
    let sum = |pick: fn(&RollUpFigures) -> i64| -> i64 {
        found
            .operators
            .iter()
            .map(|it| pick(it.figures.as_ref().unwrap()))
            .sum()
    };
    assert_eq!((total.conventions, total.accepted_reports), (2, 2));
    assert_eq!(total.grant_amount, Some(euros(2_300_000)));
    assert_eq!(total.paid_amount, Some(euros(920_000)));
    assert_eq!(total.spent_amount, Some(euros(2_260_000)));
    assert_eq!(total.persons_spotted, 14);
    assert_eq!(total.targets, targets(60, 30, 34));
    assert_eq!(total.reported_targets, total.targets);
    assert_eq!(total.persons_spotted, sum(|it| it.persons_spotted));
    assert_eq!(total.persons_supported, sum(|it| it.persons_supported));
    assert_eq!(total.entitlements_opened, sum(|it| it.entitlements_opened));
    assert_eq!(total.sessions_held, sum(|it| it.sessions_held));
    assert_eq!(found.warnings.len(), 1);

    let other_year = auditor
        .get_programme_report(roll_up(&setting.programme, 2026))
        .await;
    assert_eq!(other_year.unwrap().into_inner().operators, []);
    let nowhere = roll_up(&format!("programmes/{}", request_id()), 2025);
    assert_eq!(
        reason(auditor.get_programme_report(nowhere).await),
        "NOT_FOUND"
    );
    let wrong = auditor
        .get_programme_report(roll_up(&setting.programme, 1999))
        .await;
    assert_eq!(violations(wrong), pairs(&[("budget_year", "TOO_SMALL")]));
    let manager = world.tokens.manager(setting.operator);
    let outcome = world
        .roll_ups(manager)
        .get_programme_report(roll_up(&setting.programme, 2025))
        .await;
    assert_eq!(reason(outcome), "ROLE_MISSING");
}
