//! Serving and following feeds, over gRPC and on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nonrecours_contracts::{
    conventions::Operator as OperatorMessage,
    feed::{
        Change, ListHistoryRequest, PullChangesRequest,
        change_feed_service_client::ChangeFeedServiceClient,
    },
};
use nonrecours_feed::{ChangeFeed, Follower, Handler, Readers, snapshot};
use nonrecours_kernel::{OperatorId, Scope};
use nonrecours_pg::{Change as Recording, Db, Error, Recorded, Tx};
use nonrecours_rpc::{
    Failure, Server, ServerConfig, auth::Verifier, client::PeerChannel, details::Details,
};
use nonrecours_testkit::{ManualClock, ScriptedFeed, Serving, TestDb, Tokens, clock, ids};
use sqlx::{AssertSqlSafe, migrate::Migrator};
use tokio_util::sync::CancellationToken;
use tonic::Code;

const SERVICE: &str = "mechanics";
/// Longest wait for what must come.
const LIMIT: Duration = Duration::from_secs(20);

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(Vec::new());
    migrator.dangerous_set_table_name("_migrations");
    migrator
});

fn thing(name: &str) -> OperatorMessage {
    OperatorMessage {
        name: name.to_owned(),
        ..Default::default()
    }
}

/// Notes what it applies in memory, and in the follower's own database by recording a consequence.
#[derive(Clone, Default)]
struct Noting {
    applied: Arc<Mutex<Vec<String>>>,
    /// How many more times to fail.
    faults: Arc<AtomicUsize>,
}

impl Handler for Noting {
    async fn apply(&self, tx: &mut Tx, change: &Change) -> Result<(), Failure> {
        let thing: OperatorMessage = snapshot(change)?;
        tx.record(
            Recording {
                kind: "consequence",
                operator: None,
                name: &change.name,
                revision: change.revision,
            },
            &thing,
        )
        .await?;
        let fails = self
            .faults
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        if fails {
            return Err(Failure::bug("told to fail"));
        }
        self.applied.lock().unwrap().push(thing.name);
        Ok(())
    }
}

fn follow(db: &Db, channel: PeerChannel, handler: &Noting, shutdown: &CancellationToken) {
    let follower = Follower {
        service: SERVICE,
        source: "scripted",
        db: db.clone(),
        channel,
        handler: handler.clone(),
    };
    tokio::spawn(follower.run(shutdown.clone()));
}

/// The resources of the consequences in the follower's own outbox, once there are `count`.
async fn consequences(database: &TestDb, count: usize) -> Vec<String> {
    let owner = database.owner().await;
    tokio::time::timeout(LIMIT, async {
        loop {
            let found: Vec<String> =
                sqlx::query_scalar("SELECT resource FROM outbox ORDER BY position")
                    .fetch_all(&owner)
                    .await
                    .unwrap();
            if found.len() >= count {
                return found;
            }
        }
    })
    .await
    .expect("the changes are applied")
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_applied_once_in_order_across_restarts_and_two_followers() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let script = ScriptedFeed::default();
    let source = script.serve().await;
    let handler = Noting::default();
    let names: Vec<String> = (0..350).map(|number| format!("things/{number}")).collect();

    let first = CancellationToken::new();
    follow(&db, source.channel("-".into()), &handler, &first);
    for name in &names[..150] {
        script.push(name, 1, "thing.changed", &thing(name));
    }
    consequences(&database, 150).await;
    first.cancel();

    // Two followers of the same service at once: each change has one effect all the same.
    let second = CancellationToken::new();
    follow(&db, source.channel("-".into()), &handler, &second);
    follow(&db, source.channel("-".into()), &handler, &second);
    for name in &names[150..] {
        script.push(name, 1, "thing.changed", &thing(name));
    }
    assert_eq!(consequences(&database, names.len()).await, names);
    second.cancel();
    let cursor = db.feed_cursor("scripted").await.unwrap();
    assert_eq!(cursor.position, 350);
}

/// Sessions of a database that hold a lead.
const LEADS: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Waits until one instance has the lead.
async fn led(database: &TestDb) {
    let app = database.app().await;
    let waiting = async {
        loop {
            let leads: Vec<i32> = sqlx::query_scalar(LEADS).fetch_all(&app).await.unwrap();
            assert!(leads.len() < 2, "two have the lead");
            if leads.len() == 1 {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, waiting)
        .await
        .expect("one has the lead");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_one_follows_and_the_other_takes_its_place() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let script = ScriptedFeed::default();
    let source = script.serve().await;
    let names: Vec<String> = (0..30).map(|number| format!("things/{number}")).collect();
    // Two instances: a pool, a handler, an end of each.
    let mut instances = Vec::new();
    for _ in 0..2 {
        let (db, handler, end) = (
            database.db(clock()).await,
            Noting::default(),
            CancellationToken::new(),
        );
        follow(&db, source.channel("-".into()), &handler, &end);
        instances.push((db, handler, end));
    }
    let applied = |number: usize| {
        let handler: &Noting = &instances[number].1;
        handler.applied.lock().unwrap().clone()
    };
    let mut done = 0;
    let mut active = None;
    for chunk in names.chunks(10) {
        for name in chunk {
            script.push(name, 1, "thing.changed", &thing(name));
        }
        done += chunk.len();
        assert_eq!(consequences(&database, done).await, names[..done]);
        led(&database).await;
        // Whoever was faster at the start has applied all of them, the other none.
        let now = (0..2).find(|number| applied(*number).contains(&chunk[0]));
        let now = now.expect("one of them applied it");
        assert!(chunk.iter().all(|name| applied(now).contains(name)));
        assert!(!applied(1 - now).iter().any(|name| chunk.contains(name)));
        match active.replace(now) {
            None => instances[now].2.cancel(),
            Some(before) => assert_ne!(now, before, "the other has taken its place"),
        }
        if done == 20 {
            // The lead's session ends, as when the database was restarted: it is taken again.
            sqlx::query(AssertSqlSafe(format!(
                "SELECT pg_terminate_backend(pid) FROM ({LEADS}) AS lead"
            )))
            .execute(&database.app().await)
            .await
            .unwrap();
            active = None;
        }
    }
    instances[0].2.cancel();
    instances[1].2.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_leaves_nothing_and_is_tried_again() {
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock()).await;
    let script = ScriptedFeed::default();
    let source = script.serve().await;
    let handler = Noting::default();
    handler.faults.store(3, Ordering::SeqCst);
    for name in ["things/a", "things/b"] {
        script.push(name, 1, "thing.changed", &thing(name));
    }
    let shutdown = CancellationToken::new();
    follow(&db, source.channel("-".into()), &handler, &shutdown);
    assert_eq!(consequences(&database, 2).await, ["things/a", "things/b"]);
    assert_eq!(
        handler.faults.load(Ordering::SeqCst),
        0,
        "it failed as told"
    );
    shutdown.cancel();
}

struct Served {
    serving: Serving,
    tokens: Tokens,
    db: Db,
    mine: OperatorId,
    other: OperatorId,
}

/// A feed with a change of one operator, one of another, and one of nobody's.
async fn served(readers: Readers) -> Served {
    let clock: ManualClock = clock();
    let ids = ids(&clock, 3);
    let database = TestDb::create(SERVICE, &MIGRATOR).await;
    let db = database.db(clock.clone()).await;
    let tokens = Tokens::new(clock.clone());
    let verifier = Verifier::new(tokens.auth(), Arc::new(clock)).await.unwrap();
    let served = db.clone();
    let serving = Serving::start(|listener, shutdown| {
        Server::new(SERVICE, ServerConfig::default(), verifier)
            .add(ChangeFeed::server(served, readers, shutdown.clone()))
            .serve(listener, shutdown)
    })
    .await;
    let (mine, other): (OperatorId, OperatorId) = (ids.next(), ids.next());
    let mut tx = db.begin(&Scope::of_service(SERVICE)).await.unwrap();
    for (name, operator) in [
        (format!("operators/{mine}/things/1"), Some(mine)),
        (format!("operators/{other}/things/2"), Some(other)),
        ("things/3".to_owned(), None),
    ] {
        let change = Recording {
            kind: "thing.changed",
            operator,
            name: &name,
            revision: 1,
        };
        tx.record(change, &thing(&name)).await.unwrap();
    }
    tx.commit().await.unwrap();
    Served {
        serving,
        tokens,
        db,
        mine,
        other,
    }
}

fn pull(cursor: &str, seconds: i64) -> PullChangesRequest {
    PullChangesRequest {
        cursor: cursor.to_owned(),
        page_size: 2,
        wait: Some(prost_types::Duration { seconds, nanos: 0 }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_pages_waits_and_shows_each_caller_its_own() {
    let served = served(Readers::Everyone).await;
    let mut officer = ChangeFeedServiceClient::new(served.serving.channel(served.tokens.officer()));
    let first = officer
        .pull_changes(pull("", 10))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.changes.len(), 2);
    let second = officer
        .pull_changes(pull(&first.next_cursor, 10))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.changes[0].name, "things/3");
    assert_eq!(second.changes[0].actor, "service:mechanics");
    // Nothing more: the answer comes at once without a wait, with the same cursor.
    let none = officer
        .pull_changes(pull(&second.next_cursor, 0))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (none.changes.len(), none.next_cursor),
        (0, second.next_cursor.clone())
    );

    // A waiting call is answered by the next commit.
    let waiting = {
        let (mut officer, cursor) = (officer.clone(), second.next_cursor.clone());
        tokio::spawn(async move { officer.pull_changes(pull(&cursor, 15)).await })
    };
    let mut tx = served.db.begin(&Scope::of_service(SERVICE)).await.unwrap();
    let change = Recording {
        kind: "thing.changed",
        operator: None,
        name: "things/4",
        revision: 1,
    };
    tx.record(change, &thing("things/4")).await.unwrap();
    tx.commit().await.unwrap();
    let woken = waiting.await.unwrap().unwrap().into_inner();
    assert_eq!(woken.changes[0].name, "things/4");

    let mut agent =
        ChangeFeedServiceClient::new(served.serving.channel(served.tokens.agent(served.mine)));
    let own = agent.pull_changes(pull("", 10)).await.unwrap().into_inner();
    assert_eq!(own.changes.len(), 1);
    assert_eq!(
        own.changes[0].name,
        format!("operators/{}/things/1", served.mine)
    );

    let wrong = officer.pull_changes(pull("nonsense", 0)).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    assert_eq!(Details::of(&wrong).reason, "PAGE_TOKEN_INVALID");
    served.serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_pages_and_stays_within_reach() {
    let served = served(Readers::Everyone).await;
    let mut agent =
        ChangeFeedServiceClient::new(served.serving.channel(served.tokens.agent(served.mine)));
    let ask = |name: String, page_token: &str| ListHistoryRequest {
        name,
        page_size: 1,
        page_token: page_token.to_owned(),
    };
    let own = format!("operators/{}", served.mine);
    let history = agent.list_history(ask(own, "")).await.unwrap().into_inner();
    assert_eq!(history.changes.len(), 1);
    assert_eq!(history.next_page_token, "");
    for name in [format!("operators/{}", served.other), "things/3".to_owned()] {
        let refused = agent.list_history(ask(name, "")).await.unwrap_err();
        assert_eq!(Details::of(&refused).reason, "OUT_OF_REACH");
    }
    let refused = agent
        .list_history(ask(format!("operators/{}", served.mine), "bm9uc2Vuc2U"))
        .await
        .unwrap_err();
    assert_eq!(Details::of(&refused).reason, "PAGE_TOKEN_INVALID");
}

/// Nothing may be shown.
fn emptied<'a>(
    _: &'a mut Tx,
    changes: &'a mut [Recorded],
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
    Box::pin(async move {
        for change in changes {
            change.snapshot.clear();
        }
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_about_persons_is_for_operators_and_peers() {
    let served = served(Readers::OperatorsAndPeers(emptied)).await;
    for token in [served.tokens.officer(), served.tokens.auditor()] {
        let mut client = ChangeFeedServiceClient::new(served.serving.channel(token));
        let refused = client.pull_changes(pull("", 0)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(Details::of(&refused).reason, "ROLE_MISSING");
    }
    for token in [
        served.tokens.agent(served.mine),
        served.tokens.peer("conventions"),
    ] {
        let mut client = ChangeFeedServiceClient::new(served.serving.channel(token));
        let page = client
            .pull_changes(pull("", 10))
            .await
            .unwrap()
            .into_inner();
        assert!(!page.changes.is_empty());
        assert!(page.changes.iter().all(|change| change.snapshot.is_none()));
    }
}
