//! A database with data of an earlier version is brought to this one.

use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{Row as _, migrate::Migrator};

/// The first version's data: a programme of two communes with one envelope, of which something is engaged.
const BEFORE: [&str; 2] = [
    "INSERT INTO programme VALUES ('0198b2e6-c000-7abc-8def-0123456789ab', 'Territoire', 'Autorité', '20003357900018',
         '{62041,62263}', 1, '2025-09-25T10:00Z', '2025-09-25T10:00Z')",
    "INSERT INTO envelope VALUES ('0198b2e6-c000-7abc-8def-0123456789ab', 2025, 500000.00, 11500.00, 9200.00)",
];

#[tokio::test]
async fn what_was_recorded_before_is_kept() {
    let first = MIGRATOR.iter().filter(|migration| migration.version == 1);
    let mut first = Migrator::with_migrations(first.cloned().collect());
    first.dangerous_set_table_name("_migrations");
    let db = TestDb::create("before", &first).await;
    let owner = db.owner().await;
    for statement in BEFORE {
        sqlx::query(statement).execute(&owner).await.unwrap();
    }
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    let row = sqlx::query(
        "SELECT deviation_rate = 0.1 AND notice_days = 15 AND report_years = '{}' AS settings,
                (SELECT array_agg(insee_code ORDER BY insee_code) FROM territory_commune
                 WHERE valid_from IS NULL AND valid_to IS NULL) AS communes,
                (SELECT count(*) FROM envelope_vote JOIN envelope USING (programme_id, budget_year)
                 WHERE amount = voted_amount AND vote_number = 1 AND record_time = create_time) AS votes,
                (SELECT paid_amount = 9200 FROM envelope) AS paid
         FROM programme",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert!(row.get::<bool, _>("settings"));
    assert_eq!(row.get::<Vec<String>, _>("communes"), ["62041", "62263"]);
    assert_eq!(row.get::<i64, _>("votes"), 1);
    assert!(row.get::<bool, _>("paid"));
}
