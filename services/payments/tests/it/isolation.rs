//! An operator reaches its own records only: by the code, and by the database when the code forgets.

use nonrecours_contracts::payments::{
    GetInstalmentRequest, GetPaymentPlanRequest, ListInstalmentsRequest, ListLedgerEntriesRequest,
    ListPaymentPlansRequest,
};
use nonrecours_kernel::{OperatorId, OperatorName};
use sqlx::{PgConnection, PgPool, Row as _};

use crate::world::{World, call, reason};

#[tokio::test]
async fn another_operators_token_reaches_nothing() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let stranger = OperatorId::from_uuid(world.ids.next::<()>().uuid());
    let (name, parent) = (agreed.advance.name.clone(), agreed.convention.to_string());
    let manager = || world.tokens.manager(stranger);

    let plan = GetPaymentPlanRequest {
        name: format!("{parent}/paymentPlan"),
    };
    let outcome = world.plans(manager()).get_payment_plan(plan).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let plans = ListPaymentPlansRequest {
        parent: OperatorName {
            operator: agreed.operator,
        }
        .to_string(),
        ..Default::default()
    };
    let outcome = world.plans(manager()).list_payment_plans(plans).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let instalment = GetInstalmentRequest { name: name.clone() };
    for token in [manager(), world.tokens.agent(stranger)] {
        let outcome = world
            .instalments(token)
            .get_instalment(instalment.clone())
            .await;
        assert_eq!(reason(outcome), "OUT_OF_REACH");
    }
    let instalments = ListInstalmentsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let outcome = world
        .instalments(manager())
        .list_instalments(instalments)
        .await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let entries = ListLedgerEntriesRequest {
        parent,
        ..Default::default()
    };
    let outcome = world.ledger(manager()).list_ledger_entries(entries).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    // Out of reach comes before what else is wrong with the request: a stranger learns nothing.
    let mut request = call(&name);
    request.bank_account = None;
    let outcome = world.instalments(manager()).call_instalment(request).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    assert_eq!(world.instalment(&name).await, agreed.advance);
}

const TABLES: [&str; 7] = [
    "SELECT count(*) FROM operator",
    "SELECT count(*) FROM payment_plan",
    "SELECT count(*) FROM instalment",
    "SELECT count(*) FROM ledger_entry",
    "SELECT count(*) FROM bank_account",
    "SELECT count(*) FROM known_file",
    "SELECT count(*) FROM supporting_document",
];

async fn scope(connection: &mut PgConnection, operator: &str) {
    sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
        .bind(operator)
        .execute(connection)
        .await
        .unwrap();
}

async fn counts(pool: &PgPool, operator: Option<&str>) -> [i64; 7] {
    let mut tx = pool.begin().await.unwrap();
    if let Some(operator) = operator {
        scope(&mut tx, operator).await;
    }
    let mut counts = [0; 7];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        *count = sqlx::query(table).fetch_one(&mut *tx).await.unwrap().get(0);
    }
    counts
}

#[tokio::test]
async fn the_database_shows_only_the_operators_rows_when_the_predicate_is_left_out() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let other = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let app = world.db.app().await;
    let own = agreed.operator.to_string();
    let theirs = other.operator.to_string();
    assert_eq!(counts(&app, Some(&own)).await, [1, 1, 2, 2, 1, 6, 5]);
    assert_eq!(counts(&app, Some(&theirs)).await, [1, 1, 2, 0, 1, 6, 0]);
    assert_eq!(counts(&app, Some("*")).await, [2, 2, 4, 2, 2, 12, 5]);
    assert_eq!(counts(&app, Some("")).await, [0; 7]);
    assert_eq!(counts(&app, None).await, [0; 7]);
}

#[tokio::test]
async fn the_database_accepts_no_row_for_another_operator() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let app = world.db.app().await;
    let mut tx = app.begin().await.unwrap();
    scope(&mut tx, &world.operator().operator.to_string()).await;
    let updated = sqlx::query("UPDATE payment_plan SET convention_title = 'x'")
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(updated.rows_affected(), 0);
    let inserted = sqlx::query(
        "INSERT INTO operator (operator_id, legal_name, siren, is_public, revision, update_time)
         VALUES ($1, 'x', '216202630', true, 1, '2025-10-07T09:00Z')",
    )
    .bind(agreed.operator.uuid())
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
