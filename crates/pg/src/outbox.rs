//! The outbox: every change, written in the transaction that makes it, read in an order that skips none.
//!
//! Readers page by `(era, xid, position)` and only behind the horizon, the oldest transaction still running: a change
//! that commits late is never behind a cursor already given. Writers take no common lock.

use nonrecours_kernel::OperatorId;
use prost::{Message, Name};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{cursor::Cursor, error::Error, rows::All as _, tx::Tx};

/// Trace context of a change made outside any trace: the W3C format has no empty value.
const NO_TRACE: &str = "";

/// What changed.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What happened, e.g. `convention.signed`.
    pub kind: &'static str,
    /// Operator the resource belongs to; `None`: to no one operator, so seen by the programme's side only.
    pub operator: Option<OperatorId>,
    /// Resource name.
    pub name: &'a str,
    /// Revision of the resource after the change, from 1.
    pub revision: i64,
}

/// A change ready for the outbox.
#[derive(Clone, Debug)]
pub struct Entry {
    operator: Uuid,
    resource: String,
    revision: i64,
    kind: &'static str,
    /// Short name of the snapshot's type, and what gives its URL.
    snapshot_type: (&'static str, fn() -> String),
    snapshot: Vec<u8>,
    traceparent: Option<String>,
}

impl Entry {
    /// A change with the state it left: a full snapshot, or a reduced view where the resource bears identities.
    pub fn new<M: Message + Name>(change: Change<'_>, snapshot: &M) -> Self {
        Self {
            operator: owner(change.operator),
            resource: change.name.to_owned(),
            revision: change.revision,
            kind: change.kind,
            snapshot_type: (M::NAME, M::type_url),
            snapshot: snapshot.encode_to_vec(),
            traceparent: None,
        }
    }

    /// The same, made by a request of another trace than the one that writes it.
    #[must_use]
    pub fn traced(self, traceparent: String) -> Self {
        Self {
            traceparent: Some(traceparent),
            ..self
        }
    }
}

/// A change as the outbox holds it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the feed.
    pub cursor: Cursor,
    /// Resource name.
    pub resource: String,
    /// Revision of the resource.
    pub revision: i64,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub occur_time: OffsetDateTime,
    /// W3C trace context; empty: none.
    pub traceparent: String,
    /// Type of the snapshot.
    pub type_url: String,
    /// The resource as the change left it, encoded.
    pub snapshot: Vec<u8>,
    /// Why; empty: the step carries no reason.
    pub why: String,
}

impl Tx {
    /// Records one change.
    pub async fn record<M: Message + Name>(
        &mut self,
        change: Change<'_>,
        snapshot: &M,
    ) -> Result<(), Error> {
        self.record_all(&[Entry::new(change, snapshot)]).await
    }

    /// Records changes in their order, in one statement.
    pub async fn record_all(&mut self, entries: &[Entry]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let traceparent = nonrecours_rpc::telemetry::context::traceparent()
            .unwrap_or_else(|| NO_TRACE.to_owned());
        let (actor, now, why) = (self.actor().to_owned(), self.now(), self.why.clone());
        let resources: Vec<&str> = entries
            .iter()
            .map(|entry| entry.resource.as_str())
            .collect();
        let revisions: Vec<i64> = entries.iter().map(|entry| entry.revision).collect();
        let snapshots: Vec<&[u8]> = entries
            .iter()
            .map(|entry| entry.snapshot.as_slice())
            .collect();
        let (of, origins) = origins(entries, &traceparent);
        let operators: Vec<Uuid> = origins.iter().map(|origin| origin.operator).collect();
        let kinds: Vec<&str> = origins.iter().map(|origin| origin.kind).collect();
        let types: Vec<String> = origins
            .iter()
            .map(|origin| (origin.snapshot_type.1)())
            .collect();
        let traceparents: Vec<&str> = origins.iter().map(|origin| origin.traceparent).collect();
        let done = sqlx::query!(
            "INSERT INTO outbox (operator_id, era, resource, revision, kind, actor, occur_time, traceparent, type_url,
                                 snapshot, why)
             SELECT ($5::uuid[])[new.origin], (SELECT max(era) FROM feed_era), new.resource, new.revision,
                    ($6::text[])[new.origin], $9, $10, ($8::text[])[new.origin], ($7::text[])[new.origin],
                    new.snapshot, $11
             FROM UNNEST($1::text[], $2::bigint[], $3::bytea[], $4::int[])
                  WITH ORDINALITY AS new (resource, revision, snapshot, origin, place)
             ORDER BY new.place",
            &resources as &[&str],
            &revisions,
            &snapshots as &[&[u8]],
            &of,
            &operators,
            &kinds as &[&str],
            &types,
            &traceparents as &[&str],
            actor,
            now,
            why
        )
        .execute(self.conn())
        .await?;
        debug_assert_eq!(done.rows_affected(), entries.len() as u64);
        self.recorded = true;
        self.changed(entries.iter().map(|entry| entry.resource.as_str()));
        Ok(())
    }

    /// The changes after a cursor, oldest first, that no running transaction can still come before.
    pub async fn changes_after(
        &mut self,
        cursor: Cursor,
        limit: i64,
    ) -> Result<Vec<Recorded>, Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT era, xid::text AS "xid!", position, resource, revision, kind, actor, occur_time, traceparent,
                      type_url, snapshot, why
               FROM outbox
               WHERE (era, xid, position) > ($1, $2::text::xid8, $3)
                 AND (era < (SELECT max(era) FROM feed_era) OR xid < pg_snapshot_xmin(pg_current_snapshot()))
               ORDER BY era, xid, position
               LIMIT $4"#,
            cursor.era,
            cursor.xid.to_string(),
            cursor.position,
            limit
        )
        .all(self.conn())
        .await?;
        rows.into_iter().map(Recorded::try_from).collect()
    }

    /// The changes of a resource and of those below it, after a position, in the order of their insertion. `operator`:
    /// the owner in the resource's name, `None` for what belongs to no operator.
    pub async fn history(
        &mut self,
        operator: Option<OperatorId>,
        resource: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Recorded>, Error> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT era, xid::text AS "xid!", position, resource, revision, kind, actor, occur_time, traceparent,
                      type_url, snapshot, why
               FROM outbox
               WHERE operator_id = $1 AND (resource = $2 OR starts_with(resource, $2 || '/')) AND position > $3
               ORDER BY position
               LIMIT $4"#,
            owner(operator),
            resource,
            after,
            limit
        )
        .all(self.conn())
        .await?;
        rows.into_iter().map(Recorded::try_from).collect()
    }

    /// What happened to each of these resources, in the order of its insertion: the last `each` events of every one, in one
    /// statement. A resource comes with its operator, `None` for what belongs to no operator.
    pub async fn events(
        &mut self,
        resources: &[(Option<OperatorId>, String)],
        each: i64,
    ) -> Result<Vec<Event>, Error> {
        let owners: Vec<Uuid> = resources.iter().map(|(of, _)| owner(*of)).collect();
        let names: Vec<&str> = resources.iter().map(|(_, name)| name.as_str()).collect();
        let events = sqlx::query_as!(
            Event,
            "SELECT event.resource, event.revision, event.kind, event.actor, event.occur_time, event.why
             FROM UNNEST($1::uuid[], $2::text[]) AS wanted (operator_id, resource)
                  CROSS JOIN LATERAL (
                      SELECT outbox.resource, revision, kind, actor, occur_time, why, position
                      FROM outbox
                      WHERE outbox.operator_id = wanted.operator_id AND outbox.resource = wanted.resource
                      ORDER BY position DESC
                      LIMIT $3
                  ) AS event
             ORDER BY event.position",
            &owners,
            &names as &[&str],
            each
        )
        .all(self.conn())
        .await?;
        Ok(events)
    }
}

/// Something that happened to a resource, without the state it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Resource name.
    pub resource: String,
    /// Revision that it left.
    pub revision: i64,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub occur_time: OffsetDateTime,
    /// Why; empty: the step carries no reason.
    pub why: String,
}

/// A row of the outbox as it is read.
struct Row {
    era: i32,
    xid: String,
    position: i64,
    resource: String,
    revision: i64,
    kind: String,
    actor: String,
    occur_time: OffsetDateTime,
    traceparent: String,
    type_url: String,
    snapshot: Vec<u8>,
    why: String,
}

impl TryFrom<Row> for Recorded {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let xid = row
            .xid
            .parse()
            .map_err(|_| Error::Damaged(format!("transaction id {}", row.xid)))?;
        Ok(Self {
            cursor: Cursor {
                era: row.era,
                xid,
                position: row.position,
            },
            resource: row.resource,
            revision: row.revision,
            kind: row.kind,
            actor: row.actor,
            occur_time: row.occur_time,
            traceparent: row.traceparent,
            type_url: row.type_url,
            snapshot: row.snapshot,
            why: row.why,
        })
    }
}

/// What the changes of a transaction have in common, for the most part: a batch has thousands of entries and few origins.
#[derive(Clone, Copy)]
struct Origin<'a> {
    operator: Uuid,
    kind: &'static str,
    snapshot_type: (&'static str, fn() -> String),
    traceparent: &'a str,
}

impl Origin<'_> {
    fn is(&self, other: &Self) -> bool {
        self.operator == other.operator
            && self.kind == other.kind
            && self.snapshot_type.0 == other.snapshot_type.0
            && self.traceparent == other.traceparent
    }
}

/// The origin of each entry, counted from 1 as PostgreSQL does, and the origins. `traceparent`: of those that have none
/// of their own. Only the origin before is compared: entries of one origin come in a row.
fn origins<'a>(entries: &'a [Entry], traceparent: &'a str) -> (Vec<i32>, Vec<Origin<'a>>) {
    let mut origins: Vec<Origin<'a>> = Vec::new();
    let mut place = 0;
    let of = entries
        .iter()
        .map(|entry| {
            let origin = Origin {
                operator: entry.operator,
                kind: entry.kind,
                snapshot_type: entry.snapshot_type,
                traceparent: entry.traceparent.as_deref().unwrap_or(traceparent),
            };
            if !origins.last().is_some_and(|last| last.is(&origin)) {
                origins.push(origin);
                place += 1;
            }
            place
        })
        .collect();
    (of, origins)
}

fn owner(operator: Option<OperatorId>) -> Uuid {
    operator.map_or(Uuid::nil(), |operator| operator.uuid())
}
