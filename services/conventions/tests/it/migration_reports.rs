//! A database with reports handed in before versions were kept, brought to this version: the outbox has them all.

use std::borrow::Cow;

use nonrecours_contracts::conventions::ActivityReport;
use nonrecours_conventions::MIGRATOR;
use nonrecours_testkit::clock;
use prost::Message as _;
use sqlx::{PgPool, Row as _, migrate::Migrator};

use crate::migration_ending::first;

/// The migration that keeps versions.
const VERSIONS: i64 = 9;
const OPERATOR: &str = "01980000-0000-7000-8000-000000000003";
const CONVENTION: &str = "01980000-0000-7000-8000-000000000004";
const REPORT: &str = "01980000-0000-7000-8000-000000000005";

/// A convention in force with a report that was returned, corrected, handed in again and returned once more.
const DATA: &str = "
    INSERT INTO activity_report (operator_id, convention_id, activity_report_id, narrative, spent_amount,
        persons_spotted, persons_supported, entitlements_opened, yearly_amount_opened, sessions_held, public_codes,
        public_spotted, public_supported, public_opened, public_amounts, paid_amount, state, submit_time, decide_time,
        correction, revision, create_time, update_time)
    VALUES ('01980000-0000-7000-8000-000000000003', '01980000-0000-7000-8000-000000000004',
        '01980000-0000-7000-8000-000000000005', 'b', 2, 0, 0, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', 0, 'RETURNED',
        '2026-01-12T09:00Z', '2026-01-13T09:00Z', 'Encore.', 6, '2026-01-10T09:00Z', '2026-01-13T09:00Z')";

async fn told(owner: &PgPool, kind: &str, actor: &str, why: &str, narrative: &str) {
    let snapshot = ActivityReport {
        narrative: narrative.to_owned(),
        ..ActivityReport::default()
    };
    sqlx::query(
        "INSERT INTO outbox (operator_id, era, resource, revision, kind, actor, occur_time, traceparent, type_url,
                             snapshot, why)
         VALUES ($1::uuid, 1, $2, 1, $3, $4, '2026-01-11T09:00Z', '', 'x', $5, $6)",
    )
    .bind(OPERATOR)
    .bind(format!(
        "operators/{OPERATOR}/conventions/{CONVENTION}/activityReports/{REPORT}"
    ))
    .bind(kind)
    .bind(actor)
    .bind(snapshot.encode_to_vec())
    .bind(why)
    .execute(owner)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_was_handed_in_before_is_read_from_the_outbox() {
    let before = MIGRATOR
        .iter()
        .filter(|migration| migration.version < VERSIONS);
    let before = Migrator {
        migrations: Cow::Owned(before.cloned().collect()),
        table_name: MIGRATOR.table_name.clone(),
        ..Migrator::DEFAULT
    };
    let db = first("unversioned").await;
    nonrecours_pg::migrate(db.owner_url(), &before, &clock())
        .await
        .unwrap();
    let owner = db.owner().await;
    sqlx::raw_sql(DATA).execute(&owner).await.unwrap();
    // The first answer is of before reasons were kept apart.
    for (kind, actor, why, narrative) in [
        ("activity_report.drafted", "manager", "", "a"),
        ("activity_report.submitted", "manager", "", "a"),
        ("activity_report.returned", "officer", "", "a"),
        ("activity_report.updated", "manager", "", "b"),
        ("activity_report.submitted", "deputy", "", "b"),
        ("activity_report.returned", "officer", "Encore.", "b"),
    ] {
        told(&owner, kind, actor, why, narrative).await;
    }
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    let rows = sqlx::query(
        "SELECT version_number, report, submitted_by, verdict, decided_by, correction
         FROM activity_report_version
         JOIN activity_report_verdict USING (operator_id, convention_id, activity_report_id, version_number)
         ORDER BY version_number",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    let found: Vec<(i32, String, String, String, String, String)> = rows
        .iter()
        .map(|row| {
            let report = ActivityReport::decode(row.get::<&[u8], _>("report")).unwrap();
            (
                row.get("version_number"),
                report.narrative,
                row.get("submitted_by"),
                row.get("verdict"),
                row.get("decided_by"),
                row.get("correction"),
            )
        })
        .collect();
    let row = |number, narrative: &str, by: &str| {
        (
            number,
            narrative.to_owned(),
            by.to_owned(),
            "RETURNED".to_owned(),
            "officer".to_owned(),
            "Encore.".to_owned(),
        )
    };
    assert_eq!(found, [row(1, "a", "manager"), row(2, "b", "deputy")]);
}
