//! SQL of entitlements.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, ConventionId, ConventionName, EntitlementId, EntitlementName,
    Money, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{
    Amount, AmountKind, AmountUnit, Claim, Entitlement, EntitlementState, SupportMode,
};
use crate::{
    codes::damaged,
    record::{Changed, Record, Reference, damage, only_all},
};

/// One entitlement.
pub async fn get(
    tx: &mut Tx,
    name: &EntitlementName,
) -> Result<Option<Record<Entitlement>>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, entitlement_id, convention_id, beneficiary_id, external_reference, right_code, state,
                amount, amount_kind, amount_unit, filed_date, decided_date, renewal_date, start_date, support_mode,
                non_take_up_reason, version, revision, create_time, update_time
         FROM entitlement WHERE operator_id = $1 AND entitlement_id = $2",
        name.operator.uuid(),
        name.entitlement.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Record::try_from).transpose()
}

/// Entitlements of an operator after an id, in the order of their creation; not of persons whose records are stored only.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Entitlement>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, entitlement_id, convention_id, beneficiary_id, external_reference, right_code, state,
                amount, amount_kind, amount_unit, filed_date, decided_date, renewal_date, start_date, support_mode,
                non_take_up_reason, version, revision, create_time, update_time
         FROM entitlement WHERE operator_id = $1 AND entitlement_id > $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                            WHERE held.operator_id = entitlement.operator_id AND held.beneficiary_id = entitlement.beneficiary_id)
         ORDER BY entitlement_id LIMIT $3",
        operator.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

/// Those about a person after an id, in the order of their creation, whatever limits their processing.
pub async fn of_person(
    tx: &mut Tx,
    person: &BeneficiaryName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Entitlement>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, entitlement_id, convention_id, beneficiary_id, external_reference, right_code, state,
                amount, amount_kind, amount_unit, filed_date, decided_date, renewal_date, start_date, support_mode,
                non_take_up_reason, version, revision, create_time, update_time
         FROM entitlement WHERE operator_id = $1 AND beneficiary_id = $2 AND entitlement_id > $3
         ORDER BY entitlement_id LIMIT $4",
        person.operator.uuid(),
        person.beneficiary.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

/// The stored ones among these references of an operator.
pub async fn find(
    tx: &mut Tx,
    operator: OperatorId,
    references: &[&str],
) -> Result<Vec<Record<Entitlement>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, entitlement_id, convention_id, beneficiary_id, external_reference, right_code, state,
                amount, amount_kind, amount_unit, filed_date, decided_date, renewal_date, start_date, support_mode,
                non_take_up_reason, version, revision, create_time, update_time
         FROM UNNEST($2::text[]) AS sent (reference)
         CROSS JOIN LATERAL (SELECT * FROM entitlement
                             WHERE operator_id = $1 AND external_reference BETWEEN sent.reference AND sent.reference
                             ORDER BY external_reference LIMIT 1) AS stored",
        operator.uuid(),
        references as &[&str]
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

/// Writes records of one convention, each at its revision: new ones, given in the order of their references, so that two
/// batches never wait for each other in a circle, or locked ones. Conflict when another transaction has just stored one of
/// the references.
pub async fn write(
    tx: &mut Tx,
    convention: &ConventionName,
    records: &[Record<Entitlement>],
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(records);
    let references: Vec<&str> = records
        .iter()
        .map(|record| record.reference.as_str())
        .collect();
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO entitlement AS old (operator_id, convention_id, entitlement_id, external_reference, beneficiary_id,
                                  right_code, state, amount, amount_kind, amount_unit, filed_date, decided_date,
                                  renewal_date, start_date, support_mode, non_take_up_reason, version, revision,
                                  create_time, update_time)
         SELECT $1, $2, new.id, new.reference, new.beneficiary, new.right_code, new.state, new.amount, new.amount_kind,
                new.amount_unit, new.filed, new.decided, new.renewal, new.start, new.support_mode, new.reason,
                new.version, new.revision, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::numeric[], $10::text[],
                     $11::text[], $12::date[], $13::date[], $14::date[], $15::date[], $16::text[], $17::text[],
                     $18::bigint[], $19::bigint[])
              WITH ORDINALITY
              AS new (id, reference, beneficiary, right_code, state, amount, amount_kind, amount_unit, filed, decided,
                      renewal, start, support_mode, reason, version, revision, place)
         ORDER BY new.place
         ON CONFLICT (operator_id, external_reference) DO UPDATE
         SET beneficiary_id = excluded.beneficiary_id, right_code = excluded.right_code, state = excluded.state,
             amount = excluded.amount, amount_kind = excluded.amount_kind, amount_unit = excluded.amount_unit,
             filed_date = excluded.filed_date, decided_date = excluded.decided_date,
             renewal_date = excluded.renewal_date, start_date = excluded.start_date,
             support_mode = excluded.support_mode, non_take_up_reason = excluded.non_take_up_reason,
             version = excluded.version, revision = excluded.revision, update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        convention.operator.uuid(),
        convention.convention.uuid(),
        now,
        &columns.ids,
        &references as &[&str],
        &columns.beneficiaries,
        &columns.rights as &[&str],
        &columns.states as &[&str],
        &columns.amounts as &[Option<Decimal>],
        &columns.amount_kinds as &[Option<&str>],
        &columns.amount_units as &[Option<&str>],
        &columns.filed_dates as &[Option<Date>],
        &columns.decided_dates as &[Option<Date>],
        &columns.renewal_dates as &[Option<Date>],
        &columns.start_dates as &[Option<Date>],
        &columns.support_modes as &[Option<&str>],
        &columns.reasons as &[Option<&str>],
        &columns.versions,
        &columns.revisions
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), records.len())
}

/// Locks stored records that are about to change, in the order of their ids, so that two batches never wait for each
/// other in a circle. Conflict when another transaction has just changed one of them.
pub async fn lock(tx: &mut Tx, operator: OperatorId, changed: &Changed<'_>) -> Result<(), Error> {
    let held = sqlx::query!(
        "SELECT stored.entitlement_id
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[]) AS new (id, reference, revision)
         CROSS JOIN LATERAL (SELECT entitlement_id FROM entitlement
                             WHERE operator_id = $1 AND external_reference BETWEEN new.reference AND new.reference
                               AND entitlement_id = new.id AND revision = new.revision - 1
                             ORDER BY external_reference LIMIT 1 FOR NO KEY UPDATE) AS stored",
        operator.uuid(),
        &changed.ids,
        &changed.references as &[&str],
        &changed.revisions
    )
    .all(tx.conn())
    .await?;
    only_all(held.len() as u64, changed.ids.len())
}

/// The records column by column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    beneficiaries: Vec<Uuid>,
    rights: Vec<&'a str>,
    states: Vec<&'static str>,
    amounts: Vec<Option<Decimal>>,
    amount_kinds: Vec<Option<&'static str>>,
    amount_units: Vec<Option<&'static str>>,
    filed_dates: Vec<Option<Date>>,
    decided_dates: Vec<Option<Date>>,
    renewal_dates: Vec<Option<Date>>,
    start_dates: Vec<Option<Date>>,
    support_modes: Vec<Option<&'static str>>,
    reasons: Vec<Option<&'a str>>,
    versions: Vec<i64>,
    revisions: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a [Record<Entitlement>]) -> Self {
        let claims = || records.iter().map(|record| &record.content.claim);
        let amounts = || claims().map(|claim| claim.amount);
        Self {
            ids: records.iter().map(|record| record.id.uuid()).collect(),
            beneficiaries: records
                .iter()
                .map(|record| record.content.beneficiary.uuid())
                .collect(),
            rights: claims().map(|claim| claim.right.as_str()).collect(),
            states: claims().map(|claim| claim.state.code()).collect(),
            amounts: amounts()
                .map(|amount| amount.map(|amount| amount.value.amount()))
                .collect(),
            amount_kinds: amounts()
                .map(|amount| amount.map(|amount| amount.kind.code()))
                .collect(),
            amount_units: amounts()
                .map(|amount| amount.map(|amount| amount.unit.code()))
                .collect(),
            filed_dates: claims().map(|claim| claim.filed_date).collect(),
            decided_dates: claims().map(|claim| claim.decided_date).collect(),
            renewal_dates: claims().map(|claim| claim.renewal_date).collect(),
            start_dates: claims().map(|claim| claim.start_date).collect(),
            support_modes: claims()
                .map(|claim| claim.support_mode.map(SupportMode::code))
                .collect(),
            reasons: claims()
                .map(|claim| claim.non_take_up_reason.as_deref())
                .collect(),
            versions: records.iter().map(|record| record.version).collect(),
            revisions: records.iter().map(|record| record.revision).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    entitlement_id: Uuid,
    convention_id: Uuid,
    beneficiary_id: Uuid,
    external_reference: String,
    right_code: String,
    state: String,
    amount: Option<Decimal>,
    amount_kind: Option<String>,
    amount_unit: Option<String>,
    filed_date: Option<Date>,
    decided_date: Option<Date>,
    renewal_date: Option<Date>,
    start_date: Option<Date>,
    support_mode: Option<String>,
    non_take_up_reason: Option<String>,
    version: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Record<Entitlement> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let amount = match (row.amount, row.amount_kind, row.amount_unit) {
            (Some(value), Some(kind), Some(unit)) => Some(Amount {
                value: Money::try_from(value).map_err(damage)?,
                kind: AmountKind::from_code(&kind).ok_or_else(|| damaged("amount_kind"))?,
                unit: AmountUnit::from_code(&unit).ok_or_else(|| damaged("amount_unit"))?,
            }),
            (None, None, None) => None,
            _ => {
                return Err(Error::Damaged(
                    "an amount without its kind or unit".to_owned(),
                ));
            }
        };
        let mode =
            |code: String| SupportMode::from_code(&code).ok_or_else(|| damaged("support_mode"));
        Ok(Self {
            convention: ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            },
            id: EntitlementId::from_uuid(row.entitlement_id),
            reference: Reference::stored(row.external_reference),
            version: row.version,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: Entitlement {
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
                claim: Claim {
                    right: row.right_code,
                    state: EntitlementState::from_code(&row.state)
                        .ok_or_else(|| damaged("state"))?,
                    amount,
                    filed_date: row.filed_date,
                    decided_date: row.decided_date,
                    renewal_date: row.renewal_date,
                    start_date: row.start_date,
                    support_mode: row.support_mode.map(mode).transpose()?,
                    non_take_up_reason: row.non_take_up_reason,
                },
            },
        })
    }
}
