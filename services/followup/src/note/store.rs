//! SQL of notes and of their texts.

use std::collections::HashMap;

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, ConventionId, ConventionName, NoteId, NoteName, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::Note;
use crate::{
    error::Error as Failed,
    record::{Changed, Record, Reference, only_all},
    vault::{KeyRing, Label, SealError, seal::Wrapped, store as keys},
};

/// One note.
pub async fn get(tx: &mut Tx, name: &NoteName) -> Result<Option<Record<Note>>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, note_id, convention_id, beneficiary_id, external_reference, written_date, version, revision,
                create_time, update_time
         FROM note WHERE operator_id = $1 AND note_id = $2",
        name.operator.uuid(),
        name.note.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Record::try_from).transpose()
}

/// Notes of an operator after an id, in the order of their creation; not of persons whose records are stored only.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Note>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, note_id, convention_id, beneficiary_id, external_reference, written_date, version, revision,
                create_time, update_time
         FROM note WHERE operator_id = $1 AND note_id > $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                            WHERE held.operator_id = note.operator_id AND held.beneficiary_id = note.beneficiary_id)
         ORDER BY note_id LIMIT $3",
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
) -> Result<Vec<Record<Note>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, note_id, convention_id, beneficiary_id, external_reference, written_date, version, revision,
                create_time, update_time
         FROM note WHERE operator_id = $1 AND beneficiary_id = $2 AND note_id > $3
         ORDER BY note_id LIMIT $4",
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
) -> Result<Vec<Record<Note>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, note_id, convention_id, beneficiary_id, external_reference, written_date, version, revision,
                create_time, update_time
         FROM UNNEST($2::text[]) AS sent (reference)
         CROSS JOIN LATERAL (SELECT * FROM note
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
    records: &[Record<Note>],
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
        "INSERT INTO note AS old (operator_id, convention_id, note_id, external_reference, beneficiary_id, written_date, version,
                           revision, create_time, update_time)
         SELECT $1, $2, new.id, new.reference, new.beneficiary, new.day, new.version, new.revision, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::uuid[], $7::date[], $8::bigint[], $9::bigint[])
              WITH ORDINALITY AS new (id, reference, beneficiary, day, version, revision, place)
         ORDER BY new.place
         ON CONFLICT (operator_id, external_reference) DO UPDATE
         SET beneficiary_id = excluded.beneficiary_id, written_date = excluded.written_date,
             version = excluded.version, revision = excluded.revision, update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        convention.operator.uuid(),
        convention.convention.uuid(),
        now,
        &columns.ids,
        &references as &[&str],
        &columns.beneficiaries,
        &columns.days,
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
        "SELECT stored.note_id
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[]) AS new (id, reference, revision)
         CROSS JOIN LATERAL (SELECT note_id FROM note
                             WHERE operator_id = $1 AND external_reference BETWEEN new.reference AND new.reference
                               AND note_id = new.id AND revision = new.revision - 1
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

/// What these notes say, those whose persons still have their key.
pub async fn texts(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    notes: &[NoteId],
) -> Result<HashMap<NoteId, String>, Failed> {
    let ids: Vec<Uuid> = notes.iter().map(|note| note.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT note_id, beneficiary_id, key.key_id, key.wrapped, text.sealed
         FROM note_text AS text JOIN person_key AS key USING (operator_id, beneficiary_id)
         WHERE operator_id = $1 AND note_id = ANY($2)",
        operator.uuid(),
        &ids
    )
    .all(tx.conn())
    .await
    .map_err(Error::from)?;
    let mut texts = HashMap::with_capacity(rows.len());
    for row in rows {
        let person = BeneficiaryName {
            operator,
            beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
        };
        let wrapped = Wrapped {
            key_id: row.key_id,
            bytes: row.wrapped,
        };
        let key = ring.unwrap(&person, &wrapped)?;
        let text = key.open(Label::Note, &person, row.note_id, &row.sealed)?;
        let text = str::from_utf8(&text).map_err(|_| SealError::Altered)?;
        texts.insert(NoteId::from_uuid(row.note_id), text.to_owned());
    }
    Ok(texts)
}

/// Seals and stores texts, each under the key of its person.
pub async fn write_texts(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    texts: &[(NoteId, BeneficiaryId, &str)],
) -> Result<(), Failed> {
    if texts.is_empty() {
        return Ok(());
    }
    let persons: Vec<BeneficiaryId> = texts.iter().map(|(_, person, _)| *person).collect();
    let keys = keys::for_sealing(tx, ring, operator, &persons).await?;
    let mut sealed = Vec::with_capacity(texts.len());
    for (note, beneficiary, text) in texts {
        let person = BeneficiaryName {
            operator,
            beneficiary: *beneficiary,
        };
        // There is one for each.
        let key = keys.get(beneficiary).ok_or(SealError::Altered)?;
        sealed.push(key.seal(Label::Note, &person, note.uuid(), text.as_bytes())?);
    }
    let notes: Vec<Uuid> = texts.iter().map(|(note, ..)| note.uuid()).collect();
    let persons: Vec<Uuid> = persons.iter().map(|person| person.uuid()).collect();
    let done = sqlx::query!(
        "INSERT INTO note_text (operator_id, note_id, beneficiary_id, sealed)
         SELECT $1, new.note, new.person, new.sealed
         FROM UNNEST($2::uuid[], $3::uuid[], $4::bytea[]) AS new (note, person, sealed)
         ON CONFLICT (operator_id, note_id) DO UPDATE
         SET beneficiary_id = excluded.beneficiary_id, sealed = excluded.sealed",
        operator.uuid(),
        &notes,
        &persons,
        &sealed
    )
    .execute(tx.conn())
    .await
    .map_err(Error::from)?;
    Ok(only_all(done.rows_affected(), texts.len())?)
}

/// The records column by column.
struct Columns {
    ids: Vec<Uuid>,
    beneficiaries: Vec<Uuid>,
    days: Vec<Date>,
    versions: Vec<i64>,
    revisions: Vec<i64>,
}

impl Columns {
    fn of(records: &[Record<Note>]) -> Self {
        let contents = || records.iter().map(|record| &record.content);
        Self {
            ids: records.iter().map(|record| record.id.uuid()).collect(),
            beneficiaries: contents()
                .map(|content| content.beneficiary.uuid())
                .collect(),
            days: contents().map(|content| content.written_date).collect(),
            versions: records.iter().map(|record| record.version).collect(),
            revisions: records.iter().map(|record| record.revision).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    note_id: Uuid,
    convention_id: Uuid,
    beneficiary_id: Uuid,
    external_reference: String,
    written_date: Date,
    version: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Record<Note> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            convention: ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            },
            id: NoteId::from_uuid(row.note_id),
            reference: Reference::stored(row.external_reference),
            version: row.version,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: Note {
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
                written_date: row.written_date,
            },
        })
    }
}
