//! SQL of the register of requests.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, OperatorId, SubjectRequestId, SubjectRequestName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Decision, IdentityCheck, RefusalBasis, SubjectRequest, SubjectRight};
use crate::codes::damaged;

/// Path of the rpc whose entries in the journal show that data were exported.
const EXPORT: &str = "/nonrecours.followup.v1.SubjectRequestService/ExportPersonalData";

/// Adds one.
pub async fn insert(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO subject_request (operator_id, subject_request_id, beneficiary_id, subject_right, identity_check,
                                      received_date, due_date, reminded, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'OPEN', $9, $10, $11)",
        request.name.operator.uuid(),
        request.name.subject_request.uuid(),
        request.beneficiary.beneficiary.uuid(),
        request.right.code(),
        request.identity_check.code(),
        request.received_date,
        request.due_date,
        request.reminded,
        request.revision,
        request.create_time,
        request.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    let (state, decided, lifted) = match request.decision {
        Decision::Open => ("OPEN", None, None),
        Decision::Fulfilled { date, lifted } => ("FULFILLED", Some(date), lifted),
        Decision::Refused { date, .. } => ("REFUSED", Some(date), None),
    };
    let (basis, reason) = match &request.decision {
        Decision::Refused { basis, reason, .. } => (Some(basis.code()), Some(reason.as_str())),
        _ => (None, None),
    };
    sqlx::query!(
        "UPDATE subject_request
         SET due_date = $3, reminded = $4, state = $5, extension_reason = $6, decided_date = $7, lifted_date = $8,
             refusal_basis = $9, refusal_reason = $10, revision = $11, update_time = $12
         WHERE operator_id = $1 AND subject_request_id = $2",
        request.name.operator.uuid(),
        request.name.subject_request.uuid(),
        request.due_date,
        request.reminded,
        state,
        request.extension.as_deref(),
        decided,
        lifted,
        basis,
        reason,
        request.revision,
        request.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One.
pub async fn get(tx: &mut Tx, name: &SubjectRequestName) -> Result<Option<SubjectRequest>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM subject_request WHERE operator_id = $1 AND subject_request_id = $2",
        name.operator.uuid(),
        name.subject_request.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(SubjectRequest::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn lock(tx: &mut Tx, name: &SubjectRequestName) -> Result<Option<SubjectRequest>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM subject_request WHERE operator_id = $1 AND subject_request_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.subject_request.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(SubjectRequest::try_from).transpose()
}

/// Which requests are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only those on a person with these records.
    pub persons: Option<&'a [Uuid]>,
    /// Only open ones.
    pub open: bool,
    /// Only open ones due before this day.
    pub due_before: Option<Date>,
}

/// Those an operator has received after an id, in the order they were entered.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    filter: Filter<'_>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SubjectRequest>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM subject_request
         WHERE operator_id = $1 AND subject_request_id > $2 AND ($3::uuid[] IS NULL OR beneficiary_id = ANY($3))
           AND (NOT $4 OR state = 'OPEN') AND ($5::date IS NULL OR (state = 'OPEN' AND due_date < $5))
         ORDER BY subject_request_id LIMIT $6",
        operator.uuid(),
        after.unwrap_or_default(),
        filter.persons,
        filter.open,
        filter.due_before,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(SubjectRequest::try_from).collect()
}

/// Open ones of every operator due by a day, of which the feed has not told, held; those that others hold are passed over.
pub async fn to_remind(tx: &mut Tx, due: Date, limit: i64) -> Result<Vec<SubjectRequest>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM subject_request WHERE state = 'OPEN' AND NOT reminded AND due_date <= $1
         ORDER BY operator_id, subject_request_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
        due,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(SubjectRequest::try_from).collect()
}

/// Whether the person's data were exported under a request, as the journal of accesses has it.
pub async fn is_exported(tx: &mut Tx, request: &SubjectRequest) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM access_entry
                          WHERE operator_id = $1 AND rpc = $2 AND occur_time >= $3 AND records @> ARRAY[$4::uuid]
                         ) AS "exported!""#,
        request.name.operator.uuid(),
        EXPORT,
        request.create_time,
        request.name.subject_request.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Whether a record of the person has changed since a request was entered.
pub async fn is_rectified(tx: &mut Tx, request: &SubjectRequest) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT update_time FROM beneficiary
               WHERE operator_id = $1 AND beneficiary_id = $2 AND update_time > $3
               UNION ALL SELECT update_time FROM identity
               WHERE operator_id = $1 AND beneficiary_id = $2 AND update_time > $3
               UNION ALL SELECT update_time FROM entitlement
               WHERE operator_id = $1 AND beneficiary_id = $2 AND update_time > $3
               UNION ALL SELECT update_time FROM step
               WHERE operator_id = $1 AND beneficiary_id = $2 AND update_time > $3
               UNION ALL SELECT update_time FROM note
               WHERE operator_id = $1 AND beneficiary_id = $2 AND update_time > $3) AS "rectified!""#,
        request.name.operator.uuid(),
        request.beneficiary.beneficiary.uuid(),
        request.create_time
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Whether the person's record is still there.
pub async fn is_there(tx: &mut Tx, person: &BeneficiaryName) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2) AS "there!""#,
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

struct Row {
    operator_id: Uuid,
    subject_request_id: Uuid,
    beneficiary_id: Uuid,
    subject_right: String,
    identity_check: String,
    received_date: Date,
    due_date: Date,
    reminded: bool,
    state: String,
    extension_reason: Option<String>,
    decided_date: Option<Date>,
    lifted_date: Option<Date>,
    refusal_basis: Option<String>,
    refusal_reason: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for SubjectRequest {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        let decision = match (row.state.as_str(), row.decided_date) {
            ("OPEN", None) => Decision::Open,
            ("FULFILLED", Some(date)) => Decision::Fulfilled {
                date,
                lifted: row.lifted_date,
            },
            ("REFUSED", Some(date)) => Decision::Refused {
                date,
                basis: row
                    .refusal_basis
                    .as_deref()
                    .and_then(RefusalBasis::from_code)
                    .ok_or_else(|| damaged("refusal_basis"))?,
                reason: row.refusal_reason.unwrap_or_default(),
            },
            _ => return Err(damaged("state")),
        };
        Ok(Self {
            name: SubjectRequestName {
                operator,
                subject_request: SubjectRequestId::from_uuid(row.subject_request_id),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            right: SubjectRight::from_code(&row.subject_right)
                .ok_or_else(|| damaged("subject_right"))?,
            identity_check: IdentityCheck::from_code(&row.identity_check)
                .ok_or_else(|| damaged("identity_check"))?,
            received_date: row.received_date,
            due_date: row.due_date,
            reminded: row.reminded,
            extension: row.extension_reason,
            decision,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
