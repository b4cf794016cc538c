//! What a day brings to renewals: alerts are raised as dates come up, and turn into interruptions as they pass.

use nonrecours_contracts::followup::RenewalAlert as Wire;
use nonrecours_kernel::{IdSource, OperatorId, Scope, paris_date};
use nonrecours_pg::{Change, Db, Entry, Error, Tx};
use uuid::Uuid;

use super::{
    domain::{ALERT_AHEAD, RenewalAlert, RenewalAlertState},
    store,
};
use crate::{convention, indicator::rollup::Keeper};

/// Alerts raised, and persons whose alerts are settled, in one transaction at most.
const BATCH: i64 = 500;
/// Batches for one operator in one sweep at most; what is left waits for the next.
const MAX_BATCHES: u32 = 20;

/// Looks at every operator's renewals. Gives how many alerts it raised or changed.
pub async fn run(db: &Db, ids: &IdSource, service: &'static str) -> Result<usize, Error> {
    let scope = Scope::of_service(service);
    let mut tx = db.read(&scope).await?;
    let operators = convention::store::operators(&mut tx).await?;
    drop(tx);
    let mut changed = 0;
    for operator in operators {
        for _ in 0..MAX_BATCHES {
            let mut tx = db.begin(&scope).await?;
            let batch = raise(&mut tx, ids, operator).await? + catch_up(&mut tx, operator).await?;
            tx.commit().await?;
            changed += batch;
            if batch == 0 {
                break;
            }
        }
    }
    Ok(changed)
}

async fn raise(tx: &mut Tx, ids: &IdSource, operator: OperatorId) -> Result<usize, Error> {
    let (now, today) = (tx.now(), paris_date(tx.now()));
    let due = store::without_alert(tx, operator, today + ALERT_AHEAD, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let alerts: Vec<RenewalAlert> = due
        .into_iter()
        .map(|(entitlement, renewal_date)| RenewalAlert {
            operator,
            id: ids.next(),
            entitlement,
            renewal_date,
            state: RenewalAlertState::of_new(renewal_date, today),
            settled_date: None,
            revision: 1,
            create_time: now,
            update_time: now,
        })
        .collect();
    store::insert(tx, operator, &alerts).await?;
    record(tx, &alerts).await?;
    Ok(alerts.len())
}

/// Settles what the day, or a push that an alert just missed, has left behind.
async fn catch_up(tx: &mut Tx, operator: OperatorId) -> Result<usize, Error> {
    let today = paris_date(tx.now());
    let persons = store::persons_to_settle(tx, operator, today, BATCH).await?;
    let settled = persons.len();
    let mut figures = Keeper::new(operator);
    figures.persons(tx, persons.into_iter()).await?;
    figures.settle(tx).await?;
    Ok(settled)
}

/// Brings the open alerts about rights of these persons up to how the rights stand.
pub async fn settle(tx: &mut Tx, operator: OperatorId, persons: &[Uuid]) -> Result<(), Error> {
    let (now, today) = (tx.now(), paris_date(tx.now()));
    let alerts: Vec<RenewalAlert> = store::open_of(tx, operator, persons)
        .await?
        .into_iter()
        .filter_map(|(alert, standing)| alert.next(standing, now, today))
        .collect();
    if alerts.is_empty() {
        return Ok(());
    }
    store::update(tx, operator, &alerts).await?;
    record(tx, &alerts).await
}

async fn record(tx: &mut Tx, alerts: &[RenewalAlert]) -> Result<(), Error> {
    let entries: Vec<Entry> = alerts
        .iter()
        .map(|alert| {
            let change = Change {
                kind: alert.state.kind(),
                operator: Some(alert.operator),
                name: &alert.name().to_string(),
                revision: alert.revision,
            };
            Entry::new(change, &Wire::from(alert))
        })
        .collect();
    tx.record_all(&entries).await
}
