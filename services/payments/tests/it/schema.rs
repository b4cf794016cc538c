//! What the database refuses even from our own code.

use sqlx::{AssertSqlSafe, PgPool};

use crate::world::World;

/// The constraint that a statement breaks, or the code of the refusal where there is none.
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
async fn the_state_machine_holds_in_the_database_too() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let owner = world.db.owner().await;
    for (set, constraint) in [
        ("state = 'PLANNED'", "instalment_"),
        ("state = 'CALLED'", "instalment_certification"),
        ("state = 'CERTIFIED'", "instalment_"),
        ("state = 'ORDERED'", "instalment_confirmation"),
        ("state = 'REFUNDED'", "instalment_"),
        ("iban = NULL", "instalment_account"),
        ("call_actor = NULL", "instalment_call"),
        (
            "kind = 'BALANCE', call_reference = NULL, call_actor = NULL, call_actor_name = NULL, call_time = NULL",
            "instalment_call",
        ),
        ("certification_time = NULL", "instalment_certification"),
        ("order_actor_name = NULL", "instalment_order"),
        ("transfer_date = NULL", "instalment_confirmation"),
        ("transfer_date = '2025-10-06'", "instalment_transfer_date"),
        ("transfer_date = '2025-10-08'", "instalment_transfer_date"),
        (
            "call_actor = certification_actor",
            "instalment_separation_of_duties",
        ),
        (
            "call_actor = order_actor",
            "instalment_separation_of_duties",
        ),
        (
            "call_actor = confirmation_actor",
            "instalment_separation_of_duties",
        ),
        (
            "certification_actor = order_actor",
            "instalment_separation_of_duties",
        ),
        (
            "certification_actor = confirmation_actor",
            "instalment_separation_of_duties",
        ),
        (
            "order_actor = confirmation_actor",
            "instalment_separation_of_duties",
        ),
        ("amount = 0", "instalment_amount_check"),
        ("position = 100", "instalment_position_check"),
        ("state = 'CANCELLED'", "instalment_"),
        ("cancel_cause = 'AMENDMENT'", "instalment_cancellation"),
        ("cancel_cause = 'MOOD'", "instalment_cancel_cause_check"),
        (
            "position = 2",
            "instalment_operator_id_convention_id_position_key",
        ),
    ] {
        let sql = format!("UPDATE instalment SET {set} WHERE position = 1");
        let found = broken(&owner, &sql).await;
        assert!(found.starts_with(constraint), "{set}: {found}");
    }
}

#[tokio::test]
async fn the_books_are_written_once_and_never_changed() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let owner = world.db.owner().await;
    for (revision, constraint) in [
        ("instalment_revision", "ledger_entry_revision_key"),
        ("instalment_revision + 1", "ledger_entry_payment_key"),
    ] {
        let again = format!(
            "INSERT INTO ledger_entry
             SELECT operator_id, convention_id, gen_random_uuid(), instalment_id, debit, credit, amount, label, actor,
                    book_time, {revision}
             FROM ledger_entry WHERE credit = 'TREASURY'"
        );
        assert_eq!(broken(&owner, &again).await, constraint);
    }
    let to_itself = "UPDATE ledger_entry SET debit = credit";
    assert_eq!(broken(&owner, to_itself).await, "ledger_entry_movement");

    let app = world.db.app().await;
    for sql in [
        "UPDATE ledger_entry SET amount = amount + 1",
        "DELETE FROM ledger_entry",
        "DELETE FROM instalment",
        "DELETE FROM payment_plan",
        "UPDATE ledger_entry SET instalment_revision = 9",
        "UPDATE instalment SET position = 9",
        "UPDATE payment_plan SET budget_year = 2026",
        "TRUNCATE ledger_entry",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}
