//! An operator reaches its own records only: by the code, and by the database when the code forgets.

use nonrecours_contracts::conventions::{
    GetActRequest, GetActivityReportRequest, GetConventionRequest, ListActivityReportsRequest,
    ListActsRequest, OperatorCategory, Party, SignConventionRequest, SubmitActivityReportRequest,
    UpdateActivityReportRequest,
};
use nonrecours_testkit::request_id;
use sqlx::{PgConnection, PgPool, Row as _};

use crate::{
    budget,
    requests::{operator, reason, report, sign},
    world::World,
};

#[tokio::test]
async fn another_operators_token_reaches_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world.setting_of(1, arras).await.operator;
    let convention = world.in_force(&setting).await.name;
    let submitted = world.submitted(&convention).await;
    for token in [world.tokens.manager(stranger), world.tokens.agent(stranger)] {
        let mut conventions = world.conventions(token.clone());
        let get = GetConventionRequest {
            name: convention.clone(),
        };
        assert_eq!(
            reason(conventions.get_convention(get).await),
            "OUT_OF_REACH"
        );
        let mut acts = world.acts(token.clone());
        let get = GetActRequest {
            name: format!("{convention}/acts/{}", request_id()),
        };
        assert_eq!(reason(acts.get_act(get).await), "OUT_OF_REACH");
        let list = ListActsRequest {
            parent: convention.clone(),
            ..ListActsRequest::default()
        };
        assert_eq!(reason(acts.list_acts(list).await), "OUT_OF_REACH");
        let mut reports = world.reports(token);
        let get = GetActivityReportRequest {
            name: submitted.name.clone(),
        };
        assert_eq!(
            reason(reports.get_activity_report(get).await),
            "OUT_OF_REACH"
        );
        let list = ListActivityReportsRequest {
            parent: convention.clone(),
            ..ListActivityReportsRequest::default()
        };
        assert_eq!(
            reason(reports.list_activity_reports(list).await),
            "OUT_OF_REACH"
        );
    }
    // Out of reach comes before what else is wrong with the request: a stranger learns nothing.
    let manager = || world.tokens.manager(stranger);
    let request = SignConventionRequest {
        party: 0,
        ..sign(&convention, Party::Operator)
    };
    let outcome = world.conventions(manager()).sign_convention(request).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let mut reports = world.reports(manager());
    assert_eq!(
        reason(reports.create_activity_report(report(&convention)).await),
        "OUT_OF_REACH"
    );
    let request = SubmitActivityReportRequest {
        name: submitted.name.clone(),
        etag: String::new(),
        request_id: String::new(),
    };
    assert_eq!(
        reason(reports.submit_activity_report(request).await),
        "OUT_OF_REACH"
    );
    let request = UpdateActivityReportRequest {
        activity_report: Some(submitted.clone()),
        request_id: String::new(),
    };
    assert_eq!(
        reason(reports.update_activity_report(request).await),
        "OUT_OF_REACH"
    );
    assert_eq!(world.report(&submitted.name).await, submitted);
}

const TABLES: [&str; 8] = [
    "SELECT count(*) FROM operator",
    "SELECT count(*) FROM convention",
    "SELECT count(*) FROM act",
    "SELECT count(*) FROM activity_report",
    "SELECT count(*) FROM activity_report_version",
    "SELECT count(*) FROM commitment",
    "SELECT count(*) FROM budget",
    "SELECT count(*) FROM deviation_case",
];

async fn scope(connection: &mut PgConnection, operator: &str) {
    sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
        .bind(operator)
        .execute(connection)
        .await
        .unwrap();
}

async fn counts(pool: &PgPool, operator: Option<&str>) -> [i64; 8] {
    let mut tx = pool.begin().await.unwrap();
    if let Some(operator) = operator {
        scope(&mut tx, operator).await;
    }
    let mut counts = [0; 8];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        *count = sqlx::query(table).fetch_one(&mut *tx).await.unwrap().get(0);
    }
    counts
}

#[tokio::test]
async fn the_database_shows_only_the_operators_rows_when_the_predicate_is_left_out() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let other = world.setting_of(1, arras).await;
    let convention = world.in_force(&setting).await.name;
    world.submitted(&convention).await;
    budget::deviated(&world, &convention).await;
    world.draft(&other).await;
    let app = world.db.app().await;
    let own = setting.operator.to_string();
    let theirs = other.operator.to_string();
    assert_eq!(counts(&app, Some(&own)).await, [1, 1, 2, 1, 1, 1, 1, 1]);
    assert_eq!(counts(&app, Some(&theirs)).await, [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&app, Some("*")).await, [2, 2, 2, 1, 1, 1, 1, 1]);
    assert_eq!(counts(&app, Some("")).await, [0; 8]);
    assert_eq!(counts(&app, None).await, [0; 8]);

    // Nor may it write what is another's.
    let mut tx = app.begin().await.unwrap();
    scope(&mut tx, &theirs).await;
    let updated = sqlx::query("UPDATE convention SET title = 'x' WHERE state <> 'DRAFT'")
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(updated.rows_affected(), 0);
    let inserted = sqlx::query(
        "INSERT INTO operator (operator_id, legal_name, siret, category, insee_code, address, revision, create_time,
                               update_time)
         VALUES (gen_random_uuid(), 'x', '21620119400018', 'CCAS', '62119', 'x', 1, '2025-10-07T09:00Z',
                 '2025-10-07T09:00Z')",
    )
    .execute(&mut *tx)
    .await
    .unwrap_err();
    let code = inserted
        .into_database_error()
        .unwrap()
        .code()
        .unwrap()
        .into_owned();
    assert_eq!(code, "42501");
}
