//! `doctor`: looks at everything that a service stands on, and says in plain words what is wrong and what to do.
//!
//! It changes nothing, and asks each thing once and for a bounded time: it runs beside the service, with its settings.

mod database;
mod finding;
mod surroundings;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use nonrecours_kernel::Clock;
use nonrecours_pg::{Db, Link};
use sqlx::migrate::Migrator;

pub use finding::{Finding, Level, report};

use crate::HostSettings;
use finding::Findings;

/// What of a service is looked at.
pub struct Subject<'a> {
    /// Its short name.
    pub service: &'static str,
    /// Its tables.
    pub migrator: &'a Migrator,
    /// Those whose rows are never changed nor deleted.
    pub append_only: &'a [&'static str],
    /// Address of its database, or `@/path`.
    pub database_url: &'a str,
    /// The settings that every service has.
    pub settings: &'a HostSettings,
    /// The services it asks or follows.
    pub peers: Vec<Peer<'a>>,
}

/// Another service.
pub struct Peer<'a> {
    /// Its short name.
    pub service: &'static str,
    /// Its address.
    pub url: &'a str,
    /// Whether its changes are followed.
    pub followed: bool,
}

/// What is told to `doctor` besides the settings of the service.
#[derive(Args, Clone, Debug)]
pub struct DoctorOptions {
    /// Folder of PostgreSQL's data when it is on this machine: how much of its disk is free is looked at.
    #[arg(long, env = "POSTGRES_DATA_FOLDER")]
    pub postgres_data: Option<PathBuf>,
    /// What the log or an earlier run said of the chain of security events, `<number>:<digest>`: it must still pass through it.
    #[arg(long)]
    pub security_anchor: Option<Link>,
}

/// What the machine gives.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Folder of PostgreSQL's data, when it is on this machine.
    pub postgres_data: Option<PathBuf>,
    /// A link that the chain of security events had.
    pub security_anchor: Option<Link>,
}

impl Surroundings {
    /// The clock, and what the command was told.
    pub fn new(clock: Arc<dyn Clock>, options: DoctorOptions) -> Self {
        Self {
            clock,
            postgres_data: options.postgres_data,
            security_anchor: options.security_anchor,
        }
    }
}

/// What was found, and the database for what a service looks at besides; none when it cannot be used.
pub struct Examination {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// The database, reached and at the schema of the program.
    pub db: Option<Db>,
}

/// Looks at everything that services have in common.
pub async fn examine(subject: &Subject<'_>, around: &Surroundings) -> Examination {
    let mut findings = Findings::of(subject.service);
    let db = database::examine(subject, around, &mut findings).await;
    surroundings::issuer(subject, &mut findings).await;
    surroundings::certificate(subject, around, &mut findings).await;
    surroundings::peers(subject, around, db.as_ref(), &mut findings).await;
    Examination {
        findings: findings.into_inner(),
        db,
    }
}
