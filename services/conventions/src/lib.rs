//! The conventions service: the programme and its envelopes, the operators, and the life of each grant agreement from
//! draft to settled, with the acts that authorise it and the report that closes it.
//!
//! It tells in its feed what is agreed and when the actions are done; it follows `payments`, which reports what is
//! paid, and asks `followup` for the figures of a report.

mod act;
mod activity_report;
mod agenda;
mod amendment;
pub mod attachment;
mod budget;
mod commitment;
mod config;
mod convention;
mod decision;
mod dispute;
pub mod doctor;
mod document;
mod error;
mod follow;
mod formal_notice;
mod framework_convention;
mod hearing;
mod identifier;
mod inspection;
mod mask;
mod measures;
mod open_data;
mod operator;
mod programme;
mod programme_report;
mod refusal;
mod state_funding;
mod stored;
mod text;
mod version;

use nonrecours_feed::{ChangeFeed, Readers};
use nonrecours_files::Files;
use nonrecours_host::{Environment, Host, StartError};
use sqlx::migrate::Migrator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    act::rpc::Acts, activity_report::rpc::ActivityReports, agenda::rpc::Agenda,
    amendment::rpc::Amendments, attachment::rpc::Attachments, budget::rpc::Budgets,
    commitment::rpc::Commitments, convention::rpc::Conventions, decision::rpc::Decisions,
    dispute::rpc::Disputes, document::rpc::Documents, formal_notice::rpc::FormalNotices,
    framework_convention::rpc::FrameworkConventions, hearing::rpc::Hearings,
    identifier::Identifiers, inspection::rpc::Inspections, open_data::rpc::OpenData,
    operator::rpc::Operators, programme::rpc::Programmes, programme_report::rpc::ProgrammeReports,
    state_funding::rpc::StateFundings, version::rpc::ConventionVersions,
};

pub use config::{Config, DEFAULT_LISTEN};

/// Short name of the service.
pub const SERVICE: &str = "conventions";

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Serves until shutdown, then drains.
pub async fn serve(
    config: Config,
    environment: Environment,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let files = Files::open(&config.files)
        .await
        .map_err(|cause| StartError::Files(cause.into()))?;
    let mut host = Host::start(SERVICE, config.host()?, environment, &MIGRATOR, shutdown).await?;
    let payments = host.peer(&config.payments_url)?;
    let followup = host.peer(&config.followup_url)?;
    host.follow("payments", payments, follow::Payments);
    measures::start(&mut host);
    let (db, ids, shutdown) = (
        host.db.clone(),
        host.environment.ids.clone(),
        host.shutdown.clone(),
    );
    host.serve(listener, |server| {
        server
            .add(ChangeFeed::server(
                db.clone(),
                Readers::Everyone,
                shutdown.clone(),
            ))
            .add(Attachments::server(
                db.clone(),
                ids.clone(),
                files.clone(),
                shutdown,
            ))
            .add(Programmes::server(db.clone(), ids.clone()))
            .add(ProgrammeReports::server(db.clone()))
            .add(StateFundings::server(db.clone(), ids.clone()))
            .add(OpenData::server(db.clone(), ids.clone()))
            .add(Agenda::server(db.clone()))
            .add(FrameworkConventions::server(db.clone(), ids.clone()))
            .add(Operators::server(db.clone(), ids.clone()))
            .add(Conventions::server(db.clone(), ids.clone()))
            .add(Acts::server(db.clone(), ids.clone()))
            .add(FormalNotices::server(db.clone(), ids.clone()))
            .add(Inspections::server(db.clone(), ids.clone()))
            .add(Hearings::server(db.clone(), ids.clone()))
            .add(Decisions::server(db.clone(), ids.clone()))
            .add(Disputes::server(db.clone(), ids.clone()))
            .add(Amendments::server(db.clone(), ids.clone()))
            .add(ConventionVersions::server(db.clone()))
            .add(Documents::server(
                db.clone(),
                ids.clone(),
                files,
                config.typeset_program,
            ))
            .add(Identifiers::server())
            .add(Commitments::server(db.clone()))
            .add(Budgets::server(db.clone()))
            .add(ActivityReports::server(db, ids, followup))
    })
    .await
}
