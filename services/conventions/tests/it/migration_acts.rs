//! A database with data of the first schema, brought up to date.

use std::borrow::Cow;

use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{AssertSqlSafe, Row as _, migrate::Migrator};

/// A convention in two advances and a balance, an act transmitted and published and one that is not sent.
const DATA: &str = "
INSERT INTO programme VALUES ('00000000-0000-0000-0000-000000000001', 'TZNR', 'CUA', '20003357900018', '{}', 1,
    '2025-10-01', '2025-10-01');
INSERT INTO framework_convention VALUES ('00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-000000000002', 'Cadre', '2025-09-25', 1, '2025-10-01', '2025-10-01');
INSERT INTO operator VALUES ('00000000-0000-0000-0000-000000000003', 'Dainville', '21620263000010', 'COMMUNE', '62263',
    'Mairie', 1, '2025-10-01', '2025-10-01');
INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
    grant_amount, instalment_kinds, instalment_shares, advance_without_call, target_publics, objectives,
    commitment_codes, commitment_texts, indicative_end_date, state, plan_revision, paid_amount, plan_settled, revision,
    create_time, update_time)
VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000004',
    '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'Convention 2025', 2025, 11500,
    '{ADVANCE,ADVANCE,BALANCE}', '{0.5,0.3,0.2}', false, '{SENIOR}', '{a}', '{A}', '{a}', '2025-12-31', 'DRAFT', 0, 0,
    false, 1, '2025-10-01', '2025-10-01');
INSERT INTO act VALUES
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000004',
     '00000000-0000-0000-0000-000000000005', 'AUTHORITY', '062-200033579-20250925-25C120-DE', '2025-09-25',
     '2025-10-06', '2025-10-06', 1, '2025-10-07', '2025-10-07'),
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000004',
     '00000000-0000-0000-0000-000000000006', 'OPERATOR', '062-216202630-20250929-25D045-DE', '2025-09-29',
     NULL, NULL, 1, '2025-10-07', '2025-10-07');
";

#[tokio::test]
async fn what_the_first_schema_holds_keeps_its_meaning() {
    let first = Migrator {
        migrations: Cow::Owned(
            MIGRATOR
                .iter()
                .filter(|migration| migration.version == 1)
                .cloned()
                .collect(),
        ),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = TestDb::create("conventions_first", &first).await;
    let owner = db.owner().await;
    sqlx::raw_sql(AssertSqlSafe(DATA))
        .execute(&owner)
        .await
        .unwrap();
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();

    let acts = sqlx::query("SELECT transmission_state, publicity FROM act ORDER BY act_record_id")
        .fetch_all(&owner)
        .await
        .unwrap();
    let acts: Vec<(String, Option<String>)> = acts
        .iter()
        .map(|row| (row.get("transmission_state"), row.get("publicity")))
        .collect();
    assert_eq!(
        acts,
        [
            ("TRANSMITTED".to_owned(), Some("PUBLICATION".to_owned())),
            ("TO_TRANSMIT".to_owned(), None)
        ]
    );
    let convention = sqlx::query(
        "SELECT instalment_kinds, instalment_conditions, instalment_due_dates::text[] AS due, originals FROM convention",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    let kinds: Vec<String> = convention.get("instalment_kinds");
    let conditions: Vec<Option<String>> = convention.get("instalment_conditions");
    let due: Vec<Option<String>> = convention.get("due");
    assert_eq!(kinds, ["ADVANCE", "INTERIM", "BALANCE"]);
    let stated: Vec<_> = conditions.iter().map(Option::is_some).collect();
    assert_eq!(stated, [false, true, false]);
    assert_eq!(due, [None, None, None]);
    assert_eq!(convention.get::<i16, _>("originals"), 3);
}
