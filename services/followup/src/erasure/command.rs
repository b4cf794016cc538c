//! `replay-erasures`: the last step of a restore, before the service is started.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use nonrecours_host::DatabaseConfig;
use nonrecours_kernel::{Clock, IdSource, SystemClock};
use nonrecours_pg::Db;
use nonrecours_rpc::Failure;

use super::replay::{self, Replayed};
use crate::{MIGRATOR, SERVICE, journal, vault::KeyRing};

/// What the command is given.
#[derive(Args)]
pub struct ReplayErasures {
    /// Database under the application role: a postgres:// URL, or @/path of a file that holds it.
    #[arg(long, env = "FOLLOWUP_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// File of the key ring.
    #[arg(long, env = "FOLLOWUP_KEYS_FILE")]
    keys_file: PathBuf,
    /// The last journal of erasures that `deploy/backup` kept.
    #[arg(long)]
    from: PathBuf,
}

impl ReplayErasures {
    /// Replays, and says what was done: success when the database is at the journal.
    pub async fn run(self) -> ExitCode {
        match self.replayed().await {
            Ok(Replayed {
                known,
                persons,
                told,
            }) => {
                println!(
                    "{known} effacement(s) au journal : {persons} personne(s) effacée(s) de nouveau, {told} effacement(s) de \
                     personnes inconnues de la sauvegarde."
                );
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{SERVICE} : les effacements n'ont pas été rejoués : {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn replayed(&self) -> Result<Replayed, Box<dyn std::error::Error>> {
        let journal = replay::parse(&std::fs::read_to_string(&self.from)?)?;
        let ring = KeyRing::read(&self.keys_file)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = DatabaseConfig { max_connections: 1 };
        let options = database.options(&self.database_url)?;
        let db = Db::connect(&options, Arc::clone(&clock)).await?;
        db.check_schema(&MIGRATOR).await?;
        let db = db.witnessed_by(journal::witness);
        let ids = IdSource::new(clock);
        Ok(replay::run(&db, &ring, &ids, journal)
            .await
            .map_err(|error| tonic::Status::from(Failure::from(error)))?)
    }
}
