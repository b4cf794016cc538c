//! SQL of conventions.

use nonrecours_kernel::{ConventionName, OperatorId};
use nonrecours_pg::{Error, Tx};

use super::Convention;

/// Stores what was told, unless something as new is known.
pub async fn learn(tx: &mut Tx, convention: &Convention) -> Result<(), Error> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO convention AS known (operator_id, convention_id, revision, in_force, update_time)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (operator_id, convention_id) DO UPDATE
         SET revision = excluded.revision, in_force = excluded.in_force, update_time = excluded.update_time
         WHERE known.revision < excluded.revision",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        convention.revision,
        convention.in_force,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the convention is in force; `None` when it is unknown.
pub async fn in_force(tx: &mut Tx, name: &ConventionName) -> Result<Option<bool>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT in_force FROM convention WHERE operator_id = $1 AND convention_id = $2",
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// The same, and keeps it so until the transaction ends. Batches under one convention do not wait for each other.
pub async fn hold_in_force(tx: &mut Tx, name: &ConventionName) -> Result<Option<bool>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT in_force FROM convention WHERE operator_id = $1 AND convention_id = $2 FOR SHARE",
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Operators that have, or had, a convention, in the order of their ids.
pub async fn operators(tx: &mut Tx) -> Result<Vec<OperatorId>, Error> {
    let operators =
        sqlx::query_scalar!("SELECT DISTINCT operator_id FROM convention ORDER BY operator_id")
            .fetch_all(tx.conn())
            .await?;
    Ok(operators.into_iter().map(OperatorId::from_uuid).collect())
}
