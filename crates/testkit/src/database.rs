//! A database per test, copied from a migrated template on a PostgreSQL of the test process's own.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use nonrecours_kernel::Clock;
use nonrecours_localpg::{LocalPg, Options, ServiceUrls};
use nonrecours_pg::{Db, DbOptions};
use sqlx::{PgPool, migrate::Migrator};
use tokio::sync::{Mutex, OnceCell};

static SERVER: OnceCell<LocalPg> = OnceCell::const_new();
static TEMPLATES: OnceCell<Mutex<HashMap<&'static str, ()>>> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Connections a test's service may use: many databases share one server.
const CONNECTIONS: u32 = 6;

/// A migrated database of one service, for one test.
pub struct TestDb {
    urls: ServiceUrls,
}

impl TestDb {
    /// Makes one. The first of a test process starts PostgreSQL, the first of a service runs its migrations.
    pub async fn create(service: &'static str, migrator: &Migrator) -> Self {
        let server = SERVER
            .get_or_init(|| async {
                LocalPg::start(Options::default())
                    .await
                    .expect("a private PostgreSQL starts")
            })
            .await;
        let admin = server.admin();
        let template = format!("{service}_template");
        let mut made = TEMPLATES
            .get_or_init(|| async { Mutex::default() })
            .await
            .lock()
            .await;
        if !made.contains_key(service) {
            let urls = nonrecours_localpg::create_service_database(&admin, service, &template)
                .await
                .expect("the template database is created");
            nonrecours_pg::migrate(&urls.owner_url, migrator, &crate::clock())
                .await
                .expect("the migrations run");
            made.insert(service, ());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = format!("{service}_{number}");
        // Under the lock: PostgreSQL copies a template only while nobody else uses it.
        let urls = nonrecours_localpg::create_from_template(&admin, service, &template, &database)
            .await
            .expect("the test's database is created");
        drop(made);
        Self { urls }
    }

    /// URL under the application role, as the service uses it.
    pub fn app_url(&self) -> &str {
        &self.urls.app_url
    }

    /// URL under the owner role, which row-level security does not bind.
    pub fn owner_url(&self) -> &str {
        &self.urls.owner_url
    }

    /// The database as a service opens it.
    pub async fn db(&self, clock: impl Clock) -> Db {
        Db::connect(&self.options(), Arc::new(clock))
            .await
            .expect("the database answers")
    }

    /// Options for a service's settings.
    pub fn options(&self) -> DbOptions {
        DbOptions {
            max_connections: CONNECTIONS,
            ..DbOptions::new(self.app_url())
        }
    }

    /// A plain pool as the owner: to look at, or to damage, what the service wrote.
    pub async fn owner(&self) -> PgPool {
        PgPool::connect(self.owner_url())
            .await
            .expect("the owner connects")
    }

    /// Removes it before the server of the test process goes: for tests that make very many.
    pub async fn remove(self) {
        let server = SERVER.get().expect("it was made on this server");
        let (_, database) = self.urls.owner_url.rsplit_once('/').expect("a URL");
        let database = database.split('?').next().unwrap_or(database);
        nonrecours_localpg::drop_database(&server.admin(), database)
            .await
            .expect("the test's database is removed");
    }

    /// A plain pool under the application role, outside any scope.
    pub async fn app(&self) -> PgPool {
        PgPool::connect(self.app_url())
            .await
            .expect("the application connects")
    }
}
