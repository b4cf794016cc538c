//! What the service counts of its own, for dashboards and alerts.

use nonrecours_host::{Gauge, Host};
use nonrecours_kernel::Scope;
use nonrecours_pg::{All as _, Db, Error};

use crate::SERVICE;

const CONVENTIONS: Gauge = Gauge {
    name: "nonrecours.conventions.conventions",
    unit: "{convention}",
    description: "Conventions by state",
    label: "nonrecours.convention.state",
};

/// Counts from now on.
pub(crate) fn start(host: &mut Host) {
    host.gauge(CONVENTIONS, conventions);
}

async fn conventions(db: Db) -> Result<Vec<(String, i64)>, Error> {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    let counts =
        sqlx::query!(r#"SELECT state, count(*) AS "count!" FROM convention GROUP BY state"#)
            .all(tx.conn())
            .await?;
    Ok(counts
        .into_iter()
        .map(|row| (row.state, row.count))
        .collect())
}
