//! What the database refuses of slips even from our own code, and to whom it shows them.

use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    treasury::{Treasury, of_piece, retour},
    world::World,
};

/// The constraint that a statement breaks in this scope, or the code of the refusal where there is none.
pub async fn broken(pool: &PgPool, sql: &str) -> String {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('nonrecours.operator', '*', true)")
        .execute(&mut *tx)
        .await
        .unwrap();
    let outcome = sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await;
    let error = outcome.expect_err(sql).into_database_error().unwrap();
    let code = error.code().unwrap().into_owned();
    error.constraint().map_or(code, ToOwned::to_owned)
}

pub async fn count(pool: &PgPool, scope: &str, table: &str) -> i64 {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
        .bind(scope)
        .execute(&mut *tx)
        .await
        .unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

/// A world with a slip of two orders, of which a file has said something wrong of one.
async fn treasury(world: &World) -> Treasury<'_> {
    let treasury = Treasury::open(world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    treasury
        .issue(treasury.request(&[&first, &second]))
        .await
        .unwrap();
    let wrong = of_piece(1, "05", "", &[("2025-10-07", "1.00")]);
    treasury.import(&retour(1, &wrong)).await.unwrap();
    treasury
}

#[tokio::test]
async fn the_rules_of_slips_hold_in_the_database_too() {
    let world = World::start().await;
    treasury(&world).await;
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        ("UPDATE slip_order SET state = 'PAID', taken_in_charge = true", "slip_order_paid"),
        ("UPDATE slip_order SET payment_date = '2025-10-07'", "slip_order_paid"),
        ("UPDATE slip_order SET state = 'LOST', taken_in_charge = false", "slip_order_state_check"),
        ("UPDATE slip_order SET taken_in_charge = NOT taken_in_charge", "slip_order_charge"),
        ("UPDATE slip_order SET piece = 1", "slip_order_piece_key"),
        ("UPDATE slip_order SET position = 1", "slip_order_position_key"),
        (
            "INSERT INTO slip_order
             SELECT operator_id, convention_id, instalment_id, 2, programme_id, slip_id, position + 10, piece + 10, amount,
                    'TRANSMITTED', false, '', '', NULL
             FROM slip_order LIMIT 1",
            "slip_order_live_key",
        ),
        (
            "INSERT INTO slip
             SELECT programme_id, gen_random_uuid(), budget_year, number, issue_date, amount, file_name || '2', file,
                    posting_codes_version, warning_fields, warning_texts_en, warning_texts_fr, issuer, 1, create_time,
                    update_time
             FROM slip",
            "slip_number_key",
        ),
        ("UPDATE payment_difference SET outcome = 'DISMISSED'", "payment_difference_settled"),
        ("UPDATE operator SET siret = NULL", "operator_identified"),
        (
            "INSERT INTO return_file
             SELECT programme_id, gen_random_uuid(), digest, kind, flow_name, size, 0, 0, 0, 0, actor, create_time
             FROM return_file",
            "return_file_digest_key",
        ),
    ] {
        assert_eq!(broken(&owner, sql).await, constraint, "{sql}");
    }
    let app = world.db.app().await;
    for sql in [
        "UPDATE slip SET file = ''",
        "UPDATE slip SET number = 9",
        "UPDATE slip_order SET amount = amount + 1",
        "UPDATE slip_order SET piece = 9",
        "UPDATE posting_codes SET budget_code = '01'",
        "UPDATE return_file SET changed_count = 0",
        "UPDATE payment_difference SET stated_amount = 9200",
        "DELETE FROM slip_order",
        "DELETE FROM slip",
        "DELETE FROM posting_codes",
        "DELETE FROM return_file",
        "DELETE FROM payment_difference",
        "DELETE FROM slip_register",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}

#[tokio::test]
async fn slips_and_files_are_shown_to_the_programmes_side_alone() {
    let world = World::start().await;
    treasury(&world).await;
    let app = world.db.app().await;
    let owner = world.db.owner().await;
    let operator: String = sqlx::query_scalar("SELECT operator_id::text FROM slip_order LIMIT 1")
        .fetch_one(&owner)
        .await
        .unwrap();
    for table in [
        "posting_budget",
        "posting_codes",
        "slip_register",
        "slip",
        "return_file",
        "payment_difference",
    ] {
        assert_eq!(count(&app, "*", table).await, 1, "{table}");
        assert_eq!(count(&app, &operator, table).await, 0, "{table}");
        assert_eq!(count(&app, "", table).await, 0, "{table}");
    }
    // An order belongs to who is paid.
    assert_eq!(count(&app, "*", "slip_order").await, 2);
    assert_eq!(count(&app, &operator, "slip_order").await, 1);
    assert_eq!(count(&app, "", "slip_order").await, 0);
}
