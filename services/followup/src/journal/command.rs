//! `verify-journal`: the chain verified by whoever can read the database, without the service.

use std::{process::ExitCode, sync::Arc};

use clap::Args;
use nonrecours_host::DatabaseConfig;
use nonrecours_kernel::{Scope, SystemClock};
use nonrecours_pg::Db;

use super::{
    chain::Anchor,
    verify::{Report, verify},
};
use crate::{MIGRATOR, SERVICE};

/// What the command is given.
#[derive(Args)]
pub struct VerifyJournal {
    /// Database under the application role: a postgres:// URL, or @/path of a file that holds it.
    #[arg(long, env = "FOLLOWUP_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// What an earlier run printed as the head, `<number>:<digest>`, kept elsewhere: the chain must still pass through it.
    #[arg(long)]
    anchor: Vec<Anchor>,
}

impl VerifyJournal {
    /// Verifies, and says what was found: success when nothing is wrong.
    pub async fn run(self) -> ExitCode {
        match self.report().await {
            Ok(report) => {
                println!("{}", describe(&report));
                match report.fault {
                    None => ExitCode::SUCCESS,
                    Some(_) => ExitCode::FAILURE,
                }
            }
            Err(error) => {
                eprintln!("{SERVICE} : le journal n'a pas pu être lu : {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn report(&self) -> Result<Report, Box<dyn std::error::Error>> {
        let database = DatabaseConfig { max_connections: 1 };
        let options = database.options(&self.database_url)?;
        let db = Db::connect(&options, Arc::new(SystemClock)).await?;
        db.check_schema(&MIGRATOR).await?;
        let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
        Ok(verify(&mut tx, &self.anchor).await?)
    }
}

/// What was found, as people read it.
pub fn describe(report: &Report) -> String {
    let Report {
        start,
        head,
        waiting,
        outdated,
        fault,
    } = report;
    let mut lines = Vec::new();
    if start.number > 0 {
        lines.push(format!(
            "Les {} premières entrées ont été purgées à la fin de leur durée de conservation.",
            start.number
        ));
    }
    for anchor in outdated {
        lines.push(format!(
            "Le repère {anchor} porte sur une partie purgée : il ne se vérifie plus."
        ));
    }
    match fault {
        Some(fault) => lines.push(format!("JOURNAL ALTÉRÉ : {fault}.")),
        None => lines.push(format!(
            "Journal des accès intact : {} entrées scellées vérifiées, {waiting} en attente de scellement.",
            head.number - start.number
        )),
    }
    if head.number > 0 {
        lines.push(format!(
            "Dernier repère vérifié, à conserver ailleurs : {head}"
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::verify::Fault;

    #[test]
    fn a_report_says_what_was_purged_what_holds_and_what_does_not() {
        let anchor = |number| Anchor {
            number,
            ..Anchor::START
        };
        let zeros = "0".repeat(64);
        let mut report = Report {
            start: anchor(10),
            head: anchor(25),
            waiting: 2,
            outdated: vec![anchor(3)],
            fault: None,
        };
        let text = describe(&report);
        for part in [
            "Les 10 premières entrées ont été purgées",
            &format!("Le repère 3:{zeros} porte sur une partie purgée"),
            "intact : 15 entrées scellées vérifiées, 2 en attente",
            &format!("à conserver ailleurs : 25:{zeros}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        report.fault = Some(Fault::Removed(26));
        let text = describe(&report);
        assert!(
            text.contains("JOURNAL ALTÉRÉ : l'entrée 26 a été supprimée."),
            "{text}"
        );
        assert!(!text.contains("intact"));
    }
}
