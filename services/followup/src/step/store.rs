//! SQL of steps.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, ConventionId, ConventionName, EntitlementId, OperatorId,
    StepId, StepName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Act, Step};
use crate::{
    codes::damaged,
    entitlement::domain::SupportMode,
    record::{Changed, Record, Reference, only_all},
    session::domain::Channel,
};

/// One step.
pub async fn get(tx: &mut Tx, name: &StepName) -> Result<Option<Record<Step>>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, step_id, convention_id, beneficiary_id, entitlement_id, external_reference, step_date, mode,
                channel, partner, renewal, minutes, version, revision, create_time, update_time
         FROM step WHERE operator_id = $1 AND step_id = $2",
        name.operator.uuid(),
        name.step.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Record::try_from).transpose()
}

/// Steps of an operator after an id, in the order of their creation; not of persons whose records are stored only.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Step>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, step_id, convention_id, beneficiary_id, entitlement_id, external_reference, step_date, mode,
                channel, partner, renewal, minutes, version, revision, create_time, update_time
         FROM step WHERE operator_id = $1 AND step_id > $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                            WHERE held.operator_id = step.operator_id AND held.beneficiary_id = step.beneficiary_id)
         ORDER BY step_id LIMIT $3",
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
) -> Result<Vec<Record<Step>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, step_id, convention_id, beneficiary_id, entitlement_id, external_reference, step_date, mode,
                channel, partner, renewal, minutes, version, revision, create_time, update_time
         FROM step WHERE operator_id = $1 AND beneficiary_id = $2 AND step_id > $3
         ORDER BY step_id LIMIT $4",
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
) -> Result<Vec<Record<Step>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, step_id, convention_id, beneficiary_id, entitlement_id, external_reference, step_date, mode,
                channel, partner, renewal, minutes, version, revision, create_time, update_time
         FROM UNNEST($2::text[]) AS sent (reference)
         CROSS JOIN LATERAL (SELECT * FROM step
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
    records: &[Record<Step>],
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
        "INSERT INTO step AS old (operator_id, convention_id, step_id, external_reference, beneficiary_id, entitlement_id,
                           step_date, mode, channel, partner, renewal, minutes, version, revision, create_time,
                           update_time)
         SELECT $1, $2, new.id, new.reference, new.beneficiary, new.entitlement, new.day, new.mode, new.channel,
                new.partner, new.renewal, new.minutes, new.version, new.revision, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::date[], $9::text[], $10::text[], $11::text[],
                     $12::boolean[], $13::integer[], $14::bigint[], $15::bigint[])
              WITH ORDINALITY AS new (id, reference, beneficiary, entitlement, day, mode, channel, partner, renewal,
                                      minutes, version, revision, place)
         ORDER BY new.place
         ON CONFLICT (operator_id, external_reference) DO UPDATE
         SET beneficiary_id = excluded.beneficiary_id, entitlement_id = excluded.entitlement_id,
             step_date = excluded.step_date, mode = excluded.mode, channel = excluded.channel,
             partner = excluded.partner, renewal = excluded.renewal, minutes = excluded.minutes,
             version = excluded.version, revision = excluded.revision, update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        convention.operator.uuid(),
        convention.convention.uuid(),
        now,
        &columns.ids,
        &references as &[&str],
        &columns.beneficiaries,
        &columns.entitlements as &[Option<Uuid>],
        &columns.days,
        &columns.modes as &[&str],
        &columns.channels as &[&str],
        &columns.partners as &[Option<&str>],
        &columns.renewals,
        &columns.minutes,
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
        "SELECT stored.step_id
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[]) AS new (id, reference, revision)
         CROSS JOIN LATERAL (SELECT step_id FROM step
                             WHERE operator_id = $1 AND external_reference BETWEEN new.reference AND new.reference
                               AND step_id = new.id AND revision = new.revision - 1
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
    entitlements: Vec<Option<Uuid>>,
    days: Vec<Date>,
    modes: Vec<&'static str>,
    channels: Vec<&'static str>,
    partners: Vec<Option<&'a str>>,
    renewals: Vec<bool>,
    minutes: Vec<i32>,
    versions: Vec<i64>,
    revisions: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a [Record<Step>]) -> Self {
        let contents = || records.iter().map(|record| &record.content);
        let acts = || contents().map(|content| &content.act);
        Self {
            ids: records.iter().map(|record| record.id.uuid()).collect(),
            beneficiaries: contents()
                .map(|content| content.beneficiary.uuid())
                .collect(),
            entitlements: contents()
                .map(|content| content.entitlement.map(EntitlementId::uuid))
                .collect(),
            days: acts().map(|act| act.step_date).collect(),
            modes: acts().map(|act| act.mode.code()).collect(),
            channels: acts().map(|act| act.channel.code()).collect(),
            partners: acts().map(|act| act.partner.as_deref()).collect(),
            renewals: acts().map(|act| act.renewal).collect(),
            minutes: acts().map(|act| act.minutes).collect(),
            versions: records.iter().map(|record| record.version).collect(),
            revisions: records.iter().map(|record| record.revision).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    step_id: Uuid,
    convention_id: Uuid,
    beneficiary_id: Uuid,
    entitlement_id: Option<Uuid>,
    external_reference: String,
    step_date: Date,
    mode: String,
    channel: String,
    partner: Option<String>,
    renewal: bool,
    minutes: i32,
    version: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Record<Step> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            convention: ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            },
            id: StepId::from_uuid(row.step_id),
            reference: Reference::stored(row.external_reference),
            version: row.version,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: Step {
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
                entitlement: row.entitlement_id.map(EntitlementId::from_uuid),
                act: Act {
                    step_date: row.step_date,
                    mode: SupportMode::from_code(&row.mode).ok_or_else(|| damaged("mode"))?,
                    channel: Channel::from_code(&row.channel).ok_or_else(|| damaged("channel"))?,
                    partner: row.partner,
                    renewal: row.renewal,
                    minutes: row.minutes,
                },
            },
        })
    }
}
