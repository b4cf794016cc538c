//! The payments service: the plan of every convention in force, its instalments from planned to paid, what the State owes
//! the programme, and the books of both.
//!
//! It follows `conventions`, which tells it what was agreed and when the actions are done, and tells in its own feed
//! what was paid.

mod bank_account;
mod budget_year;
mod cash_position;
mod config;
mod correction;
pub mod doctor;
mod error;
mod explanation;
mod follow;
mod instalment;
mod known_file;
mod ledger_entry;
mod ledger_export;
mod measures;
mod payment_difference;
mod payment_plan;
mod posting_codes;
mod recovery;
mod return_file;
mod slip;
mod state_receivable;

use nonrecours_feed::{ChangeFeed, Readers};
use nonrecours_host::{Environment, Host, StartError};
use sqlx::migrate::Migrator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{Config, DEFAULT_LISTEN};
pub use ledger_export::{Chart, ChartError, DEFAULT as DEFAULT_ACCOUNTS};

/// Short name of the service.
pub const SERVICE: &str = "payments";

/// The service's own tables.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Serves until shutdown.
pub async fn serve(
    config: Config,
    environment: Environment,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let mut host = Host::start(SERVICE, config.host()?, environment, &MIGRATOR, shutdown).await?;
    let ids = host.environment.ids.clone();
    let conventions = host.peer(&config.conventions_url)?;
    host.follow(
        "conventions",
        conventions,
        follow::Conventions { ids: ids.clone() },
    );
    measures::start(&mut host);
    let (db, shutdown) = (host.db.clone(), host.shutdown.clone());
    host.serve(listener, |server| {
        server
            .add(ChangeFeed::server(db.clone(), Readers::Everyone, shutdown))
            .add(payment_plan::rpc::PaymentPlans::server(db.clone()))
            .add(instalment::rpc::Instalments::server(
                db.clone(),
                ids.clone(),
            ))
            .add(bank_account::rpc::BankAccounts::server(
                db.clone(),
                ids.clone(),
            ))
            .add(posting_codes::rpc::Codes::server(db.clone()))
            .add(slip::rpc::Slips::server(db.clone(), ids.clone()))
            .add(return_file::rpc::ReturnFiles::server(
                db.clone(),
                ids.clone(),
            ))
            .add(payment_difference::rpc::Differences::server(
                db.clone(),
                ids.clone(),
            ))
            .add(recovery::rpc::Recoveries::server(db.clone(), ids.clone()))
            .add(state_receivable::rpc::StateReceivables::server(
                db.clone(),
                ids,
            ))
            .add(ledger_export::rpc::LedgerExports::server(
                db.clone(),
                config.accounts,
            ))
            .add(cash_position::rpc::CashPositions::server(db.clone()))
            .add(budget_year::rpc::BudgetYears::server(db.clone()))
            .add(explanation::rpc::Explanations::server(db.clone()))
            .add(ledger_entry::rpc::Ledger::server(db))
    })
    .await
}
