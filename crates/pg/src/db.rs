//! A service's own database.

use std::{sync::Arc, time::Duration};

use nonrecours_kernel::{Clock, Scope};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Acquire as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool, Postgres,
    Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{Notify, futures::Notified};
use tracing::Instrument as _;

use crate::{
    error::Error,
    migrate::MigrateError,
    tx::{Tx, Witness},
};

/// Connections of one service instance unless configured otherwise.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 16;
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that nobody has used for longer is asked whether it is still there before a request has it; of one used
/// just now a request finds out by itself, and is told to come again.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Connections of a lane at most.
const LANE_CONNECTIONS: u32 = 4;
/// Longest statement, wait for a lock, and idle transaction: no request holds rows for longer than this. Then how soon the
/// server ends the session of an instance that has gone without a word (a host that lost its power, a network that was cut):
/// after a minute, and with it what it has locked, the lead among it.
const SESSION_LIMITS: [(&str, &str); 6] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// `postgres://user:password@host:port/database`.
    pub url: SecretString,
    /// Connections of this instance at most.
    pub max_connections: u32,
}

impl DbOptions {
    /// A database by its URL, with the default number of connections.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            max_connections: DEFAULT_MAX_CONNECTIONS,
        }
    }
}

/// A pool on the service's database under its application role, and the clock. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    committed: Arc<Notify>,
    witness: Option<Witness>,
}

impl Db {
    /// Connects. Fails when the database cannot be reached.
    pub async fn connect(options: &DbOptions, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let connect: PgConnectOptions = options
            .url
            .expose_secret()
            .parse::<PgConnectOptions>()?
            .application_name("nonrecours")
            .options(SESSION_LIMITS)
            // Statements are not logged: they would carry personal data. Asking whether they are to be logged also
            // upsets the filters of the trace layer (tracing's per-layer filters keep the last answer per thread).
            .disable_statement_logging();
        let pool = pool(options.max_connections).connect_with(connect).await?;
        Ok(Self {
            pool,
            clock,
            committed: Arc::new(Notify::new()),
            witness: None,
        })
    }

    /// The same database, whose transactions show this witness what they have told and changed before they commit.
    #[must_use]
    pub fn witnessed_by(self, witness: Witness) -> Self {
        Self {
            witness: Some(witness),
            ..self
        }
    }

    /// The same database over a few connections beside the pool's, opened as they are needed: for short transactions
    /// that come one after the other, and reach their rows by keys whatever the planner believes. Their sessions stay warm,
    /// and plan each statement once.
    #[must_use]
    pub fn lane(&self) -> Self {
        let connect = (*self.pool.connect_options()).clone();
        let connect = connect.options([("plan_cache_mode", "force_generic_plan")]);
        Self {
            pool: pool(LANE_CONNECTIONS).connect_lazy_with(connect),
            ..self.clone()
        }
    }

    /// Refuses a database whose schema is not the one this program was built for.
    pub async fn check_schema(&self, service: &Migrator) -> Result<(), MigrateError> {
        let mut connection = self.pool.acquire().await.map_err(Error::from)?;
        crate::migrate::check(connection.acquire().await.map_err(Error::from)?, service).await
    }

    /// Begins a transaction that may write, seeing what the scope may see.
    pub async fn begin(&self, scope: &Scope) -> Result<Tx, Error> {
        self.open("BEGIN", scope).await
    }

    /// Begins a transaction that only reads, all statements at the same instant.
    pub async fn read(&self, scope: &Scope) -> Result<Tx, Error> {
        self.open("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", scope)
            .await
    }

    /// Begins a transaction that reads what the journal of accesses is about, all statements at the same instant: it ends
    /// with [`Tx::tell`], which keeps the entry. Its commit does not wait for the disk: no record depends on it.
    pub async fn disclose(&self, scope: &Scope) -> Result<Tx, Error> {
        self.open(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL synchronous_commit = off",
            scope,
        )
        .await
    }

    /// Begins a transaction and binds it to the scope, in one round trip.
    async fn open(&self, begin: &str, scope: &Scope) -> Result<Tx, Error> {
        // An id or a star: nothing that a quotation mark could be in.
        let operator = scope
            .operator()
            .map_or_else(|| "*".to_owned(), |operator| operator.to_string());
        let inner = self
            .start(format!(
                "{begin}; SET LOCAL nonrecours.operator = '{operator}'"
            ))
            .await?;
        let committed = Arc::clone(&self.committed);
        Ok(Tx::of(
            inner,
            scope,
            self.clock.now(),
            committed,
            self.witness,
        ))
    }

    /// Starts a transaction on a task of its own, which goes on when the caller is gone: sqlx 0.9.0 gives a connection
    /// back to the pool inside an open transaction when it is cancelled between BEGIN and its answer (sqlx issue 4393),
    /// and a client that breaks off, or a deadline, cancels a handler anywhere.
    async fn start(&self, statement: String) -> Result<Transaction<'static, Postgres>, Error> {
        let (pool, statement) = (self.pool.clone(), AssertSqlSafe(statement));
        let started =
            tokio::spawn(async move { pool.begin_with(statement).await }.in_current_span());
        match started.await {
            Ok(begun) => Ok(begun?),
            Err(error) => Err(Error::Database(sqlx::Error::Io(error.into()))),
        }
    }

    /// The clock passed in.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Completes at the next commit of a change by this instance after this call. A hint only: other instances commit too.
    pub fn next_commit(&self) -> Notified<'_> {
        self.committed.notified()
    }

    /// True when the database answers.
    pub async fn is_ready(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Closes the pool; waits for connections in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// A pool of so many connections at most.
fn pool(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}
