//! The connection of a transaction, as the stores' statements are given it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{
    Stream,
    future::{BoxFuture, FutureExt as _},
    stream::{BoxStream, StreamExt as _},
};
use sqlx::{
    Describe, Either, Error, Execute, Executor, FromRow, PgConnection, Postgres, SqlStr,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
    query::{Map, QueryScalar},
};
use tracing::{Dispatch, dispatcher::with_default, instrument::WithSubscriber as _};

/// The connection of a transaction. A statement runs outside the spans of its caller: for each row sqlx 0.9 enters and
/// leaves the current span twice, which costs more than reading the row. What the caller logs is in its spans as ever.
#[derive(Debug)]
pub struct Conn<'c>(pub(crate) &'c mut PgConnection);

impl<'c> Executor<'c> for Conn<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let none = Dispatch::none();
        let rows = with_default(&none, || self.0.fetch_many(query));
        Outside { none, rows }.boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let none = Dispatch::none();
        with_default(&none, || self.0.fetch_optional(query))
            .with_subscriber(none)
            .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.0.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.0.describe(sql)
    }
}

/// Reading every row of a statement outside the spans of its caller: that each row is made a value of a type is a second
/// stream around that of [`Conn`], which sqlx 0.9 enters and leaves the current span for as well.
pub trait All {
    /// What each row becomes.
    type Value;

    /// All of them, in their order: a statement says itself how many there can be.
    fn all(
        self,
        connection: Conn<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Value>, Error>> + Send;
}

impl<F, O> All for Map<'_, Postgres, F, PgArguments>
where
    F: FnMut(PgRow) -> Result<O, Error> + Send,
    O: Send + Unpin,
{
    type Value = O;

    async fn all(self, connection: Conn<'_>) -> Result<Vec<O>, Error> {
        let rows = self.fetch_all(connection);
        rows.with_subscriber(Dispatch::none()).await
    }
}

impl<O> All for QueryScalar<'_, Postgres, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
    O: Send + Unpin,
{
    type Value = O;

    async fn all(self, connection: Conn<'_>) -> Result<Vec<O>, Error> {
        let rows = self.fetch_all(connection);
        rows.with_subscriber(Dispatch::none()).await
    }
}

/// The rows of a statement, read while nobody listens.
struct Outside<'e, T> {
    none: Dispatch,
    rows: BoxStream<'e, T>,
}

impl<T> Stream for Outside<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { none, rows } = &mut *self;
        with_default(none, || rows.poll_next_unpin(context))
    }
}
