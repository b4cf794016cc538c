//! SQL of the journal of accesses.

use nonrecours_kernel::{BeneficiaryId, Digest, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use nonrecours_rpc::telemetry::context::traceparent;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    chain::{Anchor, Entry, Place},
    witness::Met,
};
use crate::codes::damaged;

/// Held by the one instance that extends or shortens the chain: "ACCESS" in ASCII.
const CHAIN_LOCK: i64 = 0x4143_4345_5353;

/// Enters records that a transaction has met. Gives whether the operator has anybody whose records are stored only.
pub(super) async fn insert(tx: &mut Tx, kind: &'static str, met: &Met) -> Result<bool, Error> {
    let scope = tx.scope().clone();
    let roles: Vec<&str> = scope.roles().iter().map(|role| role.as_str()).collect();
    let collections: Vec<&str> = met.collections.iter().map(|(of, _)| of.as_str()).collect();
    let counts: Vec<i32> = met
        .collections
        .iter()
        .map(|(_, ids)| saturated(ids.len()))
        .collect();
    let ids: Vec<Uuid> = met
        .collections
        .iter()
        .flat_map(|(_, ids)| ids.iter().copied())
        .collect();
    let (now, why) = (tx.now(), tx.why().to_owned());
    let limits = sqlx::query_scalar!(
        r#"INSERT INTO access_entry (operator_id, era, actor, actor_operator, roles, rpc, kind, occur_time, traceparent, why,
                                   record_count, digest, collections, counts, records)
         VALUES ($1, (SELECT max(era) FROM feed_era), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         RETURNING EXISTS (SELECT FROM processing_limit AS held WHERE held.operator_id = $1) AS "limits!""#,
        met.operator,
        scope.actor(),
        scope.actor_operator().map(|operator| operator.uuid()),
        roles.join(","),
        scope.call().rpc(),
        kind,
        now,
        traceparent().unwrap_or_default(),
        why,
        saturated(met.count),
        met.digest(),
        &collections as &[&str],
        &counts,
        &ids
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(limits)
}

fn saturated(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Takes the chain until the transaction ends; false when another instance has it.
pub async fn try_take_chain(tx: &mut Tx) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock($1) AS "taken!""#,
        CHAIN_LOCK
    )
    .fetch_one(tx.conn())
    .await?)
}

/// The last checkpoint: the chain begins after it.
pub async fn checkpoint(tx: &mut Tx) -> Result<Option<Anchor>, Error> {
    let row =
        sqlx::query!("SELECT number, link FROM access_checkpoint ORDER BY number DESC LIMIT 1")
            .fetch_optional(tx.conn())
            .await?;
    row.map(|row| anchor(row.number, row.link)).transpose()
}

/// The last link, with the place of its entry.
pub async fn head(tx: &mut Tx) -> Result<Option<(Anchor, Place)>, Error> {
    let row = sqlx::query!(
        r#"SELECT number, link, era, xid::text AS "xid!", position FROM access_link ORDER BY number DESC LIMIT 1"#
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let place = place(row.era, &row.xid, row.position)?;
        Ok((anchor(row.number, row.link)?, place))
    })
    .transpose()
}

/// Links after a number in their order, with the places of their entries.
pub async fn links(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<(Anchor, Place)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT number, link, era, xid::text AS "xid!", position FROM access_link
           WHERE number > $1 ORDER BY number LIMIT $2"#,
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = place(row.era, &row.xid, row.position)?;
            Ok((anchor(row.number, row.link)?, place))
        })
        .collect()
}

/// Entries after a place that no running transaction can still come before, in their order.
pub async fn sealable(tx: &mut Tx, after: Place, limit: i64) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT operator_id, position, era, xid::text AS "xid!", actor, actor_operator, roles, rpc, kind, occur_time,
                  traceparent, why, record_count, digest, collections, counts, records
           FROM access_entry
           WHERE (era, xid, position) > ($1, $2::text::xid8, $3)
             AND (era < (SELECT max(era) FROM feed_era) OR xid < pg_snapshot_xmin(pg_current_snapshot()))
           ORDER BY era, xid, position LIMIT $4"#,
        after.era,
        after.xid.to_string(),
        after.position,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// Entries after a place and up to another, in their order.
pub async fn between(
    tx: &mut Tx,
    after: Place,
    to: Place,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT operator_id, position, era, xid::text AS "xid!", actor, actor_operator, roles, rpc, kind, occur_time,
                  traceparent, why, record_count, digest, collections, counts, records
           FROM access_entry
           WHERE (era, xid, position) > ($1, $2::text::xid8, $3) AND (era, xid, position) <= ($4, $5::text::xid8, $6)
           ORDER BY era, xid, position LIMIT $7"#,
        after.era,
        after.xid.to_string(),
        after.position,
        to.era,
        to.xid.to_string(),
        to.position,
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// How many entries come after a place.
pub async fn count_after(tx: &mut Tx, after: Place) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM access_entry WHERE (era, xid, position) > ($1, $2::text::xid8, $3)"#,
        after.era,
        after.xid.to_string(),
        after.position
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Adds links, each with the place of its entry.
pub async fn append(tx: &mut Tx, links: &[(Anchor, Place)]) -> Result<(), Error> {
    let numbers: Vec<i64> = links.iter().map(|(link, _)| link.number).collect();
    let digests: Vec<&[u8]> = links
        .iter()
        .map(|(link, _)| link.link.as_bytes().as_slice())
        .collect();
    let eras: Vec<i32> = links.iter().map(|(_, place)| place.era).collect();
    let xids: Vec<String> = links
        .iter()
        .map(|(_, place)| place.xid.to_string())
        .collect();
    let positions: Vec<i64> = links.iter().map(|(_, place)| place.position).collect();
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO access_link (number, era, xid, position, link, seal_time)
         SELECT new.number, new.era, new.xid::xid8, new.position, new.link, $6
         FROM UNNEST($1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bytea[])
              AS new (number, era, xid, position, link)",
        &numbers,
        &eras,
        &xids,
        &positions,
        &digests as &[&[u8]],
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The last of the first links, at most `limit`, that were all sealed more than so many months ago.
pub async fn outdated(tx: &mut Tx, months: i32, limit: i64) -> Result<Option<Anchor>, Error> {
    let now = tx.now();
    let row = sqlx::query!(
        "WITH oldest AS (SELECT number, link, seal_time FROM access_link ORDER BY number LIMIT $3),
              kept AS (SELECT min(number) AS number FROM oldest
                       WHERE seal_time >= $1::timestamptz - make_interval(months => $2))
         SELECT oldest.number, oldest.link FROM oldest, kept
         WHERE kept.number IS NULL OR oldest.number < kept.number
         ORDER BY oldest.number DESC LIMIT 1",
        now,
        months,
        limit
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| anchor(row.number, row.link)).transpose()
}

/// Removes the chain up to a link, which stays as a checkpoint, with its entries. Gives how many.
pub async fn purge(tx: &mut Tx, upto: &Anchor, months: i32) -> Result<u64, Error> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO access_checkpoint (number, link, kept_from, purge_time)
         VALUES ($1, $2, $3::timestamptz - make_interval(months => $4), $3)",
        upto.number,
        upto.link.as_bytes().as_slice(),
        now,
        months
    )
    .execute(tx.conn())
    .await?;
    let purged = sqlx::query!(
        "DELETE FROM access_entry AS entry USING access_link AS sealed
         WHERE sealed.number <= $1 AND entry.era = sealed.era AND entry.xid = sealed.xid
           AND entry.position = sealed.position",
        upto.number
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM access_link WHERE number <= $1", upto.number)
        .execute(tx.conn())
        .await?;
    Ok(purged.rows_affected())
}

/// What of the entries is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only those that met this person, or a record about them.
    pub person: Option<BeneficiaryId>,
    /// Only those from this time on.
    pub from: Option<OffsetDateTime>,
    /// Only those before this time.
    pub before: Option<OffsetDateTime>,
}

/// Entries about an operator's records after a position, oldest first.
pub async fn list(
    tx: &mut Tx,
    operator: OperatorId,
    filter: Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT operator_id, position, era, xid::text AS "xid!", actor, actor_operator, roles, rpc, kind, occur_time,
                  traceparent, why, record_count, digest, collections, counts, records
           FROM access_entry
           WHERE operator_id = $1 AND position > $2
             AND ($3::timestamptz IS NULL OR occur_time >= $3) AND ($4::timestamptz IS NULL OR occur_time < $4)
             AND ($5::uuid IS NULL OR records && (
                  SELECT array_agg(about.id) FROM (
                      SELECT $5 AS id
                      UNION ALL SELECT entitlement_id FROM entitlement WHERE operator_id = $1 AND beneficiary_id = $5
                      UNION ALL SELECT step_id FROM step WHERE operator_id = $1 AND beneficiary_id = $5
                      UNION ALL SELECT note_id FROM note WHERE operator_id = $1 AND beneficiary_id = $5
                      UNION ALL SELECT referral_id FROM referral WHERE operator_id = $1 AND beneficiary_id = $5
                      UNION ALL SELECT alert_id FROM renewal_alert JOIN entitlement USING (operator_id, entitlement_id)
                                WHERE operator_id = $1 AND beneficiary_id = $5
                  ) AS about))
           ORDER BY position LIMIT $6"#,
        operator.uuid(),
        after,
        filter.from,
        filter.before,
        filter.person.map(|person| person.uuid()),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// The last entries before a position that met one of a person's records or a record about them, at most `limit`, newest
/// first.
pub async fn last_about(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT operator_id, position, era, xid::text AS "xid!", actor, actor_operator, roles, rpc, kind, occur_time,
                  traceparent, why, record_count, digest, collections, counts, records
           FROM access_entry
           WHERE operator_id = $1 AND records && (
                  SELECT array_agg(about.id) FROM (
                      SELECT unnest($2::uuid[]) AS id
                      UNION ALL SELECT entitlement_id FROM entitlement WHERE operator_id = $1 AND beneficiary_id = ANY($2)
                      UNION ALL SELECT step_id FROM step WHERE operator_id = $1 AND beneficiary_id = ANY($2)
                      UNION ALL SELECT note_id FROM note WHERE operator_id = $1 AND beneficiary_id = ANY($2)
                      UNION ALL SELECT referral_id FROM referral WHERE operator_id = $1 AND beneficiary_id = ANY($2)
                  ) AS about)
             AND position < $3
           ORDER BY position DESC LIMIT $4"#,
        operator.uuid(),
        persons,
        before.unwrap_or(i64::MAX),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

struct Row {
    operator_id: Uuid,
    position: i64,
    era: i32,
    xid: String,
    actor: String,
    actor_operator: Option<Uuid>,
    roles: String,
    rpc: String,
    kind: String,
    occur_time: OffsetDateTime,
    traceparent: String,
    why: String,
    record_count: i32,
    digest: Vec<u8>,
    collections: Vec<String>,
    counts: Vec<i32>,
    records: Vec<Uuid>,
}

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            operator: row.operator_id,
            place: place(row.era, &row.xid, row.position)?,
            actor: row.actor,
            actor_operator: row.actor_operator,
            roles: row.roles,
            rpc: row.rpc,
            kind: row.kind,
            occur_time: row.occur_time,
            traceparent: row.traceparent,
            why: row.why,
            record_count: row.record_count,
            digest: row.digest,
            collections: row.collections,
            counts: row.counts,
            records: row.records,
        })
    }
}

fn place(era: i32, xid: &str, position: i64) -> Result<Place, Error> {
    let xid = xid.parse().map_err(|_| damaged("xid"))?;
    Ok(Place { era, xid, position })
}

fn anchor(number: i64, link: Vec<u8>) -> Result<Anchor, Error> {
    let link = <[u8; 32]>::try_from(link).map_err(|_| damaged("link"))?;
    Ok(Anchor {
        number,
        link: Digest::from_bytes(link),
    })
}
