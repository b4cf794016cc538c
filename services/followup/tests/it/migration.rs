//! A database with data of the first schema, brought up to date.

use std::borrow::Cow;

use nonrecours_followup::{
    MIGRATOR,
    convention::{Convention, Terms, store},
};
use nonrecours_kernel::{Money, Scope};
use nonrecours_testkit::{TestDb, clock};
use sqlx::{AssertSqlSafe, migrate::Migrator};

/// A person with a right opened and renewable, as the first schema held them.
const DATA: &str = "
INSERT INTO convention VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000003', 4, true,
    '2025-10-07');
INSERT INTO feed_cursor VALUES ('conventions', '1:2:3', '2025-10-07');
INSERT INTO beneficiary VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',
    '00000000-0000-0000-0000-000000000003', 'B1', '{SENIOR}', '62263', NULL, 'IN_SUPPORT', NULL, '2025-10-01', 0, 1,
    '2025-10-07', '2025-10-07');
INSERT INTO entitlement VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000004',
    '00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 'E1', 'RSA', 'OPENED', 600,
    'NOTIFIED', 'MONTHLY', '2025-10-02', '2025-10-05', '2026-01-01', NULL, NULL, 0, 1, '2025-10-07', '2025-10-07');
";

#[tokio::test]
async fn what_the_first_schema_holds_keeps_its_meaning() {
    let first = MIGRATOR.iter().filter(|migration| migration.version == 1);
    let first = Migrator {
        migrations: Cow::Owned(first.cloned().collect()),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = TestDb::create("followup_first", &first).await;
    let owner = db.owner().await;
    sqlx::raw_sql(AssertSqlSafe(DATA))
        .execute(&owner)
        .await
        .unwrap();
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();

    // A right opened before starts were kept has none: when it started is not known.
    let right: (String, Option<time::Date>, Option<time::Date>) =
        sqlx::query_as("SELECT state, renewal_date, start_date FROM entitlement")
            .fetch_one(&owner)
            .await
            .unwrap();
    assert_eq!(
        right,
        (
            "OPENED".to_owned(),
            Some(time::macros::date!(2026 - 01 - 01)),
            None
        )
    );
    // What was there before roll-ups is counted in them.
    let counted: (i64, i64, bool) = sqlx::query_as(
        "SELECT persons_spotted, entitlements_opened, amount_notified = 7200 FROM indicator_rollup
         WHERE dimension = 'TOTAL' AND month = '2025-10-01'",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(counted, (1, 1, true));
    // Records and what erased ones leave are counted together; nobody is erased, held or announced yet.
    let together: (i64, i64, i32) = sqlx::query_as(
        "SELECT (SELECT sum(persons_spotted)::bigint FROM indicator_contribution WHERE dimension = 'TOTAL'),
                (SELECT count(*) FROM indicator_residue),
                (SELECT extract(year FROM due_date)::int FROM retention WHERE NOT is_held AND notice_id IS NULL)",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(together, (1, 0, 2027));
    // A person of before has no identity, hence no pseudonym: they count as one.
    let alone: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM beneficiary LEFT JOIN identity USING (operator_id, beneficiary_id)
         WHERE identity.beneficiary_id IS NULL",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(alone, 1);
    // What was told of the convention is told again, and fills in what was not kept; the same once more changes nothing.
    let cursor: String = sqlx::query_scalar("SELECT cursor FROM feed_cursor")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(cursor, "");
    let opened = db.db(clock()).await;
    for (due, kept) in [(1_150_000, "11500.00"), (1_200_000, "11500.00")] {
        let told = Convention {
            name: "operators/00000000-0000-0000-0000-000000000001/conventions/00000000-0000-0000-0000-000000000003"
                .parse()
                .unwrap(),
            revision: 4,
            in_force: true,
            terms: Terms {
                signed: true,
                budget_year: 2025,
                due: Money::from_cents(due),
                targets: [120, 60, 45],
            },
        };
        let mut tx = opened.begin(&Scope::of_service("followup")).await.unwrap();
        store::learn(&mut tx, &told).await.unwrap();
        tx.commit().await.unwrap();
        let due: String = sqlx::query_scalar("SELECT due_amount::text FROM convention")
            .fetch_one(&owner)
            .await
            .unwrap();
        assert_eq!(due, kept);
    }
    // The new rule holds for what comes.
    let early = "UPDATE entitlement SET start_date = '2026-01-02'";
    let refused = sqlx::query(early).execute(&owner).await.unwrap_err();
    assert_eq!(
        refused
            .as_database_error()
            .and_then(|error| error.constraint()),
        Some("entitlement_start")
    );
}
