//! SQL of renewals and their alerts.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, EntitlementId, OperatorId, RenewalAlertId, RenewalAlertName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime, macros::date};
use uuid::Uuid;

use super::domain::{Renewal, RenewalAlert, RenewalAlertState, Standing};
use crate::{codes::damaged, record::only_all};

/// One alert.
pub async fn get(tx: &mut Tx, name: &RenewalAlertName) -> Result<Option<RenewalAlert>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, alert_id, entitlement_id, renewal_date, state, settled_date, revision, create_time,
                update_time
         FROM renewal_alert WHERE operator_id = $1 AND alert_id = $2",
        name.operator.uuid(),
        name.renewal_alert.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(RenewalAlert::try_from).transpose()
}

/// Alerts about a person's rights after an id, in the order they were raised.
pub async fn of_person(
    tx: &mut Tx,
    person: &BeneficiaryName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<RenewalAlert>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT alert.operator_id, alert_id, entitlement_id, alert.renewal_date, alert.state, settled_date,
                alert.revision, alert.create_time, alert.update_time
         FROM renewal_alert AS alert JOIN entitlement AS claim USING (operator_id, entitlement_id)
         WHERE alert.operator_id = $1 AND claim.beneficiary_id = $2 AND alert_id > $3
         ORDER BY alert_id LIMIT $4",
        person.operator.uuid(),
        person.beneficiary.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(RenewalAlert::try_from).collect()
}

/// Rights of an operator to be renewed by a day, after a date and a right, in their order.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    until: Date,
    after: Option<(Date, Uuid)>,
    limit: i64,
) -> Result<Vec<Renewal>, Error> {
    let (after_date, after_id) = after.unwrap_or((Date::MIN, Uuid::nil()));
    let rows = sqlx::query!(
        r#"SELECT entitlement_id AS "entitlement_id!", external_reference AS "external_reference!",
                  beneficiary_id AS "beneficiary_id!", right_code AS "right_code!", renewal_date AS "renewal_date!",
                  is_filed AS "is_filed!"
           FROM renewal
           WHERE operator_id = $1 AND renewal_date <= $2 AND NOT is_renewed AND renewal_date >= $3
             AND (renewal_date, entitlement_id) > ($3, $4)
             AND NOT EXISTS (SELECT FROM processing_limit AS held
                             WHERE held.operator_id = renewal.operator_id AND held.beneficiary_id = renewal.beneficiary_id)
           ORDER BY renewal_date, entitlement_id
           LIMIT $5"#,
        operator.uuid(),
        until,
        // PostgreSQL's first day is not that of `time`.
        after_date.max(FIRST_DAY),
        after_id,
        limit
    )
    .all(tx.conn())
    .await?;
    let renewals = rows.into_iter().map(|row| Renewal {
        operator,
        entitlement: EntitlementId::from_uuid(row.entitlement_id),
        reference: row.external_reference,
        beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
        right: row.right_code,
        renewal_date: row.renewal_date,
        is_filed: row.is_filed,
    });
    Ok(renewals.collect())
}

/// No right is as old.
const FIRST_DAY: Date = date!(1900 - 01 - 01);

/// Rights of an operator to be renewed by a day that have no alert for that date, the most urgent first.
pub async fn without_alert(
    tx: &mut Tx,
    operator: OperatorId,
    until: Date,
    limit: i64,
) -> Result<Vec<(EntitlementId, Date)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT entitlement_id AS "entitlement_id!", renewal_date AS "renewal_date!"
           FROM renewal
           WHERE operator_id = $1 AND renewal_date <= $2 AND NOT is_renewed
             AND NOT EXISTS (SELECT FROM processing_limit AS held
                             WHERE held.operator_id = renewal.operator_id AND held.beneficiary_id = renewal.beneficiary_id)
             AND NOT EXISTS (SELECT FROM renewal_alert AS alert
                             WHERE alert.operator_id = $1 AND alert.entitlement_id = renewal.entitlement_id
                               AND alert.renewal_date = renewal.renewal_date)
           ORDER BY renewal_date, entitlement_id
           LIMIT $3"#,
        operator.uuid(),
        until,
        limit
    )
    .all(tx.conn())
    .await?;
    let rights = rows.into_iter().map(|row| {
        (
            EntitlementId::from_uuid(row.entitlement_id),
            row.renewal_date,
        )
    });
    Ok(rights.collect())
}

/// Stores new alerts of an operator. Conflict when another transaction has raised one of them meanwhile.
pub async fn insert(
    tx: &mut Tx,
    operator: OperatorId,
    alerts: &[RenewalAlert],
) -> Result<(), Error> {
    let columns = Columns::of(alerts);
    let entitlements: Vec<Uuid> = alerts
        .iter()
        .map(|alert| alert.entitlement.uuid())
        .collect();
    let dates: Vec<Date> = alerts.iter().map(|alert| alert.renewal_date).collect();
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO renewal_alert (operator_id, alert_id, entitlement_id, renewal_date, state, revision, create_time,
                                    update_time)
         SELECT $1, new.id, new.entitlement, new.renewal_date, new.state, 1, $2, $2
         FROM UNNEST($3::uuid[], $4::uuid[], $5::date[], $6::text[]) AS new (id, entitlement, renewal_date, state)
         ON CONFLICT (operator_id, entitlement_id, renewal_date) DO NOTHING",
        operator.uuid(),
        now,
        &columns.ids,
        &entitlements,
        &dates,
        &columns.states as &[&str]
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), alerts.len())
}

/// Alerts of an operator that are not settled, with how their rights stand: those of these persons, locked.
pub async fn open_of(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<Vec<(RenewalAlert, Option<Standing>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT alert.operator_id, alert.alert_id, alert.entitlement_id, alert.renewal_date, alert.state,
                  alert.settled_date, alert.revision, alert.create_time, alert.update_time,
                  standing.renewal_date AS "standing_date?", standing.is_renewed AS "is_renewed?"
           FROM renewal_alert AS alert
           JOIN entitlement AS claim USING (operator_id, entitlement_id)
           JOIN beneficiary AS person USING (operator_id, convention_id, beneficiary_id)
           LEFT JOIN renewal AS standing
                  ON standing.operator_id = $1 AND standing.entitlement_id = alert.entitlement_id
           WHERE alert.operator_id = $1 AND alert.state IN ('DUE', 'INTERRUPTED') AND person.beneficiary_id = ANY($2)
           ORDER BY alert.alert_id
           FOR UPDATE OF alert"#,
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let standing = row.standing_date.zip(row.is_renewed);
            let alert = RenewalAlert::try_from(Row {
                operator_id: row.operator_id,
                alert_id: row.alert_id,
                entitlement_id: row.entitlement_id,
                renewal_date: row.renewal_date,
                state: row.state,
                settled_date: row.settled_date,
                revision: row.revision,
                create_time: row.create_time,
                update_time: row.update_time,
            })?;
            let standing = standing.map(|(renewal_date, is_renewed)| Standing {
                renewal_date,
                is_renewed,
            });
            Ok((alert, standing))
        })
        .collect()
}

/// Persons of an operator with an open alert that does not say how its right stands on a day.
pub async fn persons_to_settle(
    tx: &mut Tx,
    operator: OperatorId,
    today: Date,
    limit: i64,
) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT claim.beneficiary_id
         FROM renewal_alert AS alert
         JOIN entitlement AS claim USING (operator_id, entitlement_id)
         LEFT JOIN renewal AS standing ON standing.operator_id = $1 AND standing.entitlement_id = alert.entitlement_id
         WHERE alert.operator_id = $1 AND alert.state IN ('DUE', 'INTERRUPTED')
           AND (standing.renewal_date IS DISTINCT FROM alert.renewal_date OR standing.is_renewed
                OR alert.state = 'DUE' AND alert.renewal_date < $2)
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                           WHERE held.operator_id = claim.operator_id AND held.beneficiary_id = claim.beneficiary_id)
         ORDER BY alert.renewal_date
         LIMIT $3",
        operator.uuid(),
        today,
        limit
    )
    .all(tx.conn())
    .await?)
}

/// Changes alerts of an operator, which are locked, to their next revision.
pub async fn update(
    tx: &mut Tx,
    operator: OperatorId,
    alerts: &[RenewalAlert],
) -> Result<(), Error> {
    let columns = Columns::of(alerts);
    let settled: Vec<Option<Date>> = alerts.iter().map(|alert| alert.settled_date).collect();
    let now = tx.now();
    let done = sqlx::query!(
        "UPDATE renewal_alert AS old
         SET state = new.state, settled_date = new.settled, revision = old.revision + 1, update_time = $2
         FROM UNNEST($3::uuid[], $4::text[], $5::date[]) AS new (id, state, settled)
         WHERE old.operator_id = $1 AND old.alert_id = new.id",
        operator.uuid(),
        now,
        &columns.ids,
        &columns.states as &[&str],
        &settled as &[Option<Date>]
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), alerts.len())
}

struct Columns {
    ids: Vec<Uuid>,
    states: Vec<&'static str>,
}

impl Columns {
    fn of(alerts: &[RenewalAlert]) -> Self {
        Self {
            ids: alerts.iter().map(|alert| alert.id.uuid()).collect(),
            states: alerts.iter().map(|alert| alert.state.code()).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    alert_id: Uuid,
    entitlement_id: Uuid,
    renewal_date: Date,
    state: String,
    settled_date: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for RenewalAlert {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            operator: OperatorId::from_uuid(row.operator_id),
            id: RenewalAlertId::from_uuid(row.alert_id),
            entitlement: EntitlementId::from_uuid(row.entitlement_id),
            renewal_date: row.renewal_date,
            state: RenewalAlertState::from_code(&row.state).ok_or_else(|| damaged("state"))?,
            settled_date: row.settled_date,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
