//! SQL of beneficiaries.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, ConventionId, ConventionName, InseeCode, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{AgeBand, Beneficiary, ClosingReason, Journey, JourneyState, Publics};
use crate::{
    codes::damaged,
    record::{Changed, Record, Reference, damage, only_all},
};

/// One beneficiary.
pub async fn get(
    tx: &mut Tx,
    name: &BeneficiaryName,
) -> Result<Option<Record<Beneficiary>>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision, create_time, update_time
         FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2",
        name.operator.uuid(),
        name.beneficiary.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Record::try_from).transpose()
}

/// Beneficiaries of an operator after an id, in the order of their creation; not of persons whose records are stored only.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Beneficiary>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision, create_time, update_time
         FROM beneficiary WHERE operator_id = $1 AND beneficiary_id > $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                            WHERE held.operator_id = beneficiary.operator_id AND held.beneficiary_id = beneficiary.beneficiary_id)
         ORDER BY beneficiary_id LIMIT $3",
        operator.uuid(),
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
) -> Result<Vec<Record<Beneficiary>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision, create_time, update_time
         FROM UNNEST($2::text[]) AS sent (reference)
         CROSS JOIN LATERAL (SELECT * FROM beneficiary
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
    records: &[Record<Beneficiary>],
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
        "INSERT INTO beneficiary AS old (operator_id, convention_id, beneficiary_id, external_reference, publics, commune_code,
                                  age_band, state, closing_reason, spotted_date, version, revision, create_time,
                                  update_time)
         SELECT $1, $2, new.id, new.reference, string_to_array(new.publics, ','), new.commune, new.age_band, new.state,
                new.closing_reason, new.spotted, new.version, new.revision, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::date[],
                     $12::bigint[], $13::bigint[])
              WITH ORDINALITY
              AS new (id, reference, publics, commune, age_band, state, closing_reason, spotted, version, revision, place)
         ORDER BY new.place
         ON CONFLICT (operator_id, external_reference) DO UPDATE
         SET publics = excluded.publics, commune_code = excluded.commune_code, age_band = excluded.age_band,
             state = excluded.state, closing_reason = excluded.closing_reason, spotted_date = excluded.spotted_date,
             version = excluded.version, revision = excluded.revision, update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        convention.operator.uuid(),
        convention.convention.uuid(),
        now,
        &columns.ids,
        &references as &[&str],
        &columns.publics,
        &columns.communes as &[&str],
        &columns.age_bands as &[Option<&str>],
        &columns.states as &[&str],
        &columns.closing_reasons as &[Option<&str>],
        &columns.spotted_dates,
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
        "SELECT stored.beneficiary_id
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[]) AS new (id, reference, revision)
         CROSS JOIN LATERAL (SELECT beneficiary_id FROM beneficiary
                             WHERE operator_id = $1 AND external_reference BETWEEN new.reference AND new.reference
                               AND beneficiary_id = new.id AND revision = new.revision - 1
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
    /// An array of arrays would need them all of one length: joined, since a code has no comma.
    publics: Vec<String>,
    communes: Vec<&'a str>,
    age_bands: Vec<Option<&'static str>>,
    states: Vec<&'static str>,
    closing_reasons: Vec<Option<&'static str>>,
    spotted_dates: Vec<Date>,
    versions: Vec<i64>,
    revisions: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a [Record<Beneficiary>]) -> Self {
        let contents = || records.iter().map(|record| &record.content);
        Self {
            ids: records.iter().map(|record| record.id.uuid()).collect(),
            publics: contents().map(|content| content.publics.joined()).collect(),
            communes: contents().map(|content| content.commune.as_str()).collect(),
            age_bands: contents()
                .map(|content| content.age_band.map(AgeBand::code))
                .collect(),
            states: contents()
                .map(|content| content.journey.state().code())
                .collect(),
            closing_reasons: contents()
                .map(|content| content.journey.closing_reason().map(ClosingReason::code))
                .collect(),
            spotted_dates: contents().map(|content| content.spotted_date).collect(),
            versions: records.iter().map(|record| record.version).collect(),
            revisions: records.iter().map(|record| record.revision).collect(),
        }
    }
}

/// Those of these records that were merged into others, after an id, as they stood.
pub async fn put_aside(
    tx: &mut Tx,
    operator: OperatorId,
    records: &[Uuid],
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Beneficiary>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision, create_time, update_time
         FROM merged_beneficiary WHERE operator_id = $1 AND beneficiary_id = ANY($2) AND beneficiary_id > $3
         ORDER BY beneficiary_id LIMIT $4",
        operator.uuid(),
        records,
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

struct Row {
    operator_id: Uuid,
    beneficiary_id: Uuid,
    convention_id: Uuid,
    external_reference: String,
    publics: Vec<String>,
    commune_code: String,
    age_band: Option<String>,
    state: String,
    closing_reason: Option<String>,
    spotted_date: Date,
    version: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Record<Beneficiary> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let age_band = |code: String| AgeBand::from_code(&code).ok_or_else(|| damaged("age_band"));
        let reason =
            |code: String| ClosingReason::from_code(&code).ok_or_else(|| damaged("closing_reason"));
        let state = JourneyState::from_code(&row.state).ok_or_else(|| damaged("state"))?;
        let reason = row.closing_reason.map(reason).transpose()?;
        Ok(Self {
            convention: ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            },
            id: BeneficiaryId::from_uuid(row.beneficiary_id),
            reference: Reference::stored(row.external_reference),
            version: row.version,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: Beneficiary {
                publics: Publics::stored(row.publics),
                commune: row.commune_code.parse::<InseeCode>().map_err(damage)?,
                age_band: row.age_band.map(age_band).transpose()?,
                journey: Journey::new(state, reason).map_err(damage)?,
                spotted_date: row.spotted_date,
            },
        })
    }
}
