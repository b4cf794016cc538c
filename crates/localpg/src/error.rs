//! What can go wrong, in the two languages of whoever runs the suite.

use std::path::{Path, PathBuf};

/// Why the private PostgreSQL could not be started, used or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No binaries in any of the places searched.
    #[error(
        "no PostgreSQL {min} or later was found in /usr/lib/postgresql or on the PATH: run script/bootstrap, \
         which installs it — PostgreSQL {min} (ou plus récent) est introuvable dans /usr/lib/postgresql comme \
         dans le PATH : lancez script/bootstrap, qui l'installe",
        min = crate::MIN_MAJOR_VERSION
    )]
    BinariesNotFound,

    /// The configured folder does not hold a usable PostgreSQL.
    #[error(
        "the configured folder {path} does not hold PostgreSQL {min} or later ({problem}): correct the setting, or \
         leave it empty and run script/bootstrap — le dossier configuré {path} ne contient pas PostgreSQL {min} ou \
         plus récent : corrigez le réglage, ou laissez-le vide et lancez script/bootstrap",
        path = path.display(),
        min = crate::MIN_MAJOR_VERSION
    )]
    BinariesUnusable {
        /// The configured folder.
        path: PathBuf,
        /// What was missing or wrong.
        problem: String,
    },

    /// PostgreSQL refuses to run as root and there is no other account to run it.
    #[error(
        "PostgreSQL refuses to run as root, and neither 'postgres' nor 'nobody' exists on this machine — PostgreSQL \
         refuse de s'exécuter en tant que root, et cette machine n'a ni compte « postgres » ni compte « nobody »"
    )]
    NoUnprivilegedAccount,

    /// Running as root, the account that runs PostgreSQL cannot enter the data folder.
    #[error(
        "the account '{account}', which runs PostgreSQL because root may not, cannot enter {path}: choose a data \
         folder elsewhere — le compte « {account} », qui exécute PostgreSQL puisque root ne le peut pas, n'a pas accès \
         à {path} : choisissez un autre dossier de données",
        path = path.display()
    )]
    Unreachable {
        /// The first folder that cannot be entered.
        path: PathBuf,
        /// The account that runs the server.
        account: String,
    },

    /// Another server is still using this data folder.
    #[error(
        "another PostgreSQL uses the data folder {path}: stop it first — un autre PostgreSQL utilise le dossier de \
         données {path} : arrêtez-le d'abord",
        path = path.display()
    )]
    InUse {
        /// The data folder.
        path: PathBuf,
    },

    /// `initdb` or the server ended before it was ready; the log says why.
    #[error("PostgreSQL did not start — PostgreSQL n'a pas démarré :\n{log}")]
    Start {
        /// The end of the server's log.
        log: String,
    },

    /// The server was not ready in time.
    #[error(
        "PostgreSQL was not ready after {seconds} s — PostgreSQL n'était pas prêt après {seconds} s :\n{log}"
    )]
    StartTimeout {
        /// How long was allowed.
        seconds: u64,
        /// The end of the server's log.
        log: String,
    },

    /// Every port tried was taken by another program in the meantime.
    #[error(
        "no free loopback port for PostgreSQL after {attempts} attempts — aucun port local libre pour PostgreSQL \
         après {attempts} essais"
    )]
    NoPort {
        /// How many ports were tried.
        attempts: u32,
    },

    /// The server did not stop in time.
    #[error(
        "PostgreSQL did not stop within {seconds} s — PostgreSQL ne s'est pas arrêté en {seconds} s"
    )]
    StopTimeout {
        /// How long was allowed.
        seconds: u64,
    },

    /// A name that cannot be part of an SQL identifier here.
    #[error(
        "'{name}' cannot name a service or a database: lower-case letters, digits and '_', a letter first, at most \
         41 characters, not 'pg' — « {name} » ne peut nommer ni un service ni une base : minuscules, chiffres et \
         « _ », en commençant par une lettre, 41 caractères au plus, « pg » exclu"
    )]
    Name {
        /// The refused name.
        name: String,
    },

    /// The operating system refused something.
    #[error("cannot {doing} {path} — opération refusée par le système", path = path.display())]
    Io {
        /// What was being done, in English.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// The operating system gave no randomness for a password.
    #[error("no randomness from the system — le système ne fournit pas de nombres aléatoires")]
    Randomness(#[from] rand::rand_core::OsError),

    /// The server refused an administrative statement.
    #[error(
        "PostgreSQL refused an administrative statement — PostgreSQL a refusé une commande d'administration"
    )]
    Sql(#[from] sqlx::Error),
}

/// Names the action and the path of a failed system call.
pub(crate) fn io<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
