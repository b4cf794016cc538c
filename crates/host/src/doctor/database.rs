//! The database: reached, at the schema of the program, under a role that may do no more than it needs.

use std::{path::Path, sync::Arc};

use nonrecours_pg::{Db, DbOptions, Examined, MigrateError, Verified};
use time::Duration;

use super::{Findings, Level, Subject, Surroundings};
use crate::config;

/// Oldest PostgreSQL that the suite runs on.
const OLDEST_VERSION: i32 = 150_000;
/// How far the clock of the database may be from ours before it is told, and before it is a fault: tokens are then refused.
const CLOCK_WARNING: Duration = Duration::seconds(5);
const CLOCK_FAULT: Duration = nonrecours_rpc::auth::LEEWAY;
/// Part of PostgreSQL's disk that should be free, and must be; in hundredths.
const DISK_WARNING: u64 = 20;
const DISK_FAULT: u64 = 5;
/// Privileges and tables named in one finding.
const MAX_NAMED: usize = 8;

/// The database, when a service can use it.
pub(super) async fn examine(
    subject: &Subject<'_>,
    around: &Surroundings,
    findings: &mut Findings,
) -> Option<Db> {
    let url = match config::read(subject.database_url) {
        Ok(url) => url,
        Err(error) => {
            findings.add(
                "réglages",
                Level::Fault,
                format!("l'adresse de la base ne peut être lue : {error}"),
                "Vérifiez le fichier que nomme ce réglage (@/chemin) et qu'il est lisible par ce compte.",
            );
            return None;
        }
    };
    let options = DbOptions {
        max_connections: 1,
        ..DbOptions::new(url)
    };
    let db = match Db::connect(&options, Arc::clone(&around.clock)).await {
        Ok(db) => db,
        Err(error) => {
            findings.add(
                "base",
                Level::Fault,
                format!("injoignable : {error}"),
                "Vérifiez que PostgreSQL répond à cette adresse, que le rôle et son mot de passe sont \
                 les bons, et qu'aucun pare-feu ne s'interpose.",
            );
            return None;
        }
    };
    match db.examine(subject.append_only).await {
        Ok(examined) => {
            server(&examined, findings);
            role(&examined, findings);
            clock(&examined, around, findings);
            disk(&examined, around, findings);
        }
        Err(error) => findings.add(
            "base",
            Level::Fault,
            format!("ne répond pas aux questions : {error}"),
            "Regardez le journal de PostgreSQL.",
        ),
    }
    let checked = db.check_schema(subject.migrator).await;
    if !migrations(subject, checked, findings) {
        return None;
    }
    chain(subject, around, &db, findings).await;
    Some(db)
}

/// The chain of security events is as it was written.
async fn chain(subject: &Subject<'_>, around: &Surroundings, db: &Db, findings: &mut Findings) {
    let verified = db
        .verify_security_events(subject.service, around.security_anchor)
        .await;
    let (says, advice) = match verified {
        Ok(Verified {
            start,
            head,
            broken: None,
        }) => {
            let kept = head.number - start.number;
            return findings.well(
                "journal",
                format!("{kept} événements de sécurité, intacts ; repère {head}"),
            );
        }
        Ok(Verified {
            broken: Some(number),
            ..
        }) => (
            format!("l'événement de sécurité {number} a été modifié ou retiré après coup"),
            "Cherchez qui a pu écrire dans la base comme propriétaire ; comparez avec les repères du \
             journal (security.anchor) et une sauvegarde.",
        ),
        Err(error) => (
            format!("les événements de sécurité ne peuvent être lus : {error}"),
            "Regardez le journal de PostgreSQL.",
        ),
    };
    findings.add("journal", Level::Fault, says, advice);
}

fn server(examined: &Examined, findings: &mut Findings) {
    let major = examined.version / 10_000;
    if examined.version < OLDEST_VERSION {
        findings.add(
            "base",
            Level::Fault,
            format!("PostgreSQL {major} est trop ancien"),
            "Passez à PostgreSQL 15 ou plus récent.",
        );
    } else if examined.read_only {
        findings.add(
            "base",
            Level::Fault,
            "rien ne peut y être écrit : c'est une réplique, ou elle est en lecture seule",
            "Donnez l'adresse du serveur principal, ou rétablissez l'écriture \
             (default_transaction_read_only).",
        );
    } else {
        findings.well("base", format!("PostgreSQL {major} répond"));
    }
}

fn role(examined: &Examined, findings: &mut Findings) {
    let role = &examined.role;
    if !examined.excess.is_empty() {
        findings.add(
            "droits",
            Level::Fault,
            format!(
                "le rôle {role} peut plus qu'il ne doit : {}",
                some(&examined.excess)
            ),
            "Donnez au service l'adresse du rôle applicatif (…_app), et retirez-lui ces droits \
             (REVOKE, ALTER ROLE) : la séparation entre opérateurs et les registres en dépendent.",
        );
    }
    if !examined.missing.is_empty() {
        findings.add(
            "droits",
            Level::Fault,
            format!("il manque au rôle {role} : {}", some(&examined.missing)),
            "Lancez `migrate` avec le rôle propriétaire : les migrations donnent ces droits.",
        );
    }
    if !examined.unprotected.is_empty() {
        findings.add(
            "droits",
            Level::Fault,
            format!("tables sans sécurité par ligne : {}", some(&examined.unprotected)),
            "Rétablissez-la (ALTER TABLE … ENABLE ROW LEVEL SECURITY), et cherchez qui l'a retirée.",
        );
    }
    if examined.excess.is_empty() && examined.missing.is_empty() && examined.unprotected.is_empty()
    {
        findings.well(
            "droits",
            format!("{role} a ce qu'il lui faut, et rien de plus"),
        );
    }
}

fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
    let rest = names.len() - shown.len();
    match rest {
        0 => shown.join(", "),
        _ => format!("{}, et {rest} autres", shown.join(", ")),
    }
}

fn clock(examined: &Examined, around: &Surroundings, findings: &mut Findings) {
    let apart = (around.clock.now() - examined.clock).abs();
    let says = format!("à {} s de celle de la base", apart.whole_seconds());
    let level = match apart {
        apart if apart >= CLOCK_FAULT => Level::Fault,
        apart if apart >= CLOCK_WARNING => Level::Warning,
        _ => return findings.well("horloge", says),
    };
    findings.add(
        "horloge",
        level,
        says,
        "Synchronisez les deux machines (chrony, systemd-timesyncd) : jetons, échéances et dates \
         légales en dépendent.",
    );
}

fn disk(examined: &Examined, around: &Surroundings, findings: &mut Findings) {
    let megabytes = examined.bytes / 1_000_000;
    let Some(folder) = &around.postgres_data else {
        findings.add(
            "disque",
            Level::Unknown,
            format!("la base occupe {megabytes} Mo ; la place libre de PostgreSQL n'est pas mesurée d'ici"),
            "Sur la machine de PostgreSQL, donnez son dossier (POSTGRES_DATA_FOLDER) ; sinon \
             surveillez ce disque là où il est.",
        );
        return;
    };
    match free(folder) {
        Ok(free) => {
            let says = format!("{free} % libres, la base occupe {megabytes} Mo");
            let level = match free {
                ..DISK_FAULT => Level::Fault,
                DISK_FAULT..DISK_WARNING => Level::Warning,
                _ => return findings.well("disque", says),
            };
            findings.add(
                "disque",
                level,
                says,
                "Agrandissez le disque de PostgreSQL ou faites-y de la place ; plein, plus rien ne s'écrit.",
            );
        }
        Err(error) => findings.add(
            "disque",
            Level::Fault,
            format!("{} ne peut être mesuré : {error}", folder.display()),
            "Vérifiez que ce dossier existe et qu'il est celui des données de PostgreSQL.",
        ),
    }
}

/// Hundredths of a file system that are free for those who are not root.
fn free(folder: &Path) -> Result<u64, rustix::io::Errno> {
    let told = rustix::fs::statvfs(folder)?;
    Ok(
        u64::try_from(u128::from(told.f_bavail) * 100 / u128::from(told.f_blocks.max(1)))
            .unwrap_or(100),
    )
}

/// Whether the schema is that of the program.
fn migrations(
    subject: &Subject<'_>,
    checked: Result<(), MigrateError>,
    findings: &mut Findings,
) -> bool {
    let Err(error) = checked else {
        findings.well("migrations", "le schéma est celui de ce programme");
        return true;
    };
    findings.add(
        "migrations",
        Level::Fault,
        format!("le schéma n'est pas celui de ce programme : {error}"),
        format!(
            "Lancez `nonrecours-{} migrate` de cette version avec le rôle propriétaire ; si la base est \
             plus récente, déployez le programme de sa version.",
            subject.service
        ),
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_measured_where_it_is() {
        assert!(free(Path::new("/")).unwrap() <= 100);
        assert!(free(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
        assert_eq!(some(&names), "1, 2, 3, 4, 5, 6, 7, 8, et 2 autres");
        assert_eq!(some(&names[..2]), "1, 2");
    }
}
