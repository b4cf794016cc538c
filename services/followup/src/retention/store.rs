//! SQL of retention.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, OperatorId, RetentionNoticeId, RetentionNoticeName,
    RetentionPolicyName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Candidate, RetentionNotice, RetentionNoticeState, RetentionPolicy};
use crate::{codes::damaged, record::only_all};

/// The policy of an operator.
pub async fn policy(tx: &mut Tx, name: &RetentionPolicyName) -> Result<RetentionPolicy, Error> {
    let row = sqlx::query!(
        "SELECT months, automatic, revision, create_time, update_time FROM retention_policy WHERE operator_id = $1",
        name.operator.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        None => RetentionPolicy::default_of(*name),
        Some(row) => RetentionPolicy {
            name: *name,
            months: row.months,
            automatic: row.automatic,
            revision: row.revision,
            times: Some((row.create_time, row.update_time)),
        },
    })
}

/// Writes a policy. Conflict when another transaction has just written it.
pub async fn set_policy(tx: &mut Tx, policy: &RetentionPolicy) -> Result<(), Error> {
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO retention_policy AS old (operator_id, months, automatic, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (operator_id) DO UPDATE
         SET months = excluded.months, automatic = excluded.automatic, revision = excluded.revision,
             update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        policy.name.operator.uuid(),
        policy.months,
        policy.automatic,
        policy.revision,
        now
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), 1)
}

/// Persons of an operator who are due on a day, after an id, in the order of their creation.
pub async fn due(
    tx: &mut Tx,
    operator: OperatorId,
    today: Date,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Candidate>, Error> {
    let rows = sqlx::query!(
        r#"SELECT beneficiary_id AS "beneficiary_id!", external_reference AS "external_reference!",
                  last_contact_date AS "last_contact_date!", due_date AS "due_date!", is_held AS "is_held!", notice_time
           FROM retention
           WHERE operator_id = $1 AND due_at_the_earliest <= $2 AND due_date <= $2 AND beneficiary_id > $3
           ORDER BY beneficiary_id
           LIMIT $4"#,
        operator.uuid(),
        today,
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    let candidates = rows.into_iter().map(|row| Candidate {
        beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
        reference: row.external_reference,
        last_contact_date: row.last_contact_date,
        due_date: row.due_date,
        is_held: row.is_held,
        notice_time: row.notice_time,
    });
    Ok(candidates.collect())
}

/// How many are due on a day: those who would be erased, and those held.
pub async fn totals(tx: &mut Tx, operator: OperatorId, today: Date) -> Result<(i64, i64), Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE NOT is_held) AS "due!", count(*) FILTER (WHERE is_held) AS "held!"
           FROM retention WHERE operator_id = $1 AND due_at_the_earliest <= $2 AND due_date <= $2"#,
        operator.uuid(),
        today
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.due, row.held))
}

/// Persons who are due on a day and not held; among these only, if given; with `noticed_by`, those whose notice had been
/// raised by then.
pub async fn to_erase(
    tx: &mut Tx,
    operator: OperatorId,
    today: Date,
    noticed_by: Option<OffsetDateTime>,
    limit: i64,
    among: Option<&[BeneficiaryId]>,
) -> Result<Vec<BeneficiaryId>, Error> {
    let among: Option<Vec<Uuid>> =
        among.map(|persons| persons.iter().map(|person| person.uuid()).collect());
    let persons = sqlx::query_scalar!(
        r#"SELECT beneficiary_id AS "beneficiary_id!" FROM retention
           WHERE operator_id = $1 AND due_at_the_earliest <= $2 AND due_date <= $2 AND NOT is_held
             AND ($3::timestamptz IS NULL OR notice_time <= $3)
             AND ($4::uuid[] IS NULL OR beneficiary_id = ANY($4))
           ORDER BY beneficiary_id
           LIMIT $5"#,
        operator.uuid(),
        today,
        noticed_by,
        among.as_deref(),
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(persons.into_iter().map(BeneficiaryId::from_uuid).collect())
}

/// Persons who are due by a day, not held, and of whom no notice stands; with their last contact and the day.
pub async fn without_notice(
    tx: &mut Tx,
    operator: OperatorId,
    until: Date,
    limit: i64,
) -> Result<Vec<(BeneficiaryId, Date, Date)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT beneficiary_id AS "beneficiary_id!", last_contact_date AS "last_contact_date!",
                  due_date AS "due_date!"
           FROM retention
           WHERE operator_id = $1 AND due_at_the_earliest <= $2 AND due_date <= $2 AND NOT is_held
             AND notice_id IS NULL
           ORDER BY beneficiary_id
           LIMIT $3"#,
        operator.uuid(),
        until,
        limit
    )
    .all(tx.conn())
    .await?;
    let persons = rows.into_iter().map(|row| {
        (
            BeneficiaryId::from_uuid(row.beneficiary_id),
            row.last_contact_date,
            row.due_date,
        )
    });
    Ok(persons.collect())
}

/// Adds notices of an operator. Conflict when another transaction has raised one of them meanwhile.
pub async fn insert(
    tx: &mut Tx,
    operator: OperatorId,
    notices: &[RetentionNotice],
) -> Result<(), Error> {
    let ids: Vec<Uuid> = notices
        .iter()
        .map(|notice| notice.name.retention_notice.uuid())
        .collect();
    let persons: Vec<Uuid> = notices
        .iter()
        .map(|notice| notice.beneficiary.beneficiary.uuid())
        .collect();
    let contacts: Vec<Date> = notices
        .iter()
        .map(|notice| notice.last_contact_date)
        .collect();
    let dues: Vec<Date> = notices.iter().map(|notice| notice.due_date).collect();
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO retention_notice (operator_id, notice_id, beneficiary_id, last_contact_date, due_date, state, revision,
                                       create_time, update_time)
         SELECT $1, new.id, new.person, new.contact, new.due, 'OPEN', 1, $2, $2
         FROM UNNEST($3::uuid[], $4::uuid[], $5::date[], $6::date[]) AS new (id, person, contact, due)
         ON CONFLICT DO NOTHING",
        operator.uuid(),
        now,
        &ids,
        &persons,
        &contacts,
        &dues
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), notices.len())
}

/// Withdraws the notices whose persons are due on another day by now, or held; gives them.
pub async fn withdraw(
    tx: &mut Tx,
    operator: OperatorId,
    limit: i64,
) -> Result<Vec<RetentionNotice>, Error> {
    let now = tx.now();
    let rows = sqlx::query_as!(
        Row,
        "WITH outdated AS (
             SELECT notice.notice_id
             FROM retention_notice AS notice
             JOIN retention ON retention.operator_id = $1 AND retention.beneficiary_id = notice.beneficiary_id
             WHERE notice.operator_id = $1 AND notice.state = 'OPEN'
               AND (retention.due_date <> notice.due_date OR retention.is_held)
             ORDER BY notice.notice_id
             LIMIT $2
         )
         UPDATE retention_notice AS old
         SET state = 'WITHDRAWN', revision = old.revision + 1, update_time = $3
         FROM outdated
         WHERE old.operator_id = $1 AND old.notice_id = outdated.notice_id AND old.state = 'OPEN'
         RETURNING old.*",
        operator.uuid(),
        limit,
        now
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(RetentionNotice::try_from).collect()
}

/// One notice.
pub async fn get(
    tx: &mut Tx,
    name: &RetentionNoticeName,
) -> Result<Option<RetentionNotice>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM retention_notice WHERE operator_id = $1 AND notice_id = $2",
        name.operator.uuid(),
        name.retention_notice.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(RetentionNotice::try_from).transpose()
}

/// Notices of a person after an id, in the order they were raised.
pub async fn of_person(
    tx: &mut Tx,
    person: &BeneficiaryName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RetentionNotice>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM retention_notice WHERE operator_id = $1 AND beneficiary_id = $2 AND notice_id > $3
         ORDER BY notice_id LIMIT $4",
        person.operator.uuid(),
        person.beneficiary.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(RetentionNotice::try_from).collect()
}

struct Row {
    operator_id: Uuid,
    notice_id: Uuid,
    beneficiary_id: Uuid,
    last_contact_date: Date,
    due_date: Date,
    state: String,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for RetentionNotice {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        Ok(Self {
            name: RetentionNoticeName {
                operator,
                retention_notice: RetentionNoticeId::from_uuid(row.notice_id),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            last_contact_date: row.last_contact_date,
            due_date: row.due_date,
            state: RetentionNoticeState::from_code(&row.state).ok_or_else(|| damaged("state"))?,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
