//! What the database refuses of corrections even from our own code, and to whom it shows them.

use sqlx::PgPool;

use crate::{
    slip_schema::{broken, count},
    treasury::Treasury,
    world::World,
};

/// A world with two orders that are corrected.
async fn corrected(world: &World) -> PgPool {
    let treasury = Treasury::open(world).await;
    for cents in [None, Some(100)] {
        let (_, name, _) = treasury.charged().await;
        let request = treasury.correction(&name, cents);
        treasury.correct(request).await.unwrap();
    }
    world.db.owner().await
}

#[tokio::test]
async fn the_rules_of_corrections_hold_in_the_database_too() {
    let world = World::start().await;
    let owner = corrected(&world).await;
    for (sql, constraint) in [
        (
            "UPDATE slip_correction SET issue_actor = certification_actor",
            "slip_correction_separation_of_duties",
        ),
        (
            "UPDATE slip_correction SET issue_actor = call_actor",
            "slip_correction_separation_of_duties",
        ),
        (
            "UPDATE slip_correction SET state = 'TAKEN_IN_CHARGE', acceptance_actor = issue_actor,
                                        acceptance_time = '2025-10-07T09:00Z'",
            "slip_correction_separation_of_duties",
        ),
        (
            "UPDATE slip_correction SET state = 'TAKEN_IN_CHARGE'",
            "slip_correction_acceptance",
        ),
        (
            "UPDATE slip_correction SET state = 'PAID'",
            "slip_correction_state_check",
        ),
        (
            "UPDATE slip_correction SET amount = 0",
            "slip_correction_amount_check",
        ),
        (
            "INSERT INTO slip_correction
             SELECT operator_id, convention_id, instalment_id, attempt, round + 1, programme_id, slip_id, position + 10,
                    piece + 10, amount, cancels, motive, 'TRANSMITTED', '', '', call_actor, certification_actor,
                    issue_actor
             FROM slip_correction",
            "slip_correction_open_key",
        ),
        (
            "UPDATE slip SET number = 1 WHERE kind = 'CORRECTION'",
            "slip_number_key",
        ),
        (
            "UPDATE slip_order SET reduced_amount = amount",
            "slip_order_reduced",
        ),
        (
            "UPDATE slip_order SET reduced_amount = amount + 1, state = 'REJECTED'",
            "slip_order_reduced",
        ),
        (
            "UPDATE slip_order SET reduced_amount = 1, taken_in_charge = false, state = 'TRANSMITTED'",
            "slip_order_reduced",
        ),
        ("UPDATE slip SET kind = 'OTHER'", "slip_kind"),
    ] {
        assert_eq!(broken(&owner, sql).await, constraint, "{sql}");
    }
    let app = world.db.app().await;
    for sql in [
        "UPDATE slip_correction SET amount = 1",
        "UPDATE slip_correction SET issue_actor = 'x'",
        "UPDATE slip SET kind = 'ORDINARY'",
        "DELETE FROM slip_correction",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}

#[tokio::test]
async fn a_correction_is_shown_to_its_operator_alone() {
    let world = World::start().await;
    let owner = corrected(&world).await;
    let operator: String =
        sqlx::query_scalar("SELECT operator_id::text FROM slip_correction LIMIT 1")
            .fetch_one(&owner)
            .await
            .unwrap();
    let app = world.db.app().await;
    for (scope, seen) in [("*", 2), (operator.as_str(), 1), ("", 0)] {
        assert_eq!(count(&app, scope, "slip_correction").await, seen, "{scope}");
    }
}
