//! SQL of legal holds.

use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, LegalHoldId, LegalHoldName, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{LegalHold, Lift};

/// Whether one of these persons is held.
pub async fn any_held(tx: &mut Tx, operator: OperatorId, persons: &[Uuid]) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM legal_hold WHERE operator_id = $1 AND beneficiary_id = ANY($2)
                          AND lift_time IS NULL) AS "held!""#,
        operator.uuid(),
        persons
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Adds one.
pub async fn insert(tx: &mut Tx, hold: &LegalHold) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO legal_hold (operator_id, hold_id, beneficiary_id, reason, put_by, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        hold.name.operator.uuid(),
        hold.name.legal_hold.uuid(),
        hold.beneficiary.beneficiary.uuid(),
        hold.reason,
        hold.put_by,
        hold.revision,
        hold.create_time,
        hold.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes that one was lifted.
pub async fn update(tx: &mut Tx, hold: &LegalHold) -> Result<(), Error> {
    let lift = hold.lift.as_ref();
    sqlx::query!(
        "UPDATE legal_hold SET lift_reason = $3, lifted_by = $4, lift_time = $5, revision = $6, update_time = $7
         WHERE operator_id = $1 AND hold_id = $2",
        hold.name.operator.uuid(),
        hold.name.legal_hold.uuid(),
        lift.map(|lift| lift.reason.as_str()),
        lift.map(|lift| lift.by.as_str()),
        lift.map(|lift| lift.time),
        hold.revision,
        hold.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One hold.
pub async fn get(tx: &mut Tx, name: &LegalHoldName) -> Result<Option<LegalHold>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM legal_hold WHERE operator_id = $1 AND hold_id = $2",
        name.operator.uuid(),
        name.legal_hold.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(LegalHold::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn lock(tx: &mut Tx, name: &LegalHoldName) -> Result<Option<LegalHold>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM legal_hold WHERE operator_id = $1 AND hold_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.legal_hold.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(LegalHold::try_from).transpose()
}

/// Holds of an operator after an id, in the order they were put.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LegalHold>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM legal_hold WHERE operator_id = $1 AND hold_id > $2 ORDER BY hold_id LIMIT $3",
        operator.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(LegalHold::try_from).collect()
}

/// Those of a person after an id, in the order they were put.
pub async fn of_person(
    tx: &mut Tx,
    person: &BeneficiaryName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LegalHold>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM legal_hold WHERE operator_id = $1 AND beneficiary_id = $2 AND hold_id > $3
         ORDER BY hold_id LIMIT $4",
        person.operator.uuid(),
        person.beneficiary.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(LegalHold::try_from).collect()
}

struct Row {
    operator_id: Uuid,
    hold_id: Uuid,
    beneficiary_id: Uuid,
    reason: String,
    put_by: String,
    lift_reason: Option<String>,
    lifted_by: Option<String>,
    lift_time: Option<OffsetDateTime>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for LegalHold {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        let lift = match (row.lift_reason, row.lifted_by, row.lift_time) {
            (Some(reason), Some(by), Some(time)) => Some(Lift { reason, by, time }),
            (None, None, None) => None,
            _ => return Err(Error::Damaged("a hold that is half lifted".to_owned())),
        };
        Ok(Self {
            name: LegalHoldName {
                operator,
                legal_hold: LegalHoldId::from_uuid(row.hold_id),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            reason: row.reason,
            put_by: row.put_by,
            lift,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
