//! Follow-up: persons, rights and outreach sessions as operators' software pushes them, and the indicators drawn from
//! them. Owns its database; learns from `conventions` which conventions are in force.

pub mod beneficiary;
mod codes;
mod config;
pub mod convention;
pub mod doctor;
pub mod entitlement;
pub mod erasure;
pub mod error;
pub mod follow;
pub mod identity;
pub mod indicator;
pub mod journal;
pub mod legal_hold;
pub mod local_aid;
mod measures;
pub mod merge;
pub mod note;
pub mod push;
pub mod record;
pub mod referral;
pub mod renewal;
pub mod retention;
pub mod session;
pub mod step;
pub mod subject_request;
pub mod vault;

pub use config::{Config, DEFAULT_LISTEN};

use std::io;
use std::time::Duration;

use nonrecours_feed::{ChangeFeed, Readers};
use nonrecours_host::{Environment, Host, StartError};
use sqlx::migrate::Migrator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    beneficiary::rpc::Beneficiaries,
    entitlement::rpc::Entitlements,
    erasure::rpc::Erasures,
    identity::{rotation::Rotation, rpc::Identities},
    indicator::rpc::IndicatorReads,
    journal::rpc::Accesses,
    legal_hold::rpc::LegalHolds,
    local_aid::rpc::LocalAids,
    merge::rpc::Merges,
    note::rpc::Notes,
    push::rpc::Pushes,
    referral::{received::ReceivedReferrals, rpc::Referrals},
    renewal::rpc::Renewals,
    retention::rpc::Retentions,
    session::rpc::Sessions,
    step::rpc::Steps,
    subject_request::rpc::SubjectRequests,
    vault::Vault,
};

/// Short name of the service.
pub const SERVICE: &str = "followup";

/// How often what a day brings is looked for: quarters to be released, renewals that come up or are missed.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How often entries of the journal of accesses are sealed.
const SEAL_EVERY: Duration = Duration::from_secs(60);

/// How often retention is looked at: who is announced, and who is erased where that is switched on.
const RETENTION_EVERY: Duration = Duration::from_secs(6 * 3600);

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Serves until shutdown, then drains.
pub async fn serve(
    config: Config,
    environment: Environment,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let vault = Vault::load(&config.keys_file).map_err(io::Error::from)?;
    let thresholds = config.thresholds.checked()?;
    let mut host = Host::start(SERVICE, config.host()?, environment, &MIGRATOR, shutdown).await?;
    host.db = host.db.clone().witnessed_by(journal::witness);
    let conventions = host.peer(&config.conventions_url)?;
    host.follow("conventions", conventions, follow::Conventions);
    measures::start(&mut host);
    let (released, keys) = (host.db.clone(), vault.clone());
    host.every("releasing indicators", SWEEP_EVERY, move || {
        let (db, ring) = (released.clone(), keys.ring());
        async move {
            indicator::release::release_due(&db, thresholds, ring.counts_with(), SERVICE)
                .await
                .map(drop)
        }
    });
    let (db, ids, shutdown) = (
        host.db.clone(),
        host.environment.ids.clone(),
        host.shutdown.clone(),
    );
    let rotation = Rotation::new(db.clone(), vault.clone(), host.audit().clone());
    host.run(rotation.run(shutdown.clone()));
    let resumable = db.clone();
    host.every("forgetting old streams", SWEEP_EVERY, move || {
        let db = resumable.clone();
        async move { push::mark::purge(&db, SERVICE).await.map(drop) }
    });
    let (watched, new_ids) = (db.clone(), ids.clone());
    host.every("watching renewals", SWEEP_EVERY, move || {
        let (db, ids) = (watched.clone(), new_ids.clone());
        async move { renewal::sweep::run(&db, &ids, SERVICE).await.map(drop) }
    });
    let requests = db.clone();
    host.every("watching requests of persons", SWEEP_EVERY, move || {
        let db = requests.clone();
        async move { subject_request::sweep::run(&db, SERVICE).await.map(drop) }
    });
    let sealed = db.clone();
    host.every("sealing the journal of accesses", SEAL_EVERY, move || {
        let db = sealed.clone();
        async move { journal::keep::seal(&db, SERVICE).await.map(drop) }
    });
    let (kept, months) = (db.clone(), config.journal_retention_months);
    host.every("purging the journal of accesses", SWEEP_EVERY, move || {
        let db = kept.clone();
        async move { journal::keep::purge(&db, SERVICE, months).await.map(drop) }
    });
    let (kept, keys, new_ids) = (db.clone(), vault.clone(), ids.clone());
    host.every("watching retention", RETENTION_EVERY, move || {
        let (db, ring, ids) = (kept.clone(), keys.ring(), new_ids.clone());
        async move {
            match retention::sweep::run(&db, &ring, &ids, SERVICE).await {
                Ok(_) => Ok(()),
                Err(error::Error::Store(error)) => Err(error),
                Err(error) => {
                    tracing::warn!(?error, "watching retention failed; it is done again later");
                    Ok(())
                }
            }
        }
    });
    host.serve(listener, |server| {
        server
            .add(ChangeFeed::server(
                db.clone(),
                Readers::OperatorsAndPeers(subject_request::limit::veil),
                shutdown.clone(),
            ))
            .add(Beneficiaries::server(db.clone()))
            .add(Entitlements::server(db.clone()))
            .add(Sessions::server(db.clone()))
            .add(Steps::server(db.clone()))
            .add(Notes::server(db.clone(), vault.clone()))
            .add(IndicatorReads::server(db.clone()))
            .add(Accesses::server(db.clone()))
            .add(LocalAids::server(db.clone(), ids.clone()))
            .add(Referrals::server(db.clone(), ids.clone()))
            .add(ReceivedReferrals::server(db.clone(), vault.clone()))
            .add(Identities::server(db.clone(), vault.clone()))
            .add(Renewals::server(db.clone()))
            .add(Erasures::server(db.clone(), ids.clone(), vault.clone()))
            .add(SubjectRequests::server(
                db.clone(),
                ids.clone(),
                vault.clone(),
            ))
            .add(Merges::server(db.clone(), ids.clone(), vault.clone()))
            .add(LegalHolds::server(db.clone(), ids.clone()))
            .add(Retentions::server(db.clone(), ids.clone(), vault.clone()))
            .add(Pushes::server(db, ids, vault, shutdown))
    })
    .await
}
