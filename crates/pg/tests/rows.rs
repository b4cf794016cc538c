//! Statements of a transaction, seen by whoever listens to spans.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use nonrecours_kernel::Scope;
use nonrecours_pg::All as _;
use nonrecours_testkit::{TestDb, clock};
use sqlx::{Row as _, migrate::Migrator, postgres::PgRow};
use tracing::{Instrument as _, Span, instrument::WithSubscriber as _, span};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(Vec::new());
    migrator.dangerous_set_table_name("_migrations");
    migrator
});

/// Counts how often a span is entered.
struct Entered(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Entered {
    fn on_enter(&self, _: &span::Id, _: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn reading_rows_enters_no_span_and_leaves_the_callers_own_in_place() {
    let database = TestDb::create("mechanics", &MIGRATOR).await;
    let db = database.db(clock()).await;
    let entered = Arc::new(AtomicUsize::new(0));
    let listener = tracing_subscriber::registry().with(Entered(Arc::clone(&entered)));
    let read = async {
        let mut tx = db.read(&Scope::of_service("mechanics")).await.unwrap();
        let span = Span::current().id();
        assert!(span.is_some(), "the caller has a span");
        let before = entered.load(Ordering::Relaxed);
        let rows: Vec<i32> = sqlx::query_scalar("SELECT generate_series(1, 5000)")
            .all(tx.conn())
            .await
            .unwrap();
        assert_eq!(rows.len(), 5000);
        let values = sqlx::query("SELECT generate_series(1, 5000)")
            .try_map(|row: PgRow| row.try_get::<i32, _>(0))
            .all(tx.conn())
            .await
            .unwrap();
        assert_eq!(values, rows);
        let one: Option<i32> = sqlx::query_scalar("SELECT 1 WHERE false")
            .fetch_optional(tx.conn())
            .await
            .unwrap();
        assert_eq!(one, None);
        assert_eq!(Span::current().id(), span);
        entered.load(Ordering::Relaxed) - before
    };
    let times = async move { read.instrument(tracing::info_span!("request")).await }
        .with_subscriber(listener)
        .await;
    // The task is woken as the answer comes in, a few rows at a time at worst.
    assert!(times < 500, "{times} times for 10000 rows");
}
