//! A database with conventions of before amendments and versions, brought to this version.

use std::borrow::Cow;

use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{AssertSqlSafe, Row as _, migrate::Migrator};

/// A programme with what its six conventions engage, and its operator.
const SETTING: &str = "
INSERT INTO programme (programme_id, display_name, authority_name, authority_siret, deviation_rate, notice_days,
    report_years, report_dates, revision, create_time, update_time)
VALUES ('00000000-0000-0000-0000-000000000001', 'TZNR', 'CUA', '20003357900018', 0.1, 15, '{}', '{}', 1, '2025-10-01',
    '2025-10-01');
INSERT INTO envelope VALUES ('00000000-0000-0000-0000-000000000001', 2025, 60000, 57500, 29900);
INSERT INTO framework_convention VALUES ('00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-000000000002', 'Cadre', '2025-09-25', 1, '2025-10-01', '2025-10-01');
INSERT INTO operator (operator_id, legal_name, siret, category, insee_code, address, representative_names,
    representative_capacities, representative_acts, representative_decisions, revision, create_time, update_time)
VALUES ('00000000-0000-0000-0000-000000000003', 'Dainville', '21620263000010', 'COMMUNE', '62263', 'Mairie', '{}', '{}',
    '{}', '{}', 1, '2025-10-01', '2025-10-01');
";

/// A convention: its last digit, its state, and what differs from one that nobody has signed.
fn convention(id: u8, state: &str, columns: &str, values: &str) -> String {
    format!(
        "INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
             grant_amount, instalment_kinds, instalment_shares, instalment_conditions, instalment_due_dates, originals,
             advance_without_call, target_publics, objectives, commitment_codes, commitment_texts, indicative_end_date,
             authority_signatory_name, authority_signatory_capacity, authority_decision_date, operator_signatory_name,
             operator_signatory_capacity, operator_decision_date, state, revision, create_time, update_time{columns})
         VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-00000000001{id}',
             '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'Convention 2025', 2025,
             11500, '{{ADVANCE,BALANCE}}', '{{0.8,0.2}}', '{{NULL,NULL}}', '{{NULL,NULL}}', 3, false, '{{SENIOR}}',
             '{{Repérer}}', '{{MISSIONS}}', '{{Remplir les missions}}', '2025-12-31', 'F. LETURQUE', 'Président',
             '2025-09-25', 'F. ROSSIGNOL', 'Maire', '2025-09-29', '{state}', 3, '2025-10-01', '2025-10-07'{values});"
    )
}

/// Both signatures, and a plan of which so much is paid.
fn signed(id: u8, state: &str, paid: u32, columns: &str, values: &str) -> String {
    convention(
        id,
        state,
        &format!(
            ", authority_sign_time, authority_signed_by, operator_sign_time, operator_signed_by, in_force_time,
             plan_revision, paid_amount, plan_settled{columns}"
        ),
        &format!(
            ", '2025-10-07T09:00Z', 'president', '2025-10-07T08:00Z', 'maire', '2025-10-07T09:00Z', 2, {paid},
             {}{values}",
            state == "SETTLED"
        ),
    )
}

fn report(id: u8) -> String {
    format!(
        "INSERT INTO activity_report (operator_id, convention_id, activity_report_id, narrative, spent_amount,
             persons_spotted, persons_supported, entitlements_opened, yearly_amount_opened, sessions_held, public_codes,
             public_spotted, public_supported, public_opened, public_amounts, paid_amount, state, submit_time,
             decide_time, revision, create_time, update_time)
         VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-00000000001{id}',
             '00000000-0000-0000-0000-00000000002{id}', 'Bilan', 3000, 0, 0, 0, 0, 0, '{{}}', '{{}}', '{{}}', '{{}}',
             '{{}}', 0, 'ACCEPTED', '2025-10-07', '2025-10-07', 1, '2025-10-07', '2025-10-07');
         UPDATE convention SET accepted_report_id = '00000000-0000-0000-0000-00000000002{id}'
         WHERE convention_id = '00000000-0000-0000-0000-00000000001{id}';"
    )
}

fn terminated(id: u8, due: u32) -> String {
    format!(
        "INSERT INTO formal_notice (operator_id, convention_id, formal_notice_id, party, ground, motives,
             letter_reference, sent_date, notice_days, state, close_date, revision, create_time, update_time)
         VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-00000000001{id}',
             '00000000-0000-0000-0000-00000000003{id}', 'AUTHORITY', 'BREACH', 'x', 'x', '2025-10-08', 15, 'EFFECTIVE',
             '2025-10-24', 2, '2025-10-08', '2025-10-24');
         UPDATE convention
         SET state = 'TERMINATED', termination_date = '2025-10-24', termination_ground = 'BREACH',
             termination_notice_id = '00000000-0000-0000-0000-00000000003{id}', termination_due_amount = {due}
         WHERE convention_id = '00000000-0000-0000-0000-00000000001{id}';"
    )
}

/// Of the convention in force: an act that was published last, and one whose transmission failed since.
const ACTS: &str = "
INSERT INTO act (operator_id, convention_id, act_record_id, party, act_id, decision_date, transmission_date,
    publication_date, transmission_state, publicity, failure_date, failure_reason, revision, create_time, update_time)
VALUES
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000011',
     '00000000-0000-0000-0000-000000000041', 'AUTHORITY', '062-200033579-20250925-25C120-DE', '2025-09-25',
     '2025-10-03', '2025-10-06', 'TRANSMITTED', 'PUBLICATION', NULL, NULL, 2, '2025-10-07', '2025-10-07'),
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000011',
     '00000000-0000-0000-0000-000000000042', 'OPERATOR', '062-216202630-20250929-25D045-DE', '2025-09-29',
     '2025-10-06', '2025-10-06', 'REFUSED', 'PUBLICATION', '2025-10-08', 'Illisible', 2, '2025-10-07', '2025-10-08');
";

#[tokio::test]
async fn what_is_in_force_has_its_first_version_and_the_envelope_is_released() {
    let before = MIGRATOR.iter().filter(|migration| migration.version < 6);
    let before = Migrator {
        migrations: Cow::Owned(before.cloned().collect()),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = TestDb::create("versions", &before).await;
    let owner = db.owner().await;
    let none = ", plan_revision, paid_amount, plan_settled";
    let statements = [
        SETTING.to_owned(),
        convention(0, "DRAFT", none, ", 0, 0, false"),
        // In force: all of it; reduced: its ceiling; terminated: what was spent, or the whole while no report says.
        signed(1, "IN_FORCE", 9_200, "", ""),
        signed(2, "IN_FORCE", 0, ", reduced_amount", ", 10000"),
        signed(3, "IN_FORCE", 2_300, "", ""),
        report(3),
        terminated(3, 3_000),
        signed(4, "IN_FORCE", 9_200, "", ""),
        terminated(4, 0),
        // Settled under a ceiling: what was paid.
        signed(
            5,
            "IN_FORCE",
            9_200,
            ", reduced_amount, completion_date, settle_time",
            ", 9200, NULL, NULL",
        ),
        report(5),
        "UPDATE convention
         SET state = 'SETTLED', completion_date = '2025-10-20', settle_time = '2025-10-21', plan_settled = true
         WHERE convention_id = '00000000-0000-0000-0000-000000000015'"
            .to_owned(),
        ACTS.to_owned(),
    ];
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.as_str()))
            .execute(&owner)
            .await
            .unwrap();
    }
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();

    let versions: Vec<i32> =
        sqlx::query_scalar("SELECT version FROM convention ORDER BY convention_id")
            .fetch_all(&owner)
            .await
            .unwrap();
    assert_eq!(versions, [0, 1, 1, 1, 1, 1]);
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM convention_version JOIN convention USING (operator_id, convention_id, version,
             grant_amount, instalment_shares, commitment_texts, operator_decision_date, operator_sign_time,
             authority_signed_by, in_force_time)",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(kept, 5);
    let row = sqlx::query(
        "SELECT act_parties, act_ids, act_enforceable_dates::text[] AS days FROM convention_version
         WHERE convention_id = '00000000-0000-0000-0000-000000000011'",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(
        row.get::<Vec<String>, _>("act_parties"),
        ["AUTHORITY", "OPERATOR"]
    );
    assert_eq!(
        row.get::<Vec<String>, _>("act_ids"),
        [
            "062-200033579-20250925-25C120-DE",
            "062-216202630-20250929-25D045-DE"
        ]
    );
    assert_eq!(
        row.get::<Vec<Option<String>>, _>("days"),
        [Some("2025-10-06".to_owned()), None]
    );
    let engaged: String = sqlx::query_scalar("SELECT engaged_amount::text FROM envelope")
        .fetch_one(&owner)
        .await
        .unwrap();
    // 11 500 + 10 000 + 3 000 + 11 500 + 9 200.
    assert_eq!(engaged, "45200.00");
    let held: String = sqlx::query_scalar("SELECT sum(engaged_amount)::text FROM convention")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(held, engaged);
    // Nothing was to be achieved in figures.
    for table in ["convention", "convention_version"] {
        let targets: Vec<Vec<i32>> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT targets FROM {table}")))
                .fetch_all(&owner)
                .await
                .unwrap();
        assert!(targets.len() >= 5 && targets.iter().all(|it| *it == [0, 0, 0]));
    }
}
