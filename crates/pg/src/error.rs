//! What can go wrong at the database, as callers need to tell it apart.

use nonrecours_rpc::Failure;

/// A database operation that was not done. Nothing of its transaction was kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction was in the way (deadlock, serialization, lock wait): the same request may be sent again.
    #[error("another transaction was in the way")]
    Conflict(#[source] sqlx::Error),
    /// A row with the same key exists; `constraint` is the violated one.
    #[error("a row with the same key exists ({constraint})")]
    Duplicate {
        /// Name of the unique constraint.
        constraint: String,
    },
    /// The database cannot be reached, has no connection or no room left, or was too slow.
    #[error("the database cannot be reached, or cannot do more at present")]
    Unavailable(#[source] sqlx::Error),
    /// The request id was used by this caller for another request.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// A stored value is not what our own rules allow.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// What a transaction was about to tell or change may not be: its witness says why.
    #[error("refused: {}", .0.reason())]
    Refused(Box<Failure>),
    /// Anything else: a fault of ours.
    #[error("database")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => Self::Unavailable(error),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // serialization_failure, deadlock_detected, lock_not_available; foreign_key_violation, since what a row
                // refers to has been read: it was removed meanwhile
                Some("40001" | "40P01" | "55P03" | "23503") => Self::Conflict(error),
                Some("23505") => Self::Duplicate {
                    constraint: database.constraint().unwrap_or_default().to_owned(),
                },
                // admin_shutdown, crash_shutdown, cannot_connect_now; query_canceled by the statement timeout;
                // idle_in_transaction_session_timeout, when the way to the database was slow; read_only_sql_transaction, in
                // the middle of a failover
                Some("57P01" | "57P02" | "57P03" | "57014" | "25P03" | "25006") => {
                    Self::Unavailable(error)
                }
                // connection exceptions; insufficient resources: disk full, out of memory, too many connections
                Some(code) if code.starts_with("08") || code.starts_with("53") => {
                    Self::Unavailable(error)
                }
                _ => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::Refused(failure) = error {
            return *failure;
        }
        match &error {
            Error::Conflict(cause) => {
                tracing::info!(%cause, "conflict");
                Failure::concurrent_update()
            }
            Error::Unavailable(_) => Failure::unavailable(&error),
            Error::RequestIdReused => Failure::request_id_reused(),
            // A store that expects a duplicate has looked at the constraint already.
            Error::Duplicate { .. }
            | Error::Damaged(_)
            | Error::Refused(_)
            | Error::Database(_) => Failure::internal(&error),
        }
    }
}
