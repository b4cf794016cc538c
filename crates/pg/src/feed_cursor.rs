//! Where this service stands in the feeds it follows.

use crate::{Db, cursor::Cursor, error::Error, tx::Tx};

impl Tx {
    /// Locks the place reached in a feed and reads it: of several instances, one at a time moves it.
    pub async fn lock_feed_cursor(&mut self, source: &str) -> Result<Cursor, Error> {
        let now = self.now();
        sqlx::query!(
            "INSERT INTO feed_cursor (source, cursor, update_time) VALUES ($1, '', $2) ON CONFLICT DO NOTHING",
            source,
            now
        )
        .execute(self.conn())
        .await?;
        let cursor = sqlx::query_scalar!(
            "SELECT cursor FROM feed_cursor WHERE source = $1 FOR UPDATE",
            source
        )
        .fetch_one(self.conn())
        .await?;
        parse(&cursor)
    }

    /// Moves the place reached in a feed, in the transaction that applied what came before it.
    pub async fn move_feed_cursor(&mut self, source: &str, cursor: Cursor) -> Result<(), Error> {
        let now = self.now();
        sqlx::query!(
            "UPDATE feed_cursor SET cursor = $2, update_time = $3 WHERE source = $1",
            source,
            cursor.to_string(),
            now
        )
        .execute(self.conn())
        .await?;
        Ok(())
    }
}

impl Db {
    /// The place reached in a feed; the start when it was never followed.
    pub async fn feed_cursor(&self, source: &str) -> Result<Cursor, Error> {
        let cursor =
            sqlx::query_scalar!("SELECT cursor FROM feed_cursor WHERE source = $1", source)
                .fetch_optional(self.pool())
                .await?;
        cursor.as_deref().map_or(Ok(Cursor::default()), parse)
    }
}

fn parse(cursor: &str) -> Result<Cursor, Error> {
    cursor
        .parse()
        .map_err(|_| Error::Damaged(format!("a feed cursor: {cursor}")))
}
