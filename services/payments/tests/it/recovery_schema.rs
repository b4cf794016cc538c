//! Recoveries as constraints: what the database refuses whatever the service asks.

use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    recovery::{issue, notify, overpaid, receive},
    treasury::Treasury,
    world::World,
};

/// The constraint that refuses a statement, or the code of the refusal where there is none.
async fn broken(pool: &PgPool, sql: &str) -> String {
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

#[tokio::test]
async fn the_life_of_a_recovery_holds_in_the_database_too() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    world.notify(notify(&issued)).await.unwrap();
    world
        .receive(receive(&issued, 5_000, "P503-17"))
        .await
        .unwrap();
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        ("UPDATE recovery SET amount = 0", "recovery_amount_check"),
        ("UPDATE recovery SET cause = 'MOOD'", "recovery_cause_check"),
        ("UPDATE recovery SET cause = 'REPUBLICAN_COMMITMENT'", "recovery_breach"),
        ("UPDATE recovery SET notification_date = NULL", "recovery_notification"),
        ("UPDATE recovery SET notification_date = '2025-10-06'", "recovery_notification"),
        ("UPDATE recovery_act SET actor = issue_actor", "recovery_act_separation_of_duties"),
        ("UPDATE recovery_act SET kind = 'OFFSET'", "recovery_act_instalment"),
        ("UPDATE recovery_act SET position = 101", "recovery_act_position_check"),
        (
            "INSERT INTO recovery_act
             SELECT operator_id, convention_id, recovery_id, 2, kind, amount, act_date, reference, NULL, NULL, issue_actor,
                    actor, actor_name, act_time FROM recovery_act",
            "recovery_act_receipt_key",
        ),
        (
            "INSERT INTO recovery
             SELECT operator_id, convention_id, gen_random_uuid(), programme_id, budget_year, number, cause, amount,
                    issue_date, NULL, NULL, NULL, NULL, NULL, issue_actor, issue_actor_name, issue_time, NULL, NULL, NULL,
                    NULL, revision, create_time, update_time FROM recovery",
            "recovery_number_key",
        ),
        (
            "UPDATE ledger_entry SET recovery_revision = 1 WHERE recovery_revision = 3",
            "ledger_entry_recovery_key",
        ),
        (
            "UPDATE ledger_entry SET debit = 'GRANT_EXPENSE' WHERE recovery_id IS NOT NULL",
            "ledger_entry_movement",
        ),
        (
            "UPDATE ledger_entry SET instalment_id = NULL WHERE instalment_id IS NOT NULL",
            "ledger_entry_",
        ),
        (
            "UPDATE payment_plan SET period_start = '2025-10-06'",
            "payment_plan_period",
        ),
    ] {
        let found = broken(&owner, sql).await;
        assert!(found.starts_with(constraint), "{sql}: {found}");
    }
    let app = world.db.app().await;
    for sql in [
        "UPDATE recovery SET amount = 1",
        "UPDATE recovery SET number = 9",
        "DELETE FROM recovery",
        "UPDATE recovery_act SET amount = 1",
        "DELETE FROM recovery_act",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}
