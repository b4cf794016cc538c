//! What `doctor` looks at.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use nonrecours_host::doctor::{self, Finding, Level, Peer, Subject, Surroundings};
use nonrecours_kernel::Scope;
use nonrecours_pg::{Db, Error};

use crate::{
    Config, MIGRATOR, SERVICE,
    indicator::thresholds::Thresholds,
    vault::{KeyRing, store as keys},
};

/// Tables whose rows are never changed nor deleted.
const APPEND_ONLY: [&str; 4] = [
    "access_checkpoint",
    "indicator_release",
    "indicator_release_quarter",
    "indicator_release_shared",
];

/// Looks at what the service stands on.
pub async fn examine(config: Config, around: Surroundings) -> Vec<Finding> {
    let subject = Subject {
        service: SERVICE,
        migrator: &MIGRATOR,
        append_only: &APPEND_ONLY,
        database_url: &config.database_url,
        settings: &config.host,
        peers: vec![Peer {
            service: "conventions",
            url: &config.conventions_url,
            followed: true,
        }],
    };
    let examination = doctor::examine(&subject, &around).await;
    let mut findings = examination.findings;
    findings.push(keys(&config.keys_file, examination.db.as_ref()).await);
    findings.push(thresholds(config.thresholds));
    findings
}

/// The thresholds of indicators go together.
fn thresholds(set: Thresholds) -> Finding {
    let (level, says, advice) = match set.checked() {
        Ok(set) => (
            Level::Well,
            format!(
                "les chiffres se disent à partir de {} personnes au programme, de {} au public",
                set.internal, set.public
            ),
            "",
        ),
        Err(error) => (
            Level::Fault,
            error.to_string(),
            "Le public ne peut recevoir ce que le programme ne reçoit pas : relevez FOLLOWUP_PUBLIC_THRESHOLD ou \
             abaissez FOLLOWUP_INTERNAL_THRESHOLD. Sans cela le service ne démarre pas.",
        ),
    };
    Finding {
        service: SERVICE,
        subject: "seuils",
        level,
        says,
        advice: advice.to_owned(),
    }
}

/// The key ring can be read, by this account alone, and has every key that something is sealed under.
async fn keys(path: &Path, db: Option<&Db>) -> Finding {
    let found = |level, says: String, advice: &str| Finding {
        service: SERVICE,
        subject: "clés",
        level,
        says,
        advice: advice.to_owned(),
    };
    let ring = match KeyRing::read(path) {
        Ok(ring) => ring,
        Err(error) => {
            return found(
                Level::Fault,
                format!("{} : {error}", path.display()),
                "Remettez le trousseau (FOLLOWUP_KEYS_FILE) depuis sa sauvegarde : sans lui aucune identité \
                 ne se lit. N'en créez un nouveau que pour une base vide.",
            );
        }
    };
    let open_to_all = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0);
    if open_to_all {
        return found(
            Level::Fault,
            format!(
                "{} est ouvert à tous les comptes de la machine",
                path.display()
            ),
            "Réservez-le au compte du service (chmod 600, chown).",
        );
    }
    let Some(db) = db else {
        return found(
            Level::Unknown,
            "le trousseau se lit ; sans la base, on ne sait s'il est complet".to_owned(),
            "",
        );
    };
    match missing(&ring, db).await {
        Ok(missing) if missing.is_empty() => found(
            Level::Well,
            "le trousseau a toutes les clés dont la base a besoin".to_owned(),
            "",
        ),
        Ok(missing) => found(
            Level::Fault,
            format!("il manque au trousseau : {}", missing.join(", ")),
            "Remettez ces clés depuis la sauvegarde du trousseau : ce qu'elles scellent est illisible sans elles.",
        ),
        Err(error) => found(
            Level::Fault,
            format!("les clés dont la base a besoin ne peuvent être lues : {error}"),
            "Regardez le journal de PostgreSQL.",
        ),
    }
}

/// Ids of keys that wrap persons' keys, and are not in the ring.
async fn missing(ring: &KeyRing, db: &Db) -> Result<Vec<String>, Error> {
    let mut known = ring.older();
    known.push(ring.wraps_with());
    let mut tx = db.read(&Scope::of_service(SERVICE)).await?;
    let used = keys::in_use(&mut tx).await?;
    Ok(used
        .into_iter()
        .filter(|id| !known.contains(&id.as_str()))
        .collect())
}
