//! The chain of events that matter to security: kept, verified, purged after its time.
//!
//! Few rows come: an instance adds what it has counted, now and then. So each is linked when it is written, under one lock,
//! unlike the journal of accesses, whose writers must not wait for each other (ADR 0018).

use std::{fmt, str::FromStr};

use nonrecours_kernel::{Digest, Scope};
use nonrecours_rpc::audit::Counted;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::{Db, Tx, error::Error, rows::All as _};

/// What is hashed is of this form.
const FORM: &[u8] = b"nonrecours security 1";
/// Events verified, or purged, at once.
const BATCH: i64 = 1000;
/// Transactions of one purge at most; what is left waits for the next.
const MAX_BATCHES: u32 = 100;
/// Who holds it adds to the chain or purges it.
const LOCK: i64 = 0x6e6f_6e73_6563;

/// A link of the chain by its number: noted elsewhere, it shows later whether the chain is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1; 0: the chain has not begun.
    pub number: i64,
    /// SHA-256 of the link before and of the event.
    pub digest: Digest,
}

impl Link {
    /// Before the first.
    pub const START: Self = Self {
        number: 0,
        digest: Digest::from_bytes([0; 32]),
    };

    /// The next link.
    fn next(&self, event: &Row) -> Self {
        let number = self.number + 1;
        let mut hash = Sha256::new();
        // Each part with its length before it, so that no two events are hashed alike.
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(FORM);
        add(self.digest.as_bytes());
        add(&number.to_be_bytes());
        add(event.kind.as_bytes());
        add(event.cause.as_bytes());
        add(event.subject.as_bytes());
        add(event.rpc.as_bytes());
        add(&event.count.to_be_bytes());
        for time in [event.first_time, event.last_time, event.record_time] {
            add(&time.unix_timestamp_nanos().to_be_bytes());
        }
        Self {
            number,
            digest: Digest::from_bytes(hash.finalize().into()),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.digest)
    }
}

/// The text is not a link.
#[derive(Debug, thiserror::Error)]
#[error("a link is a number, a colon and 64 hexadecimal digits")]
pub struct NotALink;

impl FromStr for Link {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let (number, digest) = text.split_once(':').ok_or(NotALink)?;
        let number = number.parse().map_err(|_| NotALink)?;
        let digest = digest.parse().map_err(|_| NotALink)?;
        (number > 0)
            .then_some(Self { number, digest })
            .ok_or(NotALink)
    }
}

struct Row {
    kind: String,
    cause: String,
    subject: String,
    rpc: String,
    count: i64,
    first_time: OffsetDateTime,
    last_time: OffsetDateTime,
    record_time: OffsetDateTime,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// After what was purged.
    pub start: Link,
    /// The last link, as far as the chain holds.
    pub head: Link,
    /// Number of the first event that is not as it was written, or is gone.
    pub broken: Option<i64>,
}

impl Db {
    /// Adds events to the chain; gives its head.
    pub async fn keep_security_events(
        &self,
        service: &'static str,
        events: &[Counted],
    ) -> Result<Link, Error> {
        let mut tx = self.begin(&Scope::of_service(service)).await?;
        take_chain(&mut tx).await?;
        let mut head = head(&mut tx).await?;
        // What the database keeps of an instant: it is what is hashed.
        let record_time = microseconds(tx.now());
        for counted in events {
            let row = Row {
                kind: counted.event.kind.as_str().to_owned(),
                cause: counted.event.cause.clone(),
                subject: counted.event.subject.clone(),
                rpc: counted.event.rpc.clone(),
                count: i64::try_from(counted.count).unwrap_or(i64::MAX),
                first_time: microseconds(counted.first),
                // A clock may have been put back meanwhile.
                last_time: microseconds(counted.last.max(counted.first)),
                record_time,
            };
            head = head.next(&row);
            sqlx::query!(
                "INSERT INTO security_event
                     (number, kind, cause, subject, rpc, count, first_time, last_time, record_time, link)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                head.number,
                row.kind,
                row.cause,
                row.subject,
                row.rpc,
                row.count,
                row.first_time,
                row.last_time,
                row.record_time,
                head.digest.as_bytes().as_slice()
            )
            .execute(tx.conn())
            .await?;
        }
        tx.commit().await?;
        Ok(head)
    }

    /// Computes the chain again from its events. With `anchor`, the chain must pass through it: so a chain that was written
    /// anew, or cut off at its end, is found.
    pub async fn verify_security_events(
        &self,
        service: &'static str,
        anchor: Option<Link>,
    ) -> Result<Verified, Error> {
        let mut tx = self.read(&Scope::of_service(service)).await?;
        let start = checkpoint(&mut tx).await?;
        let mut head = start;
        let other = |head: &Link| anchor.is_some_and(|it| it.number == head.number && it != *head);
        loop {
            let rows = sqlx::query!(
                "SELECT number, kind, cause, subject, rpc, count, first_time, last_time, record_time, link
                 FROM security_event WHERE number > $1 ORDER BY number LIMIT $2",
                head.number,
                BATCH
            )
            .all(tx.conn())
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let event = Row {
                    kind: row.kind,
                    cause: row.cause,
                    subject: row.subject,
                    rpc: row.rpc,
                    count: row.count,
                    first_time: row.first_time,
                    last_time: row.last_time,
                    record_time: row.record_time,
                };
                let next = head.next(&event);
                let sound = row.number == next.number && row.link == next.digest.as_bytes();
                if !sound || other(&next) {
                    return Ok(Verified {
                        start,
                        head,
                        broken: Some(next.number),
                    });
                }
                head = next;
            }
        }
        let cut_off = anchor.is_some_and(|it| it.number > head.number);
        Ok(Verified {
            start,
            head,
            broken: cut_off.then_some(head.number + 1),
        })
    }

    /// Purges what was kept before an instant; the chain goes on from the checkpoint that stays. Gives how many events went.
    pub async fn purge_security_events(
        &self,
        service: &'static str,
        before: OffsetDateTime,
    ) -> Result<u64, Error> {
        let mut purged = 0;
        for _ in 0..MAX_BATCHES {
            let mut tx = self.begin(&Scope::of_service(service)).await?;
            take_chain(&mut tx).await?;
            let last = sqlx::query!(
                "SELECT number, link FROM (
                     SELECT number, link, record_time FROM security_event ORDER BY number LIMIT $2) AS oldest
                 WHERE record_time < $1 ORDER BY number DESC LIMIT 1",
                before,
                BATCH
            )
            .fetch_optional(tx.conn())
            .await?;
            let Some(last) = last else { break };
            let now = tx.now();
            sqlx::query!(
                "INSERT INTO security_checkpoint (number, link, purge_time) VALUES ($1, $2, $3)",
                last.number,
                last.link,
                now
            )
            .execute(tx.conn())
            .await?;
            let done = sqlx::query!("DELETE FROM security_event WHERE number <= $1", last.number)
                .execute(tx.conn())
                .await?;
            tx.commit().await?;
            purged += done.rows_affected();
        }
        Ok(purged)
    }
}

async fn take_chain(tx: &mut Tx) -> Result<(), Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

async fn head(tx: &mut Tx) -> Result<Link, Error> {
    let last = sqlx::query!("SELECT number, link FROM security_event ORDER BY number DESC LIMIT 1")
        .fetch_optional(tx.conn())
        .await?;
    match last {
        Some(last) => link(last.number, last.link),
        None => checkpoint(tx).await,
    }
}

/// Where the chain begins: after what was purged.
async fn checkpoint(tx: &mut Tx) -> Result<Link, Error> {
    let last =
        sqlx::query!("SELECT number, link FROM security_checkpoint ORDER BY number DESC LIMIT 1")
            .fetch_optional(tx.conn())
            .await?;
    last.map_or(Ok(Link::START), |last| link(last.number, last.link))
}

fn link(number: i64, digest: Vec<u8>) -> Result<Link, Error> {
    let digest = <[u8; 32]>::try_from(digest)
        .map_err(|_| Error::Damaged("a link of the security events".to_owned()))?;
    Ok(Link {
        number,
        digest: Digest::from_bytes(digest),
    })
}

fn microseconds(instant: OffsetDateTime) -> OffsetDateTime {
    let beyond = i64::from(instant.nanosecond() % 1000);
    instant - time::Duration::nanoseconds(beyond)
}
