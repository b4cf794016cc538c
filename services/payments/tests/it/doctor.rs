//! `doctor` beside this service.

use nonrecours_host::doctor::{Finding, Surroundings};
use nonrecours_payments::{Config, DEFAULT_ACCOUNTS, MIGRATOR, SERVICE, doctor};
use sqlx::migrate::Migrator;

#[path = "../../../../crates/host/tests/shared/doctor.rs"]
mod shared;

use shared::{Patient, Settings};

struct Payments;

impl Patient for Payments {
    const SERVICE: &'static str = SERVICE;
    const PEERS: &'static [(&'static str, bool)] = &[("conventions", true)];

    fn migrator() -> &'static Migrator {
        &MIGRATOR
    }

    async fn examine(settings: Settings, around: Surroundings) -> Vec<Finding> {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: settings.database_url,
            conventions_url: settings.urls["conventions"].clone(),
            accounts: DEFAULT_ACCOUNTS.parse().unwrap(),
            host: settings.host,
        };
        doctor::examine(config, around).await
    }
}

#[tokio::test]
async fn when_all_is_well_every_subject_says_so() {
    shared::all_is_well::<Payments>().await;
}

#[tokio::test]
async fn a_history_that_could_be_changed_is_told() {
    shared::a_history_that_could_be_changed_is_told::<Payments>().await;
}

#[tokio::test]
async fn a_database_that_is_not_as_it_should_be_is_told() {
    shared::a_database_that_is_not_as_it_should_be_is_told::<Payments>().await;
}

#[tokio::test]
async fn another_service_that_is_away_or_whose_feed_waits_is_told() {
    shared::another_service_that_is_away_or_whose_feed_waits_is_told::<Payments>().await;
}

#[tokio::test]
async fn what_everybody_stands_on_is_looked_at() {
    shared::what_everybody_stands_on_is_looked_at::<Payments>().await;
}
