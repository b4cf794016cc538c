//! What always holds, looked at after every step in the databases themselves; and what holds once nothing is on its way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rust_decimal::Decimal;
use sqlx::PgPool;

use crate::{
    pushing::{self, Pushing},
    world::{ALL, Place, Who, World},
};

/// Counts of the records against the roll-ups: how many differ.
const DIFFERENCES: &str = include_str!("../../services/followup/tests/it/rollup_differences.sql");
/// Queries that find what must not be, each in one database. Nothing that was certified or paid is taken back in this story.
const FORBIDDEN: [(Who, &str, &str); 14] = [
    (Who::Conventions, "a revision is recorded twice", REVISIONS),
    (Who::Followup, "a revision is recorded twice", REVISIONS),
    (Who::Payments, "a revision is recorded twice", REVISIONS),
    (Who::Conventions, "a revision is not recorded", GAPS),
    (Who::Followup, "a revision is not recorded", GAPS),
    (Who::Payments, "a revision is not recorded", GAPS),
    (
        Who::Conventions,
        "an envelope engages what its conventions do not, or more than was voted",
        "SELECT budget_year::text FROM envelope
         WHERE engaged_amount > voted_amount OR paid_amount > engaged_amount
            OR engaged_amount <> (SELECT coalesce(sum(convention.engaged_amount), 0) FROM convention
                                  WHERE convention.programme_id = envelope.programme_id
                                    AND convention.budget_year = envelope.budget_year)
            OR paid_amount <> (SELECT coalesce(sum(convention.paid_amount), 0) FROM convention
                               WHERE convention.programme_id = envelope.programme_id
                                 AND convention.budget_year = envelope.budget_year)",
    ),
    (
        Who::Conventions,
        "a convention is paid more than granted",
        "SELECT title FROM convention WHERE paid_amount > grant_amount",
    ),
    (
        Who::Payments,
        "instalments do not make up the grant",
        "SELECT convention_id::text FROM payment_plan
         WHERE grant_amount <> (SELECT sum(amount) FROM instalment
                                WHERE instalment.convention_id = payment_plan.convention_id AND state <> 'CANCELLED')",
    ),
    (
        Who::Payments,
        "what is paid is not what is booked",
        "SELECT convention_id::text FROM payment_plan
         WHERE (SELECT coalesce(sum(amount), 0) FROM instalment
                WHERE instalment.convention_id = payment_plan.convention_id AND state = 'PAID')
            <> (SELECT coalesce(sum(amount), 0) FROM ledger_entry
                WHERE ledger_entry.convention_id = payment_plan.convention_id AND credit = 'TREASURY')",
    ),
    (
        Who::Payments,
        "what is certified is not what is booked",
        "SELECT convention_id::text FROM payment_plan
         WHERE (SELECT coalesce(sum(amount), 0) FROM instalment
                WHERE instalment.convention_id = payment_plan.convention_id AND state IN ('CERTIFIED', 'ORDERED', 'PAID'))
            <> (SELECT coalesce(sum(amount), 0) FROM ledger_entry
                WHERE ledger_entry.convention_id = payment_plan.convention_id AND debit = 'GRANT_EXPENSE')",
    ),
    (
        Who::Payments,
        "more is paid than granted",
        "SELECT convention_id::text FROM payment_plan
         WHERE grant_amount < (SELECT coalesce(sum(amount), 0) FROM ledger_entry
                               WHERE ledger_entry.convention_id = payment_plan.convention_id AND credit = 'TREASURY')",
    ),
    (
        Who::Payments,
        "an instalment is booked twice",
        "SELECT instalment_id::text FROM ledger_entry GROUP BY instalment_id, debit, credit HAVING count(*) > 1",
    ),
    (
        Who::Followup,
        "a record is there twice",
        "SELECT external_reference FROM beneficiary GROUP BY external_reference HAVING count(*) > 1
         UNION ALL SELECT external_reference FROM entitlement GROUP BY external_reference HAVING count(*) > 1
         UNION ALL SELECT external_reference FROM session GROUP BY external_reference HAVING count(*) > 1",
    ),
];
const REVISIONS: &str = "SELECT resource || ' ' || kind FROM outbox GROUP BY resource, revision, kind HAVING count(*) > 1";
const CHANGES: &str =
    "SELECT resource || ' ' || revision || ' ' || kind || ' ' || position FROM outbox";
/// Resources of which a revision was never recorded.
const GAPS: &str = "SELECT resource FROM outbox GROUP BY resource HAVING count(DISTINCT revision) <> max(revision)";
/// Everything that was pushed: reference, version, and what it says, in words.
const PUSHED: &str = "
    SELECT external_reference, version, commune_code FROM beneficiary
    UNION ALL SELECT external_reference, version, amount::text FROM entitlement
    UNION ALL SELECT external_reference, version, persons_met::text FROM session";
/// Revisions of the conventions, and of what others hold of them.
const CONVENTIONS: &str =
    "SELECT convention_id::text, revision, (state = 'IN_FORCE')::text FROM convention";
const KNOWN: &str = "SELECT convention_id::text, revision, in_force::text FROM convention";
const PLANNED: &str = "SELECT convention_id::text, convention_revision, '' FROM payment_plan";
/// What is paid: as conventions hold it, and by the books.
const HELD: &str = "SELECT convention_id::text, paid_amount FROM convention WHERE paid_amount > 0";
const BOOKED: &str = "
    SELECT convention_id::text, sum(amount) FROM ledger_entry WHERE credit = 'TREASURY' GROUP BY convention_id";
/// Where a feed ends, and where a follower stands.
const END: &str = "SELECT era || '.' || xid || '.' || position FROM outbox ORDER BY era DESC, xid DESC, position DESC LIMIT 1";
const STANDS: &str = "SELECT cursor FROM feed_cursor WHERE source = $1";
/// Longest time until everything has arrived.
const ARRIVAL: Duration = Duration::from_secs(60);

/// The changes that have been seen so far: none may go.
#[derive(Default)]
pub struct Laws {
    changes: BTreeMap<Who, BTreeSet<String>>,
}

type Held = BTreeMap<String, (i64, String)>;

impl Laws {
    /// Looks at everything that always holds.
    pub async fn check(&mut self, world: &World, pushing: &Pushing) -> Result<(), String> {
        for (who, law, query) in FORBIDDEN {
            let found: Vec<String> = fetch(world.place(who), query).await?;
            if !found.is_empty() {
                return Err(format!("{law}: {found:?}"));
            }
        }
        let differing: i64 = sqlx::query_scalar(DIFFERENCES)
            .fetch_one(&world.place(Who::Followup).owner)
            .await
            .map_err(text)?;
        if differing != 0 {
            return Err(format!("counts differ from records in {differing} places"));
        }
        for place in &world.places {
            let changes: BTreeSet<String> = fetch(place, CHANGES).await?.into_iter().collect();
            let before = self.changes.entry(place.who).or_default();
            if let Some(lost) = before.difference(&changes).next() {
                return Err(format!("{:?}: the change {lost} is lost", place.who));
            }
            *before = changes;
        }
        self.never_ahead(world).await?;
        acknowledged(world, pushing).await
    }

    /// Nobody holds more than its source: who holds is read before.
    async fn never_ahead(&self, world: &World) -> Result<(), String> {
        let known = held(world.place(Who::Followup), KNOWN).await?;
        let planned = held(world.place(Who::Payments), PLANNED).await?;
        let paid = sums(world.place(Who::Conventions), HELD).await?;
        let booked = sums(world.place(Who::Payments), BOOKED).await?;
        let conventions = held(world.place(Who::Conventions), CONVENTIONS).await?;
        for (name, (revision, _)) in known.iter().chain(&planned) {
            if conventions
                .get(name)
                .is_none_or(|(newest, _)| newest < revision)
            {
                return Err(format!("{name} is known at {revision} before it is"));
            }
        }
        for (name, amount) in &paid {
            if booked.get(name).is_none_or(|booked| booked < amount) {
                return Err(format!(
                    "{amount} of {name} is shown as paid and not booked"
                ));
            }
        }
        Ok(())
    }
}

/// Waits until everything has arrived everywhere; then projections equal their sources.
pub async fn settled(world: &World) -> Result<(), String> {
    let arriving = async {
        loop {
            let mut arrived = true;
            for who in ALL {
                let end = fetch(world.place(who.source()), END).await?;
                let stands: Vec<String> = sqlx::query_scalar(STANDS)
                    .bind(who.source().name())
                    .fetch_all(&world.place(who).owner)
                    .await
                    .map_err(text)?;
                arrived &= end == stands;
            }
            if arrived {
                return Ok::<(), String>(());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(ARRIVAL, arriving)
        .await
        .map_err(|_| "followers do not arrive".to_owned())??;
    let conventions = held(world.place(Who::Conventions), CONVENTIONS).await?;
    let known = held(world.place(Who::Followup), KNOWN).await?;
    if known != conventions {
        return Err(format!("followup holds {known:?} of {conventions:?}"));
    }
    for (name, (revision, _)) in held(world.place(Who::Payments), PLANNED).await? {
        let newest = conventions.get(&name).map(|(newest, _)| *newest);
        if newest != Some(revision) {
            return Err(format!(
                "the plan of {name} is at {revision}, it at {newest:?}"
            ));
        }
    }
    let paid = sums(world.place(Who::Conventions), HELD).await?;
    let booked = sums(world.place(Who::Payments), BOOKED).await?;
    if paid != booked {
        return Err(format!("conventions hold {paid:?} of {booked:?}"));
    }
    Ok(())
}

/// What was acknowledged is there, in that version or a newer one that was sent; and says what that version says.
async fn acknowledged(world: &World, pushing: &Pushing) -> Result<(), String> {
    let stored = held(world.place(Who::Followup), PUSHED).await?;
    for (reference, acknowledged) in &pushing.acknowledged {
        let Some((version, said)) = stored.get(reference) else {
            return Err(format!(
                "{reference}@{acknowledged} was acknowledged and is gone"
            ));
        };
        let sent = pushing.sent.get(reference).copied().unwrap_or_default();
        if !(*acknowledged..=sent).contains(version) {
            return Err(format!(
                "{reference} is at {version}, {acknowledged} was acknowledged and {sent} sent"
            ));
        }
        let expected = match reference.as_bytes().get(4) {
            Some(b'P') => pushing::commune(*version).to_owned(),
            Some(b'R') => format!("{}.00", pushing::amount(*version)),
            _ => pushing::met(*version).to_string(),
        };
        if *said != expected {
            return Err(format!("{reference}@{version} says {said}, not {expected}"));
        }
    }
    Ok(())
}

async fn fetch(place: &Place, query: &'static str) -> Result<Vec<String>, String> {
    let found = sqlx::query_scalar(query).fetch_all(&place.owner).await;
    found.map_err(text)
}

async fn held(place: &Place, query: &'static str) -> Result<Held, String> {
    let rows: Vec<(String, i64, String)> = rows(&place.owner, query).await?;
    Ok(rows
        .into_iter()
        .map(|(name, revision, said)| (name, (revision, said)))
        .collect())
}

async fn sums(place: &Place, query: &'static str) -> Result<BTreeMap<String, Decimal>, String> {
    let rows: Vec<(String, Decimal)> = rows(&place.owner, query).await?;
    Ok(rows.into_iter().collect())
}

async fn rows<R>(pool: &PgPool, query: &'static str) -> Result<Vec<R>, String>
where
    R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let found = sqlx::query_as(query).fetch_all(pool).await;
    found.map_err(text)
}

fn text(error: sqlx::Error) -> String {
    error.to_string()
}
