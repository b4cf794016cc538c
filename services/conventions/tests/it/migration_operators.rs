//! A database of the first version, with data, brought to this one.

use std::borrow::Cow;

use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{Row as _, migrate::Migrator};

/// A convention in force and a draft, as the first version stored them.
const FIRST_DATA: &str = "
    INSERT INTO programme VALUES ('01980000-0000-7000-8000-000000000001', 'TZNR', 'CUA', '20003357900018', '{62263}', 1,
                                  '2025-09-25T16:00Z', '2025-09-25T16:00Z');
    INSERT INTO framework_convention VALUES ('01980000-0000-7000-8000-000000000001',
        '01980000-0000-7000-8000-000000000002', 'Convention-cadre', '2025-09-25', 1, '2025-09-25T16:00Z',
        '2025-09-25T16:00Z');
    INSERT INTO operator VALUES ('01980000-0000-7000-8000-000000000003', 'Commune de Dainville', '21620263000010',
                                 'COMMUNE', '62263', 'Place de la Mairie', 1, '2025-09-25T16:00Z', '2025-09-25T16:00Z');
    INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
        grant_amount, instalment_kinds, instalment_shares, advance_without_call, target_publics, objectives,
        commitment_codes, commitment_texts, indicative_end_date, authority_signatory_name,
        authority_signatory_capacity, authority_decision_date, operator_signatory_name, operator_signatory_capacity,
        operator_decision_date, state, authority_sign_time, authority_signed_by, operator_sign_time,
        operator_signed_by, in_force_time, plan_revision, paid_amount, plan_settled, revision, create_time,
        update_time)
    SELECT '01980000-0000-7000-8000-000000000003', id, '01980000-0000-7000-8000-000000000001',
        '01980000-0000-7000-8000-000000000002', 'Convention 2025', 2025, 11500, '{ADVANCE,BALANCE}', '{0.8,0.2}', false,
        '{SENIOR}', '{Repérer}', '{MISSIONS,COMMUNICATION}', '{Remplir les missions,Faire état du financement}',
        '2025-12-31', 'Frédéric LETURQUE', 'Président', '2025-09-25', 'Françoise ROSSIGNOL', 'Maire', '2025-09-29',
        state, signed, 'x', signed, 'y', signed, 0, 0, false, 3, '2025-09-25T16:00Z', '2025-10-07T09:00Z'
    FROM (VALUES ('01980000-0000-7000-8000-000000000004'::uuid, 'IN_FORCE', '2025-10-07T09:00Z'::timestamptz))
         AS made (id, state, signed);
    INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
        grant_amount, instalment_kinds, instalment_shares, advance_without_call, target_publics, objectives,
        commitment_codes, commitment_texts, indicative_end_date, state, plan_revision, paid_amount, plan_settled,
        revision, create_time, update_time)
    VALUES ('01980000-0000-7000-8000-000000000003', '01980000-0000-7000-8000-000000000005',
        '01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002', 'Projet', 2025, 100,
        '{BALANCE}', '{1}', false, '{SENIOR}', '{Repérer}', '{MISSIONS}', '{Remplir les missions}', '2025-12-31',
        'DRAFT', 0, 0, false, 1, '2025-09-25T16:00Z', '2025-09-25T16:00Z')";

#[tokio::test]
async fn the_data_of_the_first_version_are_kept_and_completed() {
    let first: Vec<_> = MIGRATOR
        .iter()
        .filter(|migration| migration.version == 1)
        .cloned()
        .collect();
    let first = Migrator {
        migrations: Cow::Owned(first),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = TestDb::create("migration", &first).await;
    let owner = db.owner().await;
    sqlx::raw_sql(FIRST_DATA).execute(&owner).await.unwrap();
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();

    let operator = sqlx::query(
        "SELECT legal_name, rna, cardinality(representative_names) AS representatives FROM operator",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(
        operator.get::<String, _>("legal_name"),
        "Commune de Dainville"
    );
    assert_eq!(operator.get::<Option<String>, _>("rna"), None);
    assert_eq!(operator.get::<i32, _>("representatives"), 0);

    let commitments = sqlx::query(
        "SELECT convention_id::text, code, text, state, due_date::text, revision FROM commitment ORDER BY code",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    let found: Vec<(String, String, String)> = commitments
        .iter()
        .map(|row| {
            assert_eq!(
                row.get::<String, _>("convention_id"),
                "01980000-0000-7000-8000-000000000004"
            );
            assert_eq!(row.get::<String, _>("state"), "PENDING");
            assert_eq!(row.get::<i64, _>("revision"), 1);
            (row.get("code"), row.get("text"), row.get("due_date"))
        })
        .collect();
    let expected = [
        ("COMMUNICATION", "Faire état du financement", "2025-12-31"),
        ("MISSIONS", "Remplir les missions", "2025-12-31"),
    ];
    assert_eq!(
        found,
        expected.map(|(code, text, due)| (code.to_owned(), text.to_owned(), due.to_owned()))
    );
}
