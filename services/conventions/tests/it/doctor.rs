//! `doctor` beside this service.

use nonrecours_conventions::{Config, MIGRATOR, SERVICE, doctor};
use nonrecours_files::FilesConfig;
use nonrecours_host::doctor::{Finding, Surroundings};
use sqlx::migrate::Migrator;

#[path = "../../../../crates/host/tests/shared/doctor.rs"]
mod shared;

use shared::{Patient, Settings};

struct Conventions;

impl Patient for Conventions {
    const SERVICE: &'static str = SERVICE;
    const PEERS: &'static [(&'static str, bool)] = &[("payments", true), ("followup", false)];

    fn migrator() -> &'static Migrator {
        &MIGRATOR
    }

    async fn examine(settings: Settings, around: Surroundings) -> Vec<Finding> {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: settings.database_url,
            followup_url: settings.urls["followup"].clone(),
            payments_url: settings.urls["payments"].clone(),
            typeset_program: None,
            // Not looked at.
            files: FilesConfig::folder(std::env::temp_dir()),
            host: settings.host,
        };
        doctor::examine(config, around).await
    }
}

#[tokio::test]
async fn when_all_is_well_every_subject_says_so() {
    shared::all_is_well::<Conventions>().await;
}

#[tokio::test]
async fn a_history_that_could_be_changed_is_told() {
    shared::a_history_that_could_be_changed_is_told::<Conventions>().await;
}

#[tokio::test]
async fn a_database_that_is_not_as_it_should_be_is_told() {
    shared::a_database_that_is_not_as_it_should_be_is_told::<Conventions>().await;
}

#[tokio::test]
async fn another_service_that_is_away_or_whose_feed_waits_is_told() {
    shared::another_service_that_is_away_or_whose_feed_waits_is_told::<Conventions>().await;
}

#[tokio::test]
async fn what_everybody_stands_on_is_looked_at() {
    shared::what_everybody_stands_on_is_looked_at::<Conventions>().await;
}
