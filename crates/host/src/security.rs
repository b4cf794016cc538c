//! From the memory of an instance into the chain of its service: who was refused, and why.

use std::time::Duration;

use nonrecours_pg::Db;
use nonrecours_rpc::audit::Audit;
use tokio_util::sync::CancellationToken;

/// How often what was counted is kept: as much is lost when an instance is killed, but for the log.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// How often what is too old is purged.
const PURGE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long events are kept.
const RETENTION: time::Duration = time::Duration::days(365);

/// Keeps events, and purges old ones, until shutdown.
pub(crate) async fn run(db: Db, service: &'static str, audit: Audit, shutdown: CancellationToken) {
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = purge.tick() => {
                let before = db.clock().now() - RETENTION;
                match db.purge_security_events(service, before).await {
                    Ok(0) => {}
                    Ok(purged) => tracing::info!(purged, "purged old security events"),
                    Err(error) => tracing::warn!(%error, "purging security events failed; it is done again later"),
                }
            }
            () = tokio::time::sleep(KEEP_EVERY) => keep(&db, service, &audit).await,
        }
    }
}

/// Keeps what was counted so far. What cannot be kept now is kept later.
pub(crate) async fn keep(db: &Db, service: &'static str, audit: &Audit) {
    let events = audit.take();
    if events.is_empty() {
        return;
    }
    match db.keep_security_events(service, &events).await {
        // Logs are kept elsewhere: each such line is an anchor.
        Ok(head) => {
            tracing::info!(security.anchor = %head, kept = events.len(), "security events kept")
        }
        Err(error) => {
            tracing::warn!(%error, "keeping security events failed; they are kept later");
            audit.give_back(events);
        }
    }
}
