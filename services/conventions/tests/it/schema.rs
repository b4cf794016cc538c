//! What the database refuses even from our own code.

use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    amending::{draft, grant},
    budget,
    world::World,
};

/// The constraint that a statement breaks, or the code of the refusal where there is none.
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

#[tokio::test]
async fn the_state_machines_hold_in_the_database_too() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let report = world.submitted(&convention).await;
    world.accept(&report.name).await;
    world.complete(&convention).await.unwrap();
    let owner = world.db.owner().await;
    for (set, constraint) in [
        ("state = 'DRAFT'", "convention_state"),
        ("state = 'PARTLY_SIGNED'", "convention_state"),
        ("state = 'IN_FORCE'", "convention_state"),
        ("state = 'SETTLED'", "convention_state"),
        ("state = 'CANCELLED'", "convention_state"),
        (
            "state = 'SETTLED', settle_time = update_time",
            "convention_state",
        ),
        ("accepted_report_id = NULL", "convention_state"),
        ("completion_date = NULL", "convention_state"),
        ("in_force_time = NULL", "convention_state"),
        ("authority_signed_by = NULL", "convention_signatures"),
        ("operator_sign_time = NULL", "convention_signatures"),
        ("operator_decision_date = NULL", "convention_signatories"),
        (
            "authority_signatory_capacity = NULL",
            "convention_signatories",
        ),
        ("paid_amount = 1", "convention_plan"),
        ("plan_revision = 1, paid_amount = -1", "convention_check"),
        ("version = 0", "convention_versioned"),
        ("engaged_amount = -1", "convention_engaged_amount_check"),
        ("indicative_end_date = '2024-12-31'", "convention_dates"),
        (
            "instalment_kinds = '{BALANCE,ADVANCE}'",
            "convention_instalments",
        ),
        ("instalment_kinds = '{BALANCE}'", "convention_instalments"),
        (
            "instalment_kinds = '{ADVANCE,ADVANCE,BALANCE}', instalment_shares = '{0.5,0.3,0.2}', \
             instalment_conditions = '{NULL,x,NULL}', instalment_due_dates = '{NULL,NULL,NULL}'",
            "convention_split",
        ),
        (
            "instalment_conditions = '{x,NULL}'",
            "convention_split_conditions",
        ),
        ("originals = 1", "convention_originals_check"),
        (
            "renewed_from_id = gen_random_uuid()",
            "convention_operator_id_renewed_from_id_fkey",
        ),
        ("commitment_texts = '{}'", "convention_commitments"),
        ("grant_amount = 0", "convention_"),
        (
            "accepted_report_id = gen_random_uuid()",
            "convention_operator_id_convention_id_accepted_report_id_fkey",
        ),
    ] {
        let found = broken(&owner, &format!("UPDATE convention SET {set}")).await;
        assert!(found.starts_with(constraint), "{set}: {found}");
    }
    for (set, constraint) in [
        ("state = 'DRAFT'", "activity_report_state"),
        ("state = 'SUBMITTED'", "activity_report_state"),
        ("state = 'RETURNED'", "activity_report_state"),
        ("decide_time = NULL", "activity_report_state"),
        ("correction = 'x'", "activity_report_state"),
        ("public_amounts = '{}'", "activity_report_publics"),
        ("spent_amount = -1", "activity_report_spent_amount_check"),
    ] {
        let found = broken(&owner, &format!("UPDATE activity_report SET {set}")).await;
        assert!(found.starts_with(constraint), "{set}: {found}");
    }
    for (set, constraint) in [
        ("correction = 'x'", "activity_report_verdict_correction"),
        ("verdict = 'RETURNED'", "activity_report_verdict_correction"),
        ("verdict = 'LOST'", "activity_report_verdict_verdict_check"),
        ("version_number = 2", "activity_report_verdict_operator_id"),
    ] {
        let found = broken(&owner, &format!("UPDATE activity_report_verdict SET {set}")).await;
        assert!(found.starts_with(constraint), "{set}: {found}");
    }
    for (sql, constraint) in [
        (
            "UPDATE envelope SET engaged_amount = voted_amount + 1",
            "envelope_check",
        ),
        (
            "UPDATE envelope SET paid_amount = engaged_amount + 1",
            "envelope_check",
        ),
        (
            "UPDATE act SET publication_date = decision_date - 1",
            "act_check",
        ),
        ("UPDATE act SET party = 'OPERATOR'", "act_party_key"),
        (
            "UPDATE act SET transmission_state = 'TO_TRANSMIT'",
            "act_transmission",
        ),
        (
            "UPDATE act SET transmission_state = 'REFUSED'",
            "act_transmission",
        ),
        (
            "UPDATE act SET transmission_state = 'ACKNOWLEDGED'",
            "act_transmission",
        ),
        ("UPDATE act SET publicity = NULL", "act_publicity"),
        (
            "UPDATE act SET posting_date = transmission_date + 1",
            "act_posting",
        ),
    ] {
        let found = broken(&owner, sql).await;
        assert!(found.starts_with(constraint), "{sql}: {found}");
    }
}

#[tokio::test]
async fn commitments_and_budgets_hold_in_the_database_too() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    budget::deviated(&world, &convention).await;
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        ("UPDATE commitment SET state = 'DONE'", "commitment_state"),
        ("UPDATE commitment SET state = 'EVIDENCED'", "commitment_state"),
        ("UPDATE commitment SET state = 'OVERDUE'", "commitment_state"),
        ("UPDATE commitment SET evidence_text = 'x'", "commitment_state"),
        (
            "INSERT INTO commitment SELECT operator_id, convention_id, gen_random_uuid(), code, text, due_date, state,
                    NULL, NULL, NULL, NULL, NULL, NULL, NULL, revision, create_time, update_time FROM commitment",
            "commitment_code_key",
        ),
        ("UPDATE budget SET planned_amounts = '{1}'", "budget_lines"),
        ("UPDATE budget SET planned_amounts = '{-1,-1,-1,-1,-1}'", "budget_planned_amounts_check"),
        ("UPDATE deviation_case SET close_time = open_time", "deviation_case_closed"),
        (
            "INSERT INTO deviation_case SELECT operator_id, convention_id, 2, subjects, open_time FROM deviation_case",
            "deviation_case_open_key",
        ),
        ("UPDATE operator SET rna = 'W1'", "operator_rna_check"),
        ("UPDATE operator SET representative_names = '{x}'", "operator_representatives"),
    ] {
        let found = broken(&owner, sql).await;
        assert!(found.starts_with(constraint), "{sql}: {found}");
    }
    let app = world.db.app().await;
    for sql in [
        "DELETE FROM commitment",
        "UPDATE commitment SET text = 'x'",
        "DELETE FROM document",
        "UPDATE document SET version = 2",
        "DELETE FROM budget",
        "UPDATE budget SET deviation_threshold = 1",
        "DELETE FROM deviation_case",
        "UPDATE deviation_case SET subjects = '{}'",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}

#[tokio::test]
async fn legal_records_are_not_deleted_and_what_was_voted_is_not_changed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    world.in_force(&setting).await;
    let app = world.db.app().await;
    for sql in [
        "DELETE FROM convention",
        "DELETE FROM act",
        "DELETE FROM activity_report",
        "UPDATE activity_report_version SET report = report",
        "DELETE FROM activity_report_version",
        "UPDATE activity_report_verdict SET correction = 'x'",
        "DELETE FROM activity_report_verdict",
        "DELETE FROM operator",
        "DELETE FROM envelope",
        "UPDATE operator SET siret = siret",
        "UPDATE programme SET authority_siret = authority_siret",
        "UPDATE envelope SET budget_year = 2026",
        "UPDATE envelope_vote SET amount = 1",
        "DELETE FROM envelope_vote",
        "UPDATE territory_commune SET insee_code = '62041'",
        "DELETE FROM territory_commune",
        "UPDATE state_funding SET grant_amount = 1",
        "DELETE FROM state_funding",
        "UPDATE grant_publication SET publication_date = '2025-10-07'",
        "DELETE FROM grant_publication",
        "UPDATE outbox SET why = 'x'",
        "DELETE FROM outbox",
        "UPDATE framework_convention SET title = 'x'",
        "TRUNCATE convention",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}

#[tokio::test]
async fn amendments_hold_in_the_database_too_and_versions_are_never_changed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    world.amended(&convention, grant(1_300_000)).await;
    let draft = draft(&convention, grant(1_200_000));
    world.amend(draft).await.unwrap();
    let owner = world.db.owner().await;
    let first = "WHERE amendment_number = 1";
    for (sql, constraint) in [
        (format!("UPDATE amendment SET state = 'DRAFT' {first}"), "amendment_"),
        (format!("UPDATE amendment SET state = 'WITHDRAWN' {first}"), "amendment_state"),
        (format!("UPDATE amendment SET version = NULL {first}"), "amendment_state"),
        (format!("UPDATE amendment SET version = 1 {first}"), "amendment_version_check"),
        (format!("UPDATE amendment SET operator_decision_date = NULL {first}"), "amendment_signatories"),
        (format!("UPDATE amendment SET operator_signed_by = NULL {first}"), "amendment_signatures"),
        ("UPDATE amendment SET amendment_number = 2".to_owned(), "amendment_number_key"),
        ("UPDATE amendment SET instalment_kinds = '{BALANCE}'".to_owned(), "amendment_instalments"),
        ("UPDATE amendment SET commitment_codes = '{A}'".to_owned(), "amendment_commitments"),
        (
            "INSERT INTO amendment (operator_id, convention_id, amendment_id, amendment_number, object, state, revision,
                                    create_time, update_time)
             SELECT operator_id, convention_id, gen_random_uuid(), 3, object, state, revision, create_time, update_time
             FROM amendment WHERE amendment_number = 2"
                .to_owned(),
            "amendment_open_key",
        ),
        (
            "UPDATE act SET amendment_id = NULL WHERE amendment_id IS NOT NULL".to_owned(),
            "act_party_key",
        ),
        (
            "UPDATE convention_version SET amendment_id = NULL WHERE version = 2".to_owned(),
            "convention_version_origin",
        ),
        ("UPDATE convention_version SET act_ids = '{}'".to_owned(), "convention_version_acts"),
    ] {
        let found = broken(&owner, &sql).await;
        assert!(found.starts_with(constraint), "{sql}: {found}");
    }
    let app = world.db.app().await;
    for sql in [
        "UPDATE convention_version SET title = 'x'",
        "DELETE FROM convention_version",
        "DELETE FROM amendment",
        "UPDATE amendment SET amendment_number = 7",
    ] {
        assert_eq!(broken(&app, sql).await, "42501", "{sql}");
    }
}
