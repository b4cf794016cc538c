//! Persons whose records are stored and nothing else (RGPD art. 18 and 21): no push changes them, no list shows them.

use std::collections::HashSet;

use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, OperatorId};
use nonrecours_pg::{Error, Tx};
use uuid::Uuid;

use super::domain::SubjectRequest;

/// Begins a limit, by a request. Waits for who is writing about the person.
pub async fn begin(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    hold(tx, &request.beneficiary).await?;
    sqlx::query!(
        "INSERT INTO processing_limit (operator_id, beneficiary_id, subject_request_id) VALUES ($1, $2, $3)",
        request.beneficiary.operator.uuid(),
        request.beneficiary.beneficiary.uuid(),
        request.name.subject_request.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn hold(tx: &mut Tx, person: &BeneficiaryName) -> Result<(), Error> {
    sqlx::query!(
        "SELECT beneficiary_id FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2 FOR UPDATE",
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// Ends the limit that a request began; another request of the person may limit still.
pub async fn end(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM processing_limit WHERE operator_id = $1 AND subject_request_id = $2",
        request.name.operator.uuid(),
        request.name.subject_request.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends every limit of a person of whom nothing is left.
pub async fn end_all(tx: &mut Tx, person: &BeneficiaryName) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM processing_limit WHERE operator_id = $1 AND beneficiary_id = $2",
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// No more recognised over several operators: the next identity that the operator sends, once the objection is taken back,
/// makes the pseudonym again.
pub async fn forget_pseudonym(tx: &mut Tx, person: &BeneficiaryName) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = $2",
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of these persons whose records are stored only.
pub async fn among(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<HashSet<BeneficiaryId>, Error> {
    if persons.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query_scalar!(
        "SELECT beneficiary_id FROM processing_limit WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(BeneficiaryId::from_uuid).collect())
}
