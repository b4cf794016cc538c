//! The chain of security events, on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::{Arc, LazyLock};

use nonrecours_pg::{Db, Link};
use nonrecours_rpc::audit::{Audit, Counted, Kind};
use nonrecours_testkit::{ManualClock, TestDb, clock};
use sqlx::{AssertSqlSafe, migrate::Migrator};
use time::Duration;

const SERVICE: &str = "mechanics";

/// A service without tables of its own.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(Vec::new());
    migrator.dangerous_set_table_name("_migrations");
    migrator
});

fn events(clock: &ManualClock, subjects: &[&str]) -> Vec<Counted> {
    let audit = Audit::new(Arc::new(clock.clone()));
    for subject in subjects {
        audit.note(Kind::RoleMissing, "", subject, "a.B/C");
    }
    audit.take()
}

async fn broken(db: &Db, anchor: Option<Link>) -> Option<i64> {
    db.verify_security_events(SERVICE, anchor)
        .await
        .unwrap()
        .broken
}

#[tokio::test]
async fn a_chain_shows_what_was_altered_removed_inserted_or_cut_off() {
    let clock = clock();
    for (damage, anchored, first) in [
        (
            "UPDATE security_event SET subject = 'x' WHERE number = 4",
            false,
            4,
        ),
        (
            "UPDATE security_event SET count = 2 WHERE number = 2",
            false,
            2,
        ),
        (
            "UPDATE security_event SET last_time = last_time + '1 second' WHERE number = 6",
            false,
            6,
        ),
        ("DELETE FROM security_event WHERE number = 3", false, 3),
        (
            "UPDATE security_event SET number = 7 WHERE number = 5",
            false,
            5,
        ),
        ("DELETE FROM security_event WHERE number > 4", true, 5),
    ] {
        let database = TestDb::create(SERVICE, &MIGRATOR).await;
        let db = database.db(clock.clone()).await;
        for subjects in [["a", "b", "c"], ["a", "b", "d"]] {
            clock.advance(Duration::minutes(1));
            let head = db
                .keep_security_events(SERVICE, &events(&clock, &subjects))
                .await;
            assert_eq!(head.unwrap().number % 3, 0);
        }
        let verified = db.verify_security_events(SERVICE, None).await.unwrap();
        assert_eq!((verified.start, verified.broken), (Link::START, None));
        assert_eq!(verified.head.number, 6);
        assert_eq!(broken(&db, Some(verified.head)).await, None);
        let owner = database.owner().await;
        sqlx::query(AssertSqlSafe(damage))
            .execute(&owner)
            .await
            .unwrap();
        let anchor = anchored.then_some(verified.head);
        assert_eq!(broken(&db, anchor).await, Some(first), "{damage}");
    }
}

#[tokio::test]
async fn two_instances_make_one_chain() {
    let clock = clock();
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let (one, other) = (
        database.db(clock.clone()).await,
        database.db(clock.clone()).await,
    );
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let db = if number % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        let events = events(&clock, &["a", "b"]);
        writers.spawn(async move { db.keep_security_events(SERVICE, &events).await });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap().unwrap();
    }
    let verified = one.verify_security_events(SERVICE, None).await.unwrap();
    assert_eq!((verified.head.number, verified.broken), (40, None));
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_chain_goes_on() {
    let clock = clock();
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock.clone()).await;
    db.keep_security_events(SERVICE, &events(&clock, &["a", "b", "c"]))
        .await
        .unwrap();
    clock.advance(Duration::days(10));
    db.keep_security_events(SERVICE, &events(&clock, &["d"]))
        .await
        .unwrap();
    let before = nonrecours_kernel::Clock::now(&clock) - Duration::days(1);

    // Nobody but a checkpoint lets go of an event, and nobody changes one.
    let app = database.app().await;
    let gone = sqlx::query("DELETE FROM security_event")
        .execute(&app)
        .await
        .unwrap();
    assert_eq!(gone.rows_affected(), 0);
    assert!(
        sqlx::query("UPDATE security_event SET count = 2")
            .execute(&app)
            .await
            .is_err()
    );

    assert_eq!(db.purge_security_events(SERVICE, before).await.unwrap(), 3);
    assert_eq!(db.purge_security_events(SERVICE, before).await.unwrap(), 0);
    let head = db
        .keep_security_events(SERVICE, &events(&clock, &["e"]))
        .await
        .unwrap();
    let verified = db
        .verify_security_events(SERVICE, Some(head))
        .await
        .unwrap();
    assert_eq!(
        (verified.start.number, verified.head, verified.broken),
        (3, head, None)
    );
    assert_eq!(head.number, 5);
    // All of it purged: the chain still goes on.
    clock.advance(Duration::days(400));
    let now = nonrecours_kernel::Clock::now(&clock);
    assert_eq!(db.purge_security_events(SERVICE, now).await.unwrap(), 2);
    let head = db
        .keep_security_events(SERVICE, &events(&clock, &["f"]))
        .await
        .unwrap();
    assert_eq!(head.number, 6);
    assert_eq!(broken(&db, None).await, None);
}
