//! A database with a convention of before formal notices, decisions and disputes, brought to this version.

use std::borrow::Cow;

use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{Row as _, migrate::Migrator};

/// A convention in force, as the first version stored it.
const FIRST_DATA: &str = "
    INSERT INTO programme
    VALUES ('01980000-0000-7000-8000-000000000001', 'TZNR', 'CUA', '20003357900018', '{62263}', 1,
            '2025-09-25T16:00Z', '2025-09-25T16:00Z');
    INSERT INTO framework_convention
    VALUES ('01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002', 'Convention-cadre',
            '2025-09-25', 1, '2025-09-25T16:00Z', '2025-09-25T16:00Z');
    INSERT INTO operator
    VALUES ('01980000-0000-7000-8000-000000000003', 'Commune de Dainville', '21620263000010', 'COMMUNE', '62263',
            'Place de la Mairie', 1, '2025-09-25T16:00Z', '2025-09-25T16:00Z');
    INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
        grant_amount, instalment_kinds, instalment_shares, advance_without_call, target_publics, objectives,
        commitment_codes, commitment_texts, indicative_end_date, authority_signatory_name,
        authority_signatory_capacity, authority_decision_date, operator_signatory_name, operator_signatory_capacity,
        operator_decision_date, state, authority_sign_time, authority_signed_by, operator_sign_time,
        operator_signed_by, in_force_time, plan_revision, paid_amount, plan_settled, revision, create_time,
        update_time)
    VALUES ('01980000-0000-7000-8000-000000000003', '01980000-0000-7000-8000-000000000004',
        '01980000-0000-7000-8000-000000000001', '01980000-0000-7000-8000-000000000002', 'Convention 2025', 2025,
        11500, '{ADVANCE,BALANCE}', '{0.8,0.2}', false, '{SENIOR}', '{Repérer}', '{MISSIONS}',
        '{Remplir les missions}', '2025-12-31', 'F. LETURQUE', 'Président', '2025-09-25', 'F. ROSSIGNOL', 'Maire',
        '2025-09-29', 'IN_FORCE', '2025-10-07T09:00Z', 'x', '2025-10-07T09:00Z', 'y', '2025-10-07T09:00Z', 2, 9200,
        false, 3, '2025-09-25T16:00Z', '2025-10-07T09:00Z')";

/// A database of the first version, with its data.
pub async fn first(name: &'static str) -> TestDb {
    let first = MIGRATOR.iter().filter(|migration| migration.version == 1);
    let first = Migrator {
        migrations: Cow::Owned(first.cloned().collect()),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = TestDb::create(name, &first).await;
    let owner = db.owner().await;
    sqlx::raw_sql(FIRST_DATA).execute(&owner).await.unwrap();
    db
}

#[tokio::test]
async fn a_convention_of_the_first_version_goes_on_as_it_was() {
    let db = first("ending").await;
    let owner = db.owner().await;
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    let row = sqlx::query(
        "SELECT state, suspended, reduced_amount IS NULL AS whole, recover_amount = 0 AS unclaimed, open_disputes,
                paid_amount = 9200 AS paid, revision
         FROM convention",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(row.get::<String, _>("state"), "IN_FORCE");
    assert!(!row.get::<bool, _>("suspended"));
    for kept in ["whole", "unclaimed", "paid"] {
        assert!(row.get::<bool, _>(kept), "{kept}");
    }
    assert_eq!(row.get::<i32, _>("open_disputes"), 0);
    assert_eq!(row.get::<i64, _>("revision"), 3);
    // Nothing of it was claimed back.
    let claimed: bool = sqlx::query_scalar(
        "SELECT recovery_claimed_amount + recovered_amount + recovery_written_off_amount > 0 FROM convention",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert!(!claimed);
    let beyond =
        sqlx::query("UPDATE convention SET recovery_claimed_amount = 1, recovered_amount = 2")
            .execute(&owner)
            .await
            .unwrap_err()
            .into_database_error()
            .unwrap();
    assert_eq!(beyond.constraint(), Some("convention_recovered"));
    // And its state machine is the new one.
    let broken = sqlx::query("UPDATE convention SET state = 'TERMINATED'")
        .execute(&owner)
        .await
        .unwrap_err()
        .into_database_error()
        .unwrap();
    assert_eq!(broken.constraint(), Some("convention_termination"));
}
