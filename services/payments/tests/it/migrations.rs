//! A database of an earlier version, with data, brought to this one.

use std::borrow::Cow;

use nonrecours_payments::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{AssertSqlSafe, PgPool, Row as _, migrate::Migrator};

/// A plan with its advance paid after a call and its balance called, another with its advance certified without a call.
const FIRST_DATA: &str = "
    INSERT INTO operator
    VALUES ('01980000-0000-7000-8000-000000000001', 'Commune de Dainville', '216202630', true, 1, '2025-09-25T16:00Z');
    INSERT INTO payment_plan (operator_id, convention_id, convention_title, budget_year, grant_amount,
        advance_without_call, actions_completed, convention_revision, revision, create_time, update_time)
    VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002', 'Convention 2025', 2025,
            11500, false, true, 9, 3, '2025-10-07T09:00Z', '2025-12-20T09:00Z'),
           ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000003', 'Convention bis', 2025,
            100, true, false, 7, 1, '2025-10-07T09:00Z', '2025-10-07T09:00Z');
    INSERT INTO instalment (operator_id, convention_id, instalment_id, position, kind, amount, state, iban, bic, holder,
        call_reference, call_actor, call_actor_name, call_time,
        certification_actor, certification_actor_name, certification_time, order_actor, order_actor_name, order_time,
        confirmation_actor, confirmation_actor_name, confirmation_time, transfer_date,
        revision, create_time, update_time)
    VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
            '01980000-0000-7000-8000-000000000011', 1, 'ADVANCE', 9200, 'PAID', 'FR903000100152D620000000041',
            'BDFEFRPPCCT', 'Commune', '2025-114', 'a', 'A', '2025-10-07T09:00Z', 'b', 'B', '2025-10-07T09:00Z',
            'c', 'C', '2025-10-07T09:00Z', 'd', 'D', '2025-10-07T09:00Z', '2025-10-07', 5, '2025-10-07T09:00Z',
            '2025-10-07T09:00Z'),
           ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
            '01980000-0000-7000-8000-000000000012', 2, 'BALANCE', 2300, 'CALLED', 'FR903000100152D620000000041',
            'BDFEFRPPCCT', 'Commune', '2025-120', 'a', 'A', '2025-12-20T09:00Z', NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, '2025-10-07T09:00Z', '2025-12-20T09:00Z'),
           ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000003',
            '01980000-0000-7000-8000-000000000013', 1, 'ADVANCE', 100, 'CERTIFIED', 'FR903000100152D620000000041',
            'BDFEFRPPCCT', 'Commune', NULL, NULL, NULL, NULL, 'b', 'B', '2025-10-07T09:00Z',
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2, '2025-10-07T09:00Z', '2025-10-07T09:00Z');
    INSERT INTO ledger_entry (operator_id, convention_id, ledger_entry_id, instalment_id, debit, credit, amount, label,
        actor, book_time)
    VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
            '01980000-0000-7000-8000-000000000021', '01980000-0000-7000-8000-000000000011', 'GRANT_EXPENSE',
            'OPERATOR_PAYABLE', 9200, 'x', 'b', '2025-10-07T09:00Z'),
           ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
            '01980000-0000-7000-8000-000000000022', '01980000-0000-7000-8000-000000000011', 'OPERATOR_PAYABLE',
            'TREASURY', 9200, 'x', 'd', '2025-10-07T09:00Z'),
           ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000003',
            '01980000-0000-7000-8000-000000000023', '01980000-0000-7000-8000-000000000013', 'GRANT_EXPENSE',
            'OPERATOR_PAYABLE', 100, 'x', 'b', '2025-10-07T09:00Z')";

/// What a decision of before the terms were followed had left of the first plan.
const REDUCED: &str = "
    UPDATE payment_plan SET suspended = true, due_amount = 10000, claimed_amount = 500, revision = 4
    WHERE grant_amount = 11500";

/// The migrations up to this one.
fn until(version: i64) -> Migrator {
    let until = MIGRATOR
        .iter()
        .filter(|migration| migration.version <= version);
    Migrator {
        migrations: Cow::Owned(until.cloned().collect()),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    }
}

/// A database of this name, as the migrations up to this one make it.
async fn at(name: &'static str, version: i64) -> (TestDb, PgPool) {
    let db = TestDb::create(name, &until(version)).await;
    let owner = db.owner().await;
    sqlx::raw_sql(FIRST_DATA).execute(&owner).await.unwrap();
    (db, owner)
}

async fn migrate(db: &TestDb) {
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
}

async fn texts(pool: &PgPool, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn broken(pool: &PgPool, sql: &str) -> Option<String> {
    let error = sqlx::query(AssertSqlSafe(sql)).execute(pool).await;
    let error = error.expect_err(sql).into_database_error().unwrap();
    error.constraint().map(ToOwned::to_owned)
}

#[tokio::test]
async fn plans_of_the_first_version_have_no_measures_and_go_on() {
    let (db, owner) = at("measures", 1).await;
    migrate(&db).await;
    let measures = "SELECT concat_ws(' ', suspended, terminated, due_amount IS NULL, claimed_amount, grant_amount, revision)
                    FROM payment_plan ORDER BY convention_id";
    assert_eq!(
        texts(&owner, measures).await,
        ["f f t 0.00 11500.00 3", "f f t 0.00 100.00 1"]
    );
    let negative = "UPDATE payment_plan SET due_amount = -1";
    assert_eq!(
        broken(&owner, negative).await.as_deref(),
        Some("payment_plan_due_amount_check")
    );
}

#[tokio::test]
async fn the_instalments_of_before_are_the_terms_and_each_entry_finds_its_revision() {
    let (db, owner) = at("terms", 5).await;
    sqlx::query(REDUCED).execute(&owner).await.unwrap();
    migrate(&db).await;
    let terms =
        "SELECT concat_ws(' ', suspended, due_amount, claimed_amount, term_kinds, term_amounts)
                 FROM payment_plan ORDER BY convention_id";
    assert_eq!(
        texts(&owner, terms).await,
        [
            "t 10000.00 500.00 {ADVANCE,BALANCE} {9200.00,2300.00}",
            "f 0.00 {ADVANCE} {100.00}"
        ]
    );
    let booked = "SELECT concat_ws(' ', credit, amount, instalment_revision) FROM ledger_entry ORDER BY ledger_entry_id";
    assert_eq!(
        texts(&owner, booked).await,
        [
            "OPERATOR_PAYABLE 9200.00 3",
            "TREASURY 9200.00 5",
            "OPERATOR_PAYABLE 100.00 2"
        ]
    );
    let instalments =
        "SELECT concat_ws(' ', state, amount, cancel_cause) FROM instalment ORDER BY instalment_id";
    assert_eq!(
        texts(&owner, instalments).await,
        ["PAID 9200.00", "CALLED 2300.00", "CERTIFIED 100.00"]
    );
    // And the state machine is the new one.
    let cancelled = "UPDATE instalment SET state = 'CANCELLED' WHERE state = 'CERTIFIED'";
    let constraint = broken(&owner, cancelled).await.unwrap();
    assert!(constraint.starts_with("instalment_"), "{constraint}");
}

#[tokio::test]
async fn what_slips_need_is_not_known_of_plans_and_payees_of_before() {
    let (db, owner) = at("slips", 5).await;
    migrate(&db).await;
    let known = "SELECT concat_ws(' ', siret IS NULL, category IS NULL, programme_id IS NULL)
                 FROM payment_plan JOIN operator USING (operator_id) ORDER BY convention_id";
    assert_eq!(texts(&owner, known).await, ["t t t", "t t t"]);
    let half = "UPDATE operator SET siret = '21620263000010'";
    assert_eq!(
        broken(&owner, half).await.as_deref(),
        Some("operator_identified")
    );
    // Learned together, from the next word on the operator.
    sqlx::query("UPDATE operator SET siret = '21620263000010', category = 'COMMUNE'")
        .execute(&owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_books_of_before_are_of_instalments_and_nothing_is_claimed_back() {
    let (db, owner) = at("recoveries", 5).await;
    migrate(&db).await;
    let booked =
        "SELECT concat_ws(' ', instalment_id IS NOT NULL, instalment_revision, recovery_id IS NULL,
                                   recovery_revision IS NULL)
                  FROM ledger_entry ORDER BY ledger_entry_id";
    assert_eq!(
        texts(&owner, booked).await,
        ["t 3 t t", "t 5 t t", "t 2 t t"]
    );
    let period =
        "SELECT concat_ws(' ', period_start IS NULL, period_end IS NULL) FROM payment_plan";
    assert_eq!(texts(&owner, period).await, ["t t", "t t"]);
    let claim = "UPDATE ledger_entry SET debit = 'OPERATOR_RECEIVABLE', credit = 'GRANT_RECOVERY'";
    assert_eq!(
        broken(&owner, claim).await.as_deref(),
        Some("ledger_entry_movement")
    );
}

/// Codes, a slip with an order that was paid otherwise than ordered, as they were before banks paid.
const ORDERED: &str = "
    INSERT INTO posting_budget VALUES ('062007', '123', '00', '01980000-0000-7000-8000-0000000000a1');
    INSERT INTO posting_codes VALUES ('01980000-0000-7000-8000-0000000000a1', 1, '20003357900018', '062007', '123', '00',
        NULL, '{COMMUNE}', '{657341}', '{23}', '{09}', 'c', '2025-10-07T09:00Z');
    INSERT INTO slip_register VALUES ('01980000-0000-7000-8000-0000000000a1', 2025, 1, 1);
    INSERT INTO slip VALUES ('01980000-0000-7000-8000-0000000000a1', '01980000-0000-7000-8000-0000000000b1', 2025, 1,
        '2025-10-07', 9200, 'f.xml', '', 1, '{}', '{}', '{}', 'c', 1, '2025-10-07T09:00Z', '2025-10-07T09:00Z');
    INSERT INTO slip_order VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
        '01980000-0000-7000-8000-000000000011', 1, '01980000-0000-7000-8000-0000000000a1',
        '01980000-0000-7000-8000-0000000000b1', 1, 1, 9200, 'PAID', true, '', '', '2025-10-07');
    INSERT INTO return_file VALUES ('01980000-0000-7000-8000-0000000000a1', '01980000-0000-7000-8000-0000000000c1',
        sha256(''), 'RETURN', '', 1, 1, 0, 0, 1, 'd', '2025-10-07T09:00Z');
    INSERT INTO payment_difference VALUES ('01980000-0000-7000-8000-0000000000a1', '01980000-0000-7000-8000-0000000000d1',
        '01980000-0000-7000-8000-0000000000c1', '01980000-0000-7000-8000-000000000001',
        '01980000-0000-7000-8000-000000000002', '01980000-0000-7000-8000-000000000011', 1, 'AMOUNT', 'x', 'x', 1, NULL,
        NULL, NULL, NULL, NULL, 1, '2025-10-07T09:00Z', '2025-10-07T09:00Z');";

#[tokio::test]
async fn slips_of_before_are_the_accountants_and_what_was_paid_stays_paid() {
    let (db, owner) = at("bank_payments", 5).await;
    nonrecours_pg::migrate(db.owner_url(), &until(14), &clock())
        .await
        .unwrap();
    sqlx::raw_sql(ORDERED).execute(&owner).await.unwrap();
    migrate(&db).await;
    let stayed = "SELECT concat_ws(' ', budget_code, debtor_iban IS NULL, state, return_date IS NULL, cause,
                                   stated_reference IS NULL, kind)
                  FROM posting_codes JOIN slip_order USING (programme_id)
                       JOIN payment_difference USING (programme_id) JOIN return_file USING (programme_id)";
    assert_eq!(texts(&owner, stayed).await, ["00 t PAID t AMOUNT t RETURN"]);
    let rounds = "SELECT DISTINCT round::text FROM ledger_entry";
    assert_eq!(texts(&owner, rounds).await, ["1"]);
    for (sql, constraint) in [
        ("UPDATE posting_codes SET debtor_name = 'F'", "posting_codes_channel"),
        ("UPDATE posting_codes SET budget_code = NULL", "posting_codes_channel"),
        (
            "UPDATE posting_codes SET debtor_name = 'F', debtor_iban = 'I', debtor_bic = 'B'",
            "posting_codes_channel",
        ),
        ("UPDATE slip_order SET return_date = '2025-10-08'", "slip_order_returned"),
        ("UPDATE payment_difference SET stated_reference = 'x'", "payment_difference_subject"),
        ("UPDATE payment_difference SET cause = 'REFERENCE'", "payment_difference_subject"),
        (
            "INSERT INTO ledger_entry SELECT operator_id, convention_id, gen_random_uuid(), instalment_id, debit, credit,
                 amount, label, actor, book_time, 9 FROM ledger_entry WHERE credit = 'TREASURY'",
            "ledger_entry_payment_key",
        ),
    ] {
        assert_eq!(broken(&owner, sql).await.as_deref(), Some(constraint), "{sql}");
    }
    // Paid again only after the money came back; and it comes back once.
    let again = "INSERT INTO ledger_entry SELECT operator_id, convention_id, gen_random_uuid(), instalment_id, credit, debit,
                 amount, label, actor, book_time, 10 FROM ledger_entry WHERE credit = 'TREASURY'";
    sqlx::query(again).execute(&owner).await.unwrap();
    let twice = again.replace("10 FROM", "11 FROM");
    assert_eq!(
        broken(&owner, &twice).await.as_deref(),
        Some("ledger_entry_return_key")
    );
}

#[tokio::test]
async fn plans_of_before_are_charged_to_their_own_year() {
    let (db, owner) = at("year_close", 5).await;
    migrate(&db).await;
    let carried = "SELECT concat_ws(' ', budget_year, carried_to IS NULL) FROM payment_plan";
    assert_eq!(texts(&owner, carried).await, ["2025 t", "2025 t"]);
    let back = "UPDATE payment_plan SET carried_to = 2025";
    assert_eq!(
        broken(&owner, back).await.as_deref(),
        Some("payment_plan_carried_to")
    );
}

#[tokio::test]
async fn what_was_called_before_accounts_were_kept_has_none_and_the_feed_is_read_again() {
    let (db, owner) = at("accounts", 5).await;
    let cursor = "INSERT INTO feed_cursor VALUES ('conventions', 'x', '2025-10-07T09:00Z')";
    sqlx::query(cursor).execute(&owner).await.unwrap();
    migrate(&db).await;
    let accounts = "SELECT concat_ws(' ', state, iban IS NOT NULL, bank_account_id IS NULL)
                    FROM instalment ORDER BY instalment_id";
    assert_eq!(
        texts(&owner, accounts).await,
        ["PAID t t", "CALLED t t", "CERTIFIED t t"]
    );
    let cursors = "SELECT source FROM feed_cursor";
    assert_eq!(texts(&owner, cursors).await, [""; 0]);
    let unknown = "UPDATE instalment SET bank_account_id = instalment_id";
    assert_eq!(
        broken(&owner, unknown).await.as_deref(),
        Some("instalment_bank_account")
    );
}

#[tokio::test]
async fn the_steps_of_before_are_known_by_their_times_and_the_feed_is_read_again() {
    let (db, owner) = at("steps", 5).await;
    let cursor = "INSERT INTO feed_cursor VALUES ('conventions', 'x', '2025-10-07T09:00Z')";
    sqlx::query(cursor).execute(&owner).await.unwrap();
    migrate(&db).await;
    // Every instalment has its last step at its own revision, and those before it below.
    let steps = "SELECT concat_ws(' ', string_agg(step.state, '>' ORDER BY step.revision),
                                  max(step.revision) = instalment.revision,
                                  (array_agg(step.state ORDER BY step.revision DESC))[1] = instalment.state)
                 FROM instalment JOIN instalment_step AS step USING (operator_id, convention_id, instalment_id)
                 GROUP BY instalment.operator_id, instalment.convention_id, instalment_id
                 ORDER BY instalment_id";
    assert_eq!(
        texts(&owner, steps).await,
        [
            "PLANNED>CALLED>CERTIFIED>ORDERED>PAID t t",
            "PLANNED>CALLED t t",
            "PLANNED>CERTIFIED t t"
        ]
    );
    assert_eq!(
        texts(&owner, "SELECT source FROM feed_cursor").await,
        [""; 0]
    );
    // The version before tells of a termination and not when; a time without one is nobody's.
    let ended = "UPDATE payment_plan SET terminated = true";
    sqlx::query(ended).execute(&owner).await.unwrap();
    let never = "UPDATE payment_plan SET terminated = false, terminated_time = '2025-10-07T09:00Z'";
    assert_eq!(
        broken(&owner, never).await.as_deref(),
        Some("payment_plan_terminated")
    );
}

/// A slip with the advance of the first plan, as the version before corrections wrote it.
const SLIP: &str = "
    INSERT INTO posting_codes (programme_id, version, debtor_name, debtor_iban, debtor_bic, actor, create_time)
    VALUES ('01980000-0000-7000-8000-000000000031', 1, 'F', 'FR7630006000011234567890189', 'AGRIFRPPXXX', 'o',
            '2025-10-07T09:00Z');
    INSERT INTO slip_register (programme_id, budget_year, last_slip, last_piece)
    VALUES ('01980000-0000-7000-8000-000000000031', 2025, 1, 1);
    INSERT INTO slip (programme_id, slip_id, budget_year, number, issue_date, amount, file_name, file,
                      posting_codes_version, warning_fields, warning_texts_en, warning_texts_fr, issuer, revision,
                      create_time, update_time)
    VALUES ('01980000-0000-7000-8000-000000000031', '01980000-0000-7000-8000-000000000032', 2025, 1, '2025-10-07', 9200,
            'x.xml', '', 1, '{}', '{}', '{}', 'o', 1, '2025-10-07T09:00Z', '2025-10-07T09:00Z');
    INSERT INTO slip_order (operator_id, convention_id, instalment_id, attempt, programme_id, slip_id, position, piece,
                            amount, state, taken_in_charge, reason_code, reason_text)
    VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002',
            '01980000-0000-7000-8000-000000000011', 1, '01980000-0000-7000-8000-000000000031',
            '01980000-0000-7000-8000-000000000032', 1, 1, 9200, 'TAKEN_IN_CHARGE', true, '', '')";

#[tokio::test]
async fn the_slips_of_before_order_and_nothing_of_them_is_corrected() {
    let (db, owner) = at("corrections", 5).await;
    nonrecours_pg::migrate(db.owner_url(), &until(18), &clock())
        .await
        .unwrap();
    sqlx::raw_sql(SLIP).execute(&owner).await.unwrap();
    migrate(&db).await;
    let slips = "SELECT concat_ws(' ', kind, number, reduced_amount, last_slip, last_correction)
                 FROM slip JOIN slip_order USING (programme_id, slip_id) JOIN slip_register USING (programme_id, budget_year)";
    assert_eq!(texts(&owner, slips).await, ["ORDINARY 1 0.00 1 0"]);
    // The version before writes on, a slip of the same number apart.
    let twice = "INSERT INTO slip (programme_id, slip_id, budget_year, number, issue_date, amount, file_name, file,
                                   posting_codes_version, warning_fields, warning_texts_en, warning_texts_fr, issuer,
                                   revision, create_time, update_time)
                 SELECT programme_id, gen_random_uuid(), budget_year, number, issue_date, amount, 'y.xml', file,
                        posting_codes_version, warning_fields, warning_texts_en, warning_texts_fr, issuer, revision,
                        create_time, update_time FROM slip";
    assert_eq!(
        broken(&owner, twice).await.as_deref(),
        Some("slip_number_key")
    );
}
