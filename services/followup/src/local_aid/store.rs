//! SQL of local aids.

use nonrecours_kernel::{LocalAidId, LocalAidName, OperatorId, Text, catalogue::Validity};
use nonrecours_pg::{All as _, Error as PgError, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{LocalAid, Rights};
use crate::{codes::damaged, entitlement::domain::AmountUnit, error::Error};

/// Adds one. Refused with ALREADY_EXISTS when its code is taken.
pub async fn insert(tx: &mut Tx, aid: &LocalAid) -> Result<(), Error> {
    let inserted = sqlx::query!(
        "INSERT INTO local_aid (operator_id, local_aid_id, code, label, unit, valid_from, valid_to, revision, create_time,
                                update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        aid.name.operator.uuid(),
        aid.name.local_aid.uuid(),
        aid.code,
        aid.label,
        aid.unit.map(AmountUnit::code),
        aid.validity.from,
        aid.validity.to,
        aid.revision,
        aid.create_time,
        aid.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(PgError::from) {
        Err(PgError::Duplicate { constraint }) if constraint == "local_aid_code" => {
            Err(Error::from(Failure::already_exists(
                "code",
                Text::new(
                    "A local aid of this code exists already.",
                    "Une aide locale porte déjà ce code : reprenez-la, ou choisissez un autre nom.",
                ),
            )))
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// Writes its last day.
pub async fn update(tx: &mut Tx, aid: &LocalAid) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE local_aid SET valid_to = $3, revision = $4, update_time = $5
         WHERE operator_id = $1 AND local_aid_id = $2",
        aid.name.operator.uuid(),
        aid.name.local_aid.uuid(),
        aid.validity.to,
        aid.revision,
        aid.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One aid.
pub async fn get(tx: &mut Tx, name: &LocalAidName) -> Result<Option<LocalAid>, PgError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM local_aid WHERE operator_id = $1 AND local_aid_id = $2",
        name.operator.uuid(),
        name.local_aid.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(LocalAid::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn lock(tx: &mut Tx, name: &LocalAidName) -> Result<Option<LocalAid>, PgError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM local_aid WHERE operator_id = $1 AND local_aid_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.local_aid.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(LocalAid::try_from).transpose()
}

/// Those of an operator after an id, in the order they were added.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LocalAid>, PgError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM local_aid WHERE operator_id = $1 AND local_aid_id > $2 ORDER BY local_aid_id LIMIT $3",
        operator.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(LocalAid::try_from).collect()
}

/// The catalogue, with those of the operator's aids that have one of these codes.
pub async fn rights(tx: &mut Tx, operator: OperatorId, codes: &[&str]) -> Result<Rights, PgError> {
    if codes.is_empty() {
        return Ok(Rights::default());
    }
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM local_aid WHERE operator_id = $1 AND code = ANY($2)",
        operator.uuid(),
        codes as &[&str]
    )
    .all(tx.conn())
    .await?;
    let aids: Result<Vec<LocalAid>, PgError> = rows.into_iter().map(LocalAid::try_from).collect();
    Ok(Rights::with(aids?))
}

struct Row {
    operator_id: Uuid,
    local_aid_id: Uuid,
    code: String,
    label: String,
    unit: Option<String>,
    valid_from: Date,
    valid_to: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for LocalAid {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
        let unit = |code: String| AmountUnit::from_code(&code).ok_or_else(|| damaged("unit"));
        Ok(Self {
            name: LocalAidName {
                operator: OperatorId::from_uuid(row.operator_id),
                local_aid: LocalAidId::from_uuid(row.local_aid_id),
            },
            code: row.code,
            label: row.label,
            unit: row.unit.map(unit).transpose()?,
            validity: Validity {
                from: row.valid_from,
                to: row.valid_to,
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
