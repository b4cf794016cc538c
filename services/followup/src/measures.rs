//! What the service counts of its own, for dashboards and alerts.

use nonrecours_host::{Gauge, Host};
use nonrecours_kernel::Scope;
use nonrecours_pg::{All as _, Db, Error};

use crate::SERVICE;

const ALERTS: Gauge = Gauge {
    name: "nonrecours.followup.alerts",
    unit: "{alert}",
    description: "Rights that must be renewed soon, or that were interrupted, and nobody has settled",
    label: "nonrecours.alert.state",
};

/// Counts from now on.
pub(crate) fn start(host: &mut Host) {
    host.gauge(ALERTS, alerts);
}

async fn alerts(db: Db) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    let counts = sqlx::query!(
        r#"SELECT state, count(*) AS "count!" FROM renewal_alert
           WHERE state IN ('DUE', 'INTERRUPTED') GROUP BY state"#
    )
    .all(tx.conn())
    .await?;
    Ok(counts
        .into_iter()
        .map(|row| (row.state, row.count))
        .collect())
}
