//! The outbox and the answers already given, on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::HashSet,
    future::Future as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use nonrecours_contracts::conventions::{CompleteActionsRequest, Operator as OperatorMessage};
use nonrecours_kernel::{Caller, OperatorId, Role, Scope};
use nonrecours_pg::{Change, Cursor, Db, Entry, Error, MigrateError, REPLAY_RETENTION};
use nonrecours_testkit::{TestDb, clock, ids, request_id};
use prost::Name as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::migrate::Migrator;

const SERVICE: &str = "mechanics";

/// A service without tables of its own.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(Vec::new());
    migrator.dangerous_set_table_name("_migrations");
    migrator
});

/// Longest wait for what must come.
const LIMIT: Duration = Duration::from_secs(20);

fn all() -> Scope {
    Scope::of_service(SERVICE)
}

fn change(name: &str, revision: i64, operator: Option<OperatorId>) -> Change<'_> {
    Change {
        kind: "thing.changed",
        operator,
        name,
        revision,
    }
}

/// Any message will do.
fn snapshot(name: &str) -> OperatorMessage {
    OperatorMessage {
        name: name.to_owned(),
        ..Default::default()
    }
}

async fn everything(db: &Db) -> Vec<(Cursor, String)> {
    let mut tx = db.read(&all()).await.unwrap();
    let changes = tx.changes_after(Cursor::default(), 100_000).await.unwrap();
    changes
        .into_iter()
        .map(|change| (change.cursor, change.resource))
        .collect()
}

/// The whole feed once it holds `count` changes: a transaction of another test's database moves the horizon too.
async fn settled(db: &Db, count: usize) -> Vec<(Cursor, String)> {
    tokio::time::timeout(LIMIT, async {
        loop {
            let changes = everything(db).await;
            if changes.len() >= count {
                return changes;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap()
}

fn names(changes: &[(Cursor, String)]) -> Vec<&str> {
    changes.iter().map(|(_, name)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_skips_no_late_commit_and_sees_nothing_twice() {
    const WRITERS: u64 = 12;
    const EACH: u64 = 40;
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = Db::connect(
        &nonrecours_pg::DbOptions {
            max_connections: 16,
            ..database.options()
        },
        Arc::new(clock()),
    )
    .await
    .unwrap();

    // Unknown until all writers are done.
    let expected = Arc::new(AtomicUsize::new(usize::MAX));
    let follower = {
        let (db, expected) = (db.clone(), Arc::clone(&expected));
        tokio::spawn(async move {
            let (mut cursor, mut seen) = (Cursor::default(), Vec::new());
            while seen.len() < expected.load(Ordering::SeqCst) {
                let mut tx = db.read(&all()).await.unwrap();
                for change in tx.changes_after(cursor, 7).await.unwrap() {
                    assert!(change.cursor > cursor, "the feed never goes back");
                    cursor = change.cursor;
                    seen.push(change.resource);
                }
            }
            let mut tx = db.read(&all()).await.unwrap();
            assert!(
                tx.changes_after(cursor, 7).await.unwrap().is_empty(),
                "nothing twice"
            );
            seen
        })
    };

    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let db = db.clone();
        writers.spawn(async move {
            let mut random = StdRng::seed_from_u64(writer);
            let mut committed = Vec::new();
            for number in 0..EACH {
                let mut tx = db.begin(&all()).await.unwrap();
                let name = format!("things/{writer}-{number}");
                tx.record(change(&name, 1, None), &snapshot(&name))
                    .await
                    .unwrap();
                // Transactions overlap in every order: some stay open while others begin and commit.
                if random.random_bool(0.5) {
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..15))).await;
                }
                if random.random_bool(0.2) {
                    drop(tx);
                } else {
                    tx.commit().await.unwrap();
                    committed.push(name);
                }
            }
            committed
        });
    }
    let committed: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
    expected.store(committed.len(), Ordering::SeqCst);
    let seen = tokio::time::timeout(LIMIT, follower)
        .await
        .expect("a change that was skipped never comes")
        .unwrap();

    assert!(
        committed.len() > 300,
        "some must commit: {}",
        committed.len()
    );
    assert_eq!(
        seen.len(),
        committed.len(),
        "nothing skipped, nothing twice"
    );
    assert_eq!(
        seen.iter().collect::<HashSet<_>>(),
        committed.iter().collect::<HashSet<_>>()
    );
}

#[tokio::test]
async fn a_change_waits_for_the_older_transaction_that_still_runs() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let mut early = db.begin(&all()).await.unwrap();
    early
        .record(change("things/early", 1, None), &snapshot("early"))
        .await
        .unwrap();
    let mut late = db.begin(&all()).await.unwrap();
    late.record(change("things/late", 1, None), &snapshot("late"))
        .await
        .unwrap();
    late.commit().await.unwrap();
    assert_eq!(
        everything(&db).await,
        [],
        "late is committed, but early may still come before it"
    );
    early.commit().await.unwrap();
    assert_eq!(
        names(&settled(&db, 2).await),
        ["things/early", "things/late"]
    );
}

#[tokio::test]
async fn a_change_behind_a_running_transaction_is_measured_with_its_age() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let clock = clock();
    let db = database.db(clock.clone()).await;
    let mut older = db.begin(&all()).await.unwrap();
    older
        .record(change("older", 1, None), &snapshot("older"))
        .await
        .unwrap();
    let mut younger = db.begin(&all()).await.unwrap();
    younger
        .record(change("younger", 1, None), &snapshot("younger"))
        .await
        .unwrap();
    younger.commit().await.unwrap();
    clock.advance(Duration::from_secs(90));
    let measured = db.measure(SERVICE).await.unwrap();
    assert_eq!(measured.hidden_changes, 1);
    assert_eq!(measured.hidden_for, Duration::from_secs(90));
    assert!(measured.connections > measured.idle_connections);
    older.commit().await.unwrap();
    // A transaction of another test's database hides changes too, while it lasts.
    settled(&db, 2).await;
    let shown = tokio::time::timeout(LIMIT, async {
        while db.measure(SERVICE).await.unwrap().hidden_changes > 0 {
            tokio::task::yield_now().await;
        }
    });
    shown.await.unwrap();
}

#[tokio::test]
async fn changes_of_one_statement_keep_their_order() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let written: Vec<String> = (0..500).map(|number| format!("things/{number}")).collect();
    let entries: Vec<Entry> = written
        .iter()
        .map(|name| Entry::new(change(name, 1, None), &snapshot(name)))
        .collect();
    let mut tx = db.begin(&all()).await.unwrap();
    tx.record_all(&entries).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(names(&settled(&db, 500).await), written);
}

#[tokio::test]
async fn changes_of_several_operators_kinds_and_types_are_each_written_as_they_are() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let clock = clock();
    let ids = ids(&clock, 3);
    let db = database.db(clock).await;
    let (one, two): (OperatorId, OperatorId) = (ids.next(), ids.next());
    let of = |operator, kind, name| Change {
        kind,
        operator,
        name,
        revision: 7,
    };
    let other = CompleteActionsRequest::default();
    let entries = [
        Entry::new(of(Some(one), "thing.made", "a"), &snapshot("a")),
        Entry::new(of(Some(one), "thing.changed", "b"), &snapshot("b")),
        Entry::new(of(Some(two), "thing.changed", "c"), &snapshot("c")),
        Entry::new(of(Some(two), "thing.changed", "d"), &other),
        Entry::new(of(None, "thing.made", "e"), &snapshot("e")),
        Entry::new(of(Some(one), "thing.made", "f"), &snapshot("f")),
    ];
    let mut tx = db.begin(&all()).await.unwrap();
    tx.record_all(&entries).await.unwrap();
    tx.commit().await.unwrap();
    let written: Vec<(String, uuid::Uuid, String, String, i64)> = sqlx::query_as(
        "SELECT resource, operator_id, kind, type_url, revision FROM outbox ORDER BY position",
    )
    .fetch_all(&database.owner().await)
    .await
    .unwrap();
    let (thing, none) = (OperatorMessage::type_url(), uuid::Uuid::nil());
    let expected = [
        ("a", one.uuid(), "thing.made", &thing),
        ("b", one.uuid(), "thing.changed", &thing),
        ("c", two.uuid(), "thing.changed", &thing),
        (
            "d",
            two.uuid(),
            "thing.changed",
            &CompleteActionsRequest::type_url(),
        ),
        ("e", none, "thing.made", &thing),
        ("f", one.uuid(), "thing.made", &thing),
    ]
    .map(|(name, operator, kind, url)| {
        (name.to_owned(), operator, kind.to_owned(), url.clone(), 7)
    });
    assert_eq!(written, expected);
}

#[tokio::test]
async fn an_operator_sees_its_own_changes_only() {
    let clock = clock();
    let ids = ids(&clock, 1);
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock).await;
    let (mine, other): (OperatorId, OperatorId) = (ids.next(), ids.next());
    let mut tx = db.begin(&all()).await.unwrap();
    for (name, operator) in [("a", Some(mine)), ("b", Some(other)), ("c", None)] {
        tx.record(change(name, 1, operator), &snapshot(name))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();

    settled(&db, 3).await;
    let caller = Caller::new("me", "Me", [Role::OperatorAgent], Some(mine)).unwrap();
    let mut tx = db.read(&caller.scope()).await.unwrap();
    let seen = tx.changes_after(Cursor::default(), 10).await.unwrap();
    assert_eq!(
        seen.iter()
            .map(|change| change.resource.as_str())
            .collect::<Vec<_>>(),
        ["a"]
    );
    // Outside any scope, the application role sees nothing at all, and writes nothing for another operator.
    let app = database.app().await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&app)
        .await
        .unwrap();
    assert_eq!(count, 0);
    let mut tx = db.begin(&caller.scope()).await.unwrap();
    let foreign = tx.record(change("d", 1, Some(other)), &snapshot("d")).await;
    assert!(matches!(foreign, Err(Error::Database(_))), "{foreign:?}");
}

#[tokio::test]
async fn history_is_the_resource_and_what_lies_below() {
    let clock = clock();
    let ids = ids(&clock, 2);
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock).await;
    let operator: OperatorId = ids.next();
    let mut tx = db.begin(&all()).await.unwrap();
    for name in ["x/1", "x/1/y/2", "x/10", "x/1/y/2"] {
        tx.record(change(name, 1, Some(operator)), &snapshot(name))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = db.read(&all()).await.unwrap();
    let first = tx.history(Some(operator), "x/1", 0, 2).await.unwrap();
    let last = first.last().unwrap().cursor.position;
    let rest = tx.history(Some(operator), "x/1", last, 10).await.unwrap();
    let read: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|change| change.resource.as_str())
        .collect();
    assert_eq!(read, ["x/1", "x/1/y/2", "x/1/y/2"]);
    assert_eq!(first[0].actor, "service:mechanics");
}

#[tokio::test]
async fn a_database_restored_into_another_cluster_goes_on_where_followers_stand() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let mut tx = db.begin(&all()).await.unwrap();
    tx.record(change("before", 1, None), &snapshot("before"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    settled(&db, 1).await;

    // What a logical dump restored into a fresh cluster looks like: other system identifier, and transaction ids far
    // above those that the new cluster will give out.
    let owner = database.owner().await;
    sqlx::query("UPDATE feed_era SET system_identifier = system_identifier - 1")
        .execute(&owner)
        .await
        .unwrap();
    sqlx::query("UPDATE outbox SET xid = (xid::text::bigint + 1000000000)::text::xid8")
        .execute(&owner)
        .await
        .unwrap();
    assert_eq!(
        everything(&db).await,
        [],
        "the trap: what was there is behind a horizon it will not reach"
    );
    let refused = db.check_schema(&MIGRATOR).await;
    assert!(
        matches!(refused, Err(MigrateError::Schema(_))),
        "not served before `migrate`"
    );

    nonrecours_pg::migrate(database.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    db.check_schema(&MIGRATOR).await.unwrap();
    let stands = settled(&db, 1).await;
    let mut tx = db.begin(&all()).await.unwrap();
    tx.record(change("after", 1, None), &snapshot("after"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    settled(&db, 2).await;
    // A follower that stood at the last change before the restore gets exactly what came after.
    let mut tx = db.read(&all()).await.unwrap();
    let after = tx.changes_after(stands[0].0, 10).await.unwrap();
    assert_eq!(
        after
            .iter()
            .map(|change| change.resource.as_str())
            .collect::<Vec<_>>(),
        ["after"]
    );
    // Running it again starts no further era.
    nonrecours_pg::migrate(database.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    let eras: i64 = sqlx::query_scalar("SELECT count(*) FROM feed_era")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(eras, 2);
}

fn request(id: &str, name: &str) -> CompleteActionsRequest {
    CompleteActionsRequest {
        name: name.to_owned(),
        request_id: id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_same_request_is_answered_once_and_another_under_its_id_is_refused() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let clock = clock();
    let db = database.db(clock.clone()).await;
    let id = request_id();
    let first = request(&id, "a");
    let mut tx = db.begin(&all()).await.unwrap();
    assert_eq!(tx.replay::<_, OperatorMessage>(&first).await.unwrap(), None);
    tx.finish(&first, change("a", 1, None), snapshot("answer"))
        .await
        .unwrap();

    let mut tx = db.begin(&all()).await.unwrap();
    assert_eq!(tx.replay(&first).await.unwrap(), Some(snapshot("answer")));
    let other = tx.replay::<_, OperatorMessage>(&request(&id, "b")).await;
    assert!(matches!(other, Err(Error::RequestIdReused)));
    // Another caller's id is another id.
    let caller = Caller::new("somebody", "S", [Role::Accountant], None).unwrap();
    let mut tx = db.begin(&caller.scope()).await.unwrap();
    assert_eq!(tx.replay::<_, OperatorMessage>(&first).await.unwrap(), None);
    assert_eq!(settled(&db, 1).await.len(), 1);

    // Answers are forgotten after their time, not before.
    clock.advance(REPLAY_RETENTION - time::Duration::seconds(1));
    assert_eq!(db.purge_replays().await.unwrap(), 0);
    clock.advance(time::Duration::seconds(2));
    assert_eq!(db.purge_replays().await.unwrap(), 1);
}

#[tokio::test]
async fn of_two_simultaneous_copies_of_a_request_one_is_done_and_the_other_told_to_come_back() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let message = request(&request_id(), "a");
    let mut one = db.begin(&all()).await.unwrap();
    let mut two = db.begin(&all()).await.unwrap();
    assert_eq!(
        one.replay::<_, OperatorMessage>(&message).await.unwrap(),
        None
    );
    assert_eq!(
        two.replay::<_, OperatorMessage>(&message).await.unwrap(),
        None
    );
    one.finish(&message, change("a", 1, None), snapshot("one"))
        .await
        .unwrap();
    let second = two
        .finish(&message, change("a", 1, None), snapshot("two"))
        .await;
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");
    assert_eq!(settled(&db, 1).await.len(), 1, "the second left nothing");
    let mut again = db.begin(&all()).await.unwrap();
    assert_eq!(again.replay(&message).await.unwrap(), Some(snapshot("one")));
}

#[tokio::test]
async fn a_newer_schema_serves_until_it_takes_away_what_this_program_needs() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    db.check_schema(&MIGRATOR).await.unwrap();
    let owner = database.owner().await;
    let ran = async |version: i64, description: &str| {
        sqlx::query("INSERT INTO _migrations (version, description, success, checksum, execution_time) VALUES ($1, $2, true, '', 0)")
            .bind(version)
            .bind(description)
            .execute(&owner)
            .await
            .unwrap();
    };
    ran(98, "later").await;
    db.check_schema(&MIGRATOR).await.unwrap();
    ran(99, "contract after 98 drop what was there").await;
    let refused = db.check_schema(&MIGRATOR).await;
    assert!(matches!(refused, Err(MigrateError::Schema(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_cancelled_while_its_transaction_begins_leaves_no_open_transaction_behind() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = Db::connect(
        &nonrecours_pg::DbOptions {
            max_connections: 1,
            ..database.options()
        },
        Arc::new(clock()),
    )
    .await
    .unwrap();
    for round in 0..200 {
        // A read is begun and dropped at one of the moments at which it waits, as when its client breaks off.
        let scope = all();
        let mut reading = Box::pin(db.read(&scope));
        let mut waits = 1 + round % 4;
        std::future::poll_fn(|context| match reading.as_mut().poll(context) {
            Poll::Pending if waits > 1 => {
                waits -= 1;
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
        drop(reading);
        // The next user of the only connection writes: in a read-only transaction left open it could not.
        let mut tx = db.begin(&all()).await.unwrap();
        let name = format!("things/{round}");
        tx.record(change(&name, 1, None), &snapshot(&name))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(settled(&db, 200).await.len(), 200, "every commit was one");
}

#[tokio::test]
async fn changes_of_several_requests_in_one_transaction_keep_their_own_traces() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let mut tx = db.begin(&all()).await.unwrap();
    let entry = |name| Entry::new(change(name, 1, None), &snapshot(name));
    tx.record_all(&[entry("a"), entry("b").traced(TRACE.to_owned()), entry("c")])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let traces: Vec<(String, String)> =
        sqlx::query_as("SELECT resource, traceparent FROM outbox ORDER BY position")
            .fetch_all(&database.owner().await)
            .await
            .unwrap();
    let expected = [("a", ""), ("b", TRACE), ("c", "")];
    assert_eq!(
        traces,
        expected.map(|(name, trace)| (name.to_owned(), trace.to_owned()))
    );
}
