//! Erasing those who are due.

use std::collections::HashSet;

use nonrecours_kernel::{BeneficiaryId, IdSource, OperatorId, paris_date};
use nonrecours_pg::Tx;
use time::OffsetDateTime;

use super::store;
use crate::{
    erasure::{self, domain::ErasureReason},
    error::Error,
    vault::KeyRing,
};

/// Erases persons of an operator who are due and not held, at most `limit`; with `noticed_by`, only those whose notice had
/// been raised by then. Gives how many. The transaction reaches over all operators; the caller ends it.
pub async fn apply(
    tx: &mut Tx,
    ring: &KeyRing,
    ids: &IdSource,
    operator: OperatorId,
    noticed_by: Option<OffsetDateTime>,
    limit: i64,
) -> Result<usize, Error> {
    let today = paris_date(tx.now());
    let due = store::to_erase(tx, operator, today, noticed_by, limit, None).await?;
    let mut persons = erasure::lock(tx, operator, &due).await?;
    // Somebody may have written of one of them, or held one, before they were ours.
    let locked: Vec<BeneficiaryId> = persons.iter().map(|person| person.id).collect();
    let still = store::to_erase(tx, operator, today, noticed_by, limit, Some(&locked)).await?;
    let still: HashSet<BeneficiaryId> = still.into_iter().collect();
    persons.retain(|person| still.contains(&person.id));
    let reason = ErasureReason::Retention;
    let erased = erasure::erase(tx, ring, ids, operator, &persons, reason).await?;
    Ok(erased.len())
}
