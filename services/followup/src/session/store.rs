//! SQL of sessions.

use nonrecours_kernel::{
    ConventionId, ConventionName, InseeCode, OperatorId, SessionId, SessionName,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Channel, Session};
use crate::{
    codes::damaged,
    record::{Changed, Record, Reference, damage, only_all},
};

/// One session.
pub async fn get(tx: &mut Tx, name: &SessionName) -> Result<Option<Record<Session>>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT operator_id, session_id, convention_id, external_reference, venue, commune_code, held_date, channel,
                persons_met, version, revision, create_time, update_time
         FROM session WHERE operator_id = $1 AND session_id = $2",
        name.operator.uuid(),
        name.session.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Record::try_from).transpose()
}

/// Sessions of an operator after an id, in the order of their creation.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Record<Session>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, session_id, convention_id, external_reference, venue, commune_code, held_date, channel,
                persons_met, version, revision, create_time, update_time
         FROM session WHERE operator_id = $1 AND session_id > $2 ORDER BY session_id LIMIT $3",
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
) -> Result<Vec<Record<Session>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, session_id, convention_id, external_reference, venue, commune_code, held_date, channel,
                persons_met, version, revision, create_time, update_time
         FROM UNNEST($2::text[]) AS sent (reference)
         CROSS JOIN LATERAL (SELECT * FROM session
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
    records: &[Record<Session>],
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
        "INSERT INTO session AS old (operator_id, convention_id, session_id, external_reference, venue, commune_code, held_date,
                              channel, persons_met, version, revision, create_time, update_time)
         SELECT $1, $2, new.id, new.reference, new.venue, new.commune, new.held, new.channel, new.persons, new.version,
                new.revision, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::text[], $8::date[], $9::text[], $10::integer[],
                     $11::bigint[], $12::bigint[])
              WITH ORDINALITY AS new (id, reference, venue, commune, held, channel, persons, version, revision, place)
         ORDER BY new.place
         ON CONFLICT (operator_id, external_reference) DO UPDATE
         SET venue = excluded.venue, commune_code = excluded.commune_code, held_date = excluded.held_date,
             channel = excluded.channel, persons_met = excluded.persons_met, version = excluded.version,
             revision = excluded.revision, update_time = excluded.update_time
         WHERE old.revision = excluded.revision - 1",
        convention.operator.uuid(),
        convention.convention.uuid(),
        now,
        &columns.ids,
        &references as &[&str],
        &columns.venues as &[&str],
        &columns.communes as &[&str],
        &columns.held_dates,
        &columns.channels as &[&str],
        &columns.persons_met,
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
        "SELECT stored.session_id
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[]) AS new (id, reference, revision)
         CROSS JOIN LATERAL (SELECT session_id FROM session
                             WHERE operator_id = $1 AND external_reference BETWEEN new.reference AND new.reference
                               AND session_id = new.id AND revision = new.revision - 1
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
    venues: Vec<&'a str>,
    communes: Vec<&'a str>,
    held_dates: Vec<Date>,
    channels: Vec<&'static str>,
    persons_met: Vec<i32>,
    versions: Vec<i64>,
    revisions: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a [Record<Session>]) -> Self {
        let contents = || records.iter().map(|record| &record.content);
        Self {
            ids: records.iter().map(|record| record.id.uuid()).collect(),
            venues: contents().map(|content| content.venue.as_str()).collect(),
            communes: contents().map(|content| content.commune.as_str()).collect(),
            held_dates: contents().map(|content| content.held_date).collect(),
            channels: contents().map(|content| content.channel.code()).collect(),
            persons_met: contents().map(|content| content.persons_met).collect(),
            versions: records.iter().map(|record| record.version).collect(),
            revisions: records.iter().map(|record| record.revision).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    session_id: Uuid,
    convention_id: Uuid,
    external_reference: String,
    venue: String,
    commune_code: String,
    held_date: Date,
    channel: String,
    persons_met: i32,
    version: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Record<Session> {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            convention: ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            },
            id: SessionId::from_uuid(row.session_id),
            reference: Reference::stored(row.external_reference),
            version: row.version,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: Session {
                venue: row.venue,
                commune: row.commune_code.parse::<InseeCode>().map_err(damage)?,
                held_date: row.held_date,
                channel: Channel::from_code(&row.channel).ok_or_else(|| damaged("channel"))?,
                persons_met: row.persons_met,
            },
        })
    }
}
