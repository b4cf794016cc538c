//! Framework conventions in the database.

use nonrecours_kernel::{FrameworkConventionName, Id, ProgrammeName};
use nonrecours_pg::{All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{FrameworkConvention, Terms};
use crate::error::Error;

/// Adds a framework convention.
pub async fn insert(tx: &mut Tx, framework: &FrameworkConvention) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO framework_convention (programme_id, framework_convention_id, title, vote_date, revision,
                                           create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        framework.name.programme.uuid(),
        framework.name.framework_convention.uuid(),
        framework.terms.title,
        framework.terms.vote_date,
        framework.revision,
        framework.create_time,
        framework.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One framework convention. Refuses one that does not exist.
pub async fn get(
    tx: &mut Tx,
    name: &FrameworkConventionName,
) -> Result<FrameworkConvention, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM framework_convention WHERE programme_id = $1 AND framework_convention_id = $2",
        name.programme.uuid(),
        name.framework_convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.into())
}

/// Framework conventions of a programme after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<FrameworkConvention>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM framework_convention
         WHERE programme_id = $1 AND ($2::uuid IS NULL OR framework_convention_id > $2)
         ORDER BY framework_convention_id LIMIT $3",
        programme.programme.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(FrameworkConvention::from).collect())
}

struct Row {
    programme_id: Uuid,
    framework_convention_id: Uuid,
    title: String,
    vote_date: Date,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl From<Row> for FrameworkConvention {
    fn from(row: Row) -> Self {
        Self {
            name: FrameworkConventionName {
                programme: Id::from_uuid(row.programme_id),
                framework_convention: Id::from_uuid(row.framework_convention_id),
            },
            terms: Terms {
                title: row.title,
                vote_date: row.vote_date,
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        }
    }
}
