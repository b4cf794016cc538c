//! SQL of erasures: the register of them.

use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, ErasureId, ErasureName, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{Erasure, ErasureReason, Records};
use crate::codes::damaged;

/// Adds erasures of an operator.
pub async fn insert(tx: &mut Tx, operator: OperatorId, erasures: &[Erasure]) -> Result<(), Error> {
    let of = |id: fn(&Erasure) -> Uuid| -> Vec<Uuid> { erasures.iter().map(id).collect() };
    let count = |count: fn(&Records) -> i32| -> Vec<i32> {
        erasures
            .iter()
            .map(|erasure| count(&erasure.records))
            .collect()
    };
    let reasons: Vec<&str> = erasures
        .iter()
        .map(|erasure| erasure.reason.code())
        .collect();
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO erasure (operator_id, erasure_id, beneficiary_id, reason, entitlements, steps, notes, referrals,
                              revision, create_time, update_time)
         SELECT $1, new.id, new.beneficiary, new.reason, new.entitlements, new.steps, new.notes, new.referrals, 1, $2, $2
         FROM UNNEST($3::uuid[], $4::uuid[], $5::text[], $6::int[], $7::int[], $8::int[], $9::int[])
              AS new (id, beneficiary, reason, entitlements, steps, notes, referrals)",
        operator.uuid(),
        now,
        &of(|erasure| erasure.name.erasure.uuid()),
        &of(|erasure| erasure.beneficiary.beneficiary.uuid()),
        &reasons as &[&str],
        &count(|records| records.entitlements),
        &count(|records| records.steps),
        &count(|records| records.notes),
        &count(|records| records.referrals)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds erasures of an operator as they were kept, but those that are there.
pub async fn insert_kept(
    tx: &mut Tx,
    operator: OperatorId,
    erasures: &[Erasure],
) -> Result<Vec<Uuid>, Error> {
    let mut added = Vec::new();
    for erasure in erasures {
        let id = erasure.name.erasure.uuid();
        let inserted = sqlx::query!(
            "INSERT INTO erasure (operator_id, erasure_id, beneficiary_id, reason, entitlements, steps, notes, referrals,
                                  revision, create_time, update_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
            operator.uuid(),
            id,
            erasure.beneficiary.beneficiary.uuid(),
            erasure.reason.code(),
            erasure.records.entitlements,
            erasure.records.steps,
            erasure.records.notes,
            erasure.records.referrals,
            erasure.revision,
            erasure.create_time,
            erasure.update_time
        )
        .execute(tx.conn())
        .await?;
        if inserted.rows_affected() > 0 {
            added.push(id);
        }
    }
    Ok(added)
}

/// The erasure of each of these persons who was erased.
pub async fn of_persons(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<Vec<(Uuid, Uuid)>, Error> {
    let rows = sqlx::query!(
        "SELECT beneficiary_id, erasure_id FROM erasure WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.beneficiary_id, row.erasure_id))
        .collect())
}

/// Persons of an operator after an id, in the order of their ids, with their references.
pub async fn references(
    tx: &mut Tx,
    operator: OperatorId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<(BeneficiaryId, String)>, Error> {
    let rows = sqlx::query!(
        "SELECT beneficiary_id, external_reference FROM beneficiary
         WHERE operator_id = $1 AND beneficiary_id > $2 ORDER BY beneficiary_id LIMIT $3",
        operator.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                BeneficiaryId::from_uuid(row.beneficiary_id),
                row.external_reference,
            )
        })
        .collect())
}

/// One erasure.
pub async fn get(tx: &mut Tx, name: &ErasureName) -> Result<Option<Erasure>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM erasure WHERE operator_id = $1 AND erasure_id = $2",
        name.operator.uuid(),
        name.erasure.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Erasure::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn hold(tx: &mut Tx, name: &ErasureName) -> Result<Option<Erasure>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM erasure WHERE operator_id = $1 AND erasure_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.erasure.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Erasure::try_from).transpose()
}

/// Erasures of an operator after an id, in the order they were made.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Erasure>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM erasure WHERE operator_id = $1 AND erasure_id > $2 ORDER BY erasure_id LIMIT $3",
        operator.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Erasure::try_from).collect()
}

/// Writes that an erasure has changed.
pub async fn update(tx: &mut Tx, erasure: &Erasure) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE erasure SET revision = $3, update_time = $4 WHERE operator_id = $1 AND erasure_id = $2",
        erasure.name.operator.uuid(),
        erasure.name.erasure.uuid(),
        erasure.revision,
        erasure.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    operator_id: Uuid,
    erasure_id: Uuid,
    beneficiary_id: Uuid,
    reason: String,
    entitlements: i32,
    steps: i32,
    notes: i32,
    referrals: i32,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Erasure {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        Ok(Self {
            name: ErasureName {
                operator,
                erasure: ErasureId::from_uuid(row.erasure_id),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            reason: ErasureReason::from_code(&row.reason).ok_or_else(|| damaged("reason"))?,
            records: Records {
                entitlements: row.entitlements,
                steps: row.steps,
                notes: row.notes,
                referrals: row.referrals,
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
