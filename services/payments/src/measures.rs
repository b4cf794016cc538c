//! What the service counts of its own, for dashboards and alerts.

use nonrecours_host::{Gauge, Host};
use nonrecours_kernel::Scope;
use nonrecours_pg::{All as _, Db, Error};

use crate::SERVICE;

const INSTALMENTS: Gauge = Gauge {
    name: "nonrecours.payments.instalments",
    unit: "{instalment}",
    description: "Instalments by state",
    label: "nonrecours.instalment.state",
};
const WAITING: Gauge = Gauge {
    name: "nonrecours.payments.waiting",
    unit: "s",
    description: "How long the instalment that has not moved for the longest has been in its state",
    label: "nonrecours.instalment.state",
};

/// Counts from now on.
pub(crate) fn start(host: &mut Host) {
    host.gauge(INSTALMENTS, instalments);
    host.gauge(WAITING, waiting);
}

async fn instalments(db: Db) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    let counts =
        sqlx::query!(r#"SELECT state, count(*) AS "count!" FROM instalment GROUP BY state"#)
            .all(tx.conn())
            .await?;
    Ok(counts
        .into_iter()
        .map(|row| (row.state, row.count))
        .collect())
}

/// Of those that somebody has to move on.
async fn waiting(db: Db) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    let now = tx.now();
    let oldest = sqlx::query!(
        r#"SELECT state, min(update_time) AS "since!" FROM instalment
           WHERE state IN ('CALLED', 'CERTIFIED', 'ORDERED') GROUP BY state"#
    )
    .all(tx.conn())
    .await?;
    Ok(oldest
        .into_iter()
        .map(|row| (row.state, (now - row.since).whole_seconds()))
        .collect())
}
