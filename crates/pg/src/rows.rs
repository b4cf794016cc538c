//! Reading rows, as the stores' statements do.

use sqlx::{
    Error, FromRow, PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::{Map, QueryScalar},
};
use tracing::{Dispatch, instrument::WithSubscriber as _};

/// Reading every row of a statement outside the spans of its caller: for each row sqlx 0.9 enters and leaves the current
/// span twice, which costs more than reading the row. What the caller logs is in its spans as ever.
pub trait All {
    /// What each row becomes.
    type Value;

    /// All of them, in their order: a statement says itself how many there can be.
    fn all(
        self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Vec<Self::Value>, Error>> + Send;
}

impl<F, O> All for Map<'_, Postgres, F, PgArguments>
where
    F: FnMut(PgRow) -> Result<O, Error> + Send,
    O: Send + Unpin,
{
    type Value = O;

    async fn all(self, connection: &mut PgConnection) -> Result<Vec<O>, Error> {
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

    async fn all(self, connection: &mut PgConnection) -> Result<Vec<O>, Error> {
        let rows = self.fetch_all(connection);
        rows.with_subscriber(Dispatch::none()).await
    }
}
