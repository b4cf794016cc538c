//! SQL of referrals. A statement always names the operator that makes them, or the one that receives them.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, OperatorId, ReceivedReferralName, ReferralId, ReferralName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Referral, ReferralState, Target};
use crate::{codes::damaged, identity::store::Sealed};

/// Adds one.
pub async fn insert(tx: &mut Tx, referral: &Referral) -> Result<(), Error> {
    let (recipient, partner) = match &referral.target {
        Target::Operator(operator) => (Some(operator.uuid()), None),
        Target::Partner(code) => (None, Some(code.as_str())),
    };
    sqlx::query!(
        "INSERT INTO referral (operator_id, referral_id, beneficiary_id, recipient_id, partner, right_code, consent_date,
                               state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        referral.name.operator.uuid(),
        referral.name.referral.uuid(),
        referral.beneficiary.beneficiary.uuid(),
        recipient,
        partner,
        referral.right.as_deref(),
        referral.consent_date,
        referral.state.code(),
        referral.revision,
        referral.create_time,
        referral.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, referral: &Referral) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE referral SET state = $3, revision = $4, update_time = $5 WHERE operator_id = $1 AND referral_id = $2",
        referral.name.operator.uuid(),
        referral.name.referral.uuid(),
        referral.state.code(),
        referral.revision,
        referral.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One, for the operator that makes it.
pub async fn get(tx: &mut Tx, name: &ReferralName) -> Result<Option<Referral>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE operator_id = $1 AND referral_id = $2",
        name.operator.uuid(),
        name.referral.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Referral::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn lock(tx: &mut Tx, name: &ReferralName) -> Result<Option<Referral>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE operator_id = $1 AND referral_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.referral.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Referral::try_from).transpose()
}

/// Those an operator has made after an id, in the order they were proposed.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Referral>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE operator_id = $1 AND referral_id > $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                           WHERE held.operator_id = referral.operator_id AND held.beneficiary_id = referral.beneficiary_id)
         ORDER BY referral_id LIMIT $3",
        operator.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Referral::try_from).collect()
}

/// Those of a person after an id, in the order they were proposed, whatever limits their processing.
pub async fn of_person(
    tx: &mut Tx,
    person: &BeneficiaryName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Referral>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE operator_id = $1 AND beneficiary_id = $2 AND referral_id > $3
         ORDER BY referral_id LIMIT $4",
        person.operator.uuid(),
        person.beneficiary.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Referral::try_from).collect()
}

/// One, for the operator that receives it, while it is not revoked.
pub async fn get_received(
    tx: &mut Tx,
    name: &ReceivedReferralName,
) -> Result<Option<Referral>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE recipient_id = $1 AND referral_id = $2 AND state <> 'REVOKED'",
        name.operator.uuid(),
        name.referral.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Referral::try_from).transpose()
}

/// The same, whatever its state, held until the transaction ends.
pub async fn lock_received(
    tx: &mut Tx,
    name: &ReceivedReferralName,
) -> Result<Option<Referral>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE recipient_id = $1 AND referral_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.referral.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Referral::try_from).transpose()
}

/// Those an operator receives after an id, not revoked, in the order they were proposed; not of persons whose records are
/// stored only.
pub async fn list_received(
    tx: &mut Tx,
    recipient: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Referral>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM referral WHERE recipient_id = $1 AND referral_id > $2 AND state <> 'REVOKED'
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                           WHERE held.operator_id = referral.operator_id AND held.beneficiary_id = referral.beneficiary_id)
         ORDER BY referral_id LIMIT $3",
        recipient.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Referral::try_from).collect()
}

/// The identity of the person of a referral that its recipient has accepted, and that still stands; none of a person whose
/// records are stored only.
pub async fn shared_identity(
    tx: &mut Tx,
    name: &ReceivedReferralName,
) -> Result<Option<Sealed>, Error> {
    let row = sqlx::query!(
        "SELECT referral.operator_id, referral.beneficiary_id FROM referral
         WHERE recipient_id = $1 AND referral_id = $2 AND state = 'ACCEPTED'
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                           WHERE held.operator_id = referral.operator_id AND held.beneficiary_id = referral.beneficiary_id)",
        name.operator.uuid(),
        name.referral.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let person = BeneficiaryId::from_uuid(row.beneficiary_id);
    let operator = OperatorId::from_uuid(row.operator_id);
    let mut held = crate::identity::store::held(tx, operator, &[person]).await?;
    Ok(held.remove(&person))
}

struct Row {
    operator_id: Uuid,
    referral_id: Uuid,
    beneficiary_id: Uuid,
    recipient_id: Option<Uuid>,
    partner: Option<String>,
    right_code: Option<String>,
    consent_date: Date,
    state: String,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Referral {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        let target = match (row.recipient_id, row.partner) {
            (Some(recipient), None) => Target::Operator(OperatorId::from_uuid(recipient)),
            (None, Some(partner)) => Target::Partner(partner),
            _ => {
                return Err(Error::Damaged(
                    "a referral without one recipient".to_owned(),
                ));
            }
        };
        Ok(Self {
            name: ReferralName {
                operator,
                referral: ReferralId::from_uuid(row.referral_id),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            target,
            right: row.right_code,
            consent_date: row.consent_date,
            state: ReferralState::from_code(&row.state).ok_or_else(|| damaged("state"))?,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
