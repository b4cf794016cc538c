//! Bringing a database to the schema of this program, as its owner.

use nonrecours_kernel::Clock;
use sqlx::{Connection as _, PgConnection, migrate::Migrator};

use crate::error::Error;

/// The tables every service has beside its own.
pub static COMMON: Migrator = sqlx::migrate!();

/// Why a database was not brought, or is not at, the schema of this program.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration failed; it was rolled back.
    #[error("migration")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database refused or cannot be reached.
    #[error(transparent)]
    Database(#[from] Error),
    /// The schema is another than this program's: run `migrate`, or the version of the program that fits.
    #[error(
        "the database's schema is not the one of this program ({0}); run `migrate` with this version"
    )]
    Schema(String),
}

/// Runs the common migrations, then the service's own, and starts a new era when the database stands in another
/// cluster than before (a restored dump). Running it again changes nothing. `owner_url` is that of the owner role.
pub async fn migrate(
    owner_url: &str,
    service: &Migrator,
    clock: &dyn Clock,
) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect(owner_url)
        .await
        .map_err(Error::from)?;
    COMMON.run(&mut connection).await?;
    service.run(&mut connection).await?;
    start_era(&mut connection, clock).await?;
    grant(&mut connection).await?;
    connection.close().await.map_err(Error::from)?;
    Ok(())
}

/// Transaction ids order the outbox only within one cluster: a database that finds itself in another one starts an era.
async fn start_era(connection: &mut PgConnection, clock: &dyn Clock) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO feed_era (era, system_identifier, start_time)
         SELECT coalesce((SELECT max(era) FROM feed_era), 0) + 1, here.system_identifier, $1
         FROM pg_control_system() AS here
         WHERE here.system_identifier IS DISTINCT FROM
               (SELECT system_identifier FROM feed_era ORDER BY era DESC LIMIT 1)",
        clock.now()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets the application role read which migrations were run: it refuses to serve on a schema that is not its own.
async fn grant(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "DO $$ BEGIN EXECUTE format('GRANT SELECT ON _pg_migrations, _migrations TO %I',
                                    regexp_replace(current_user, '_owner$', '_app')); END $$",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How the description of a migration begins that takes away what programs up to a version of the schema still need, before
/// the number of that version: `0015_contract_after_14_drop_note.sql`.
const CONTRACT: &str = "contract after ";

/// Compares what was run with what this program brings, and the cluster with that of the current era. What a newer program has
/// added is none of this one's business, so that both can serve side by side while one takes the other's place; what one has
/// taken away is.
pub(crate) async fn check(
    connection: &mut PgConnection,
    service: &Migrator,
) -> Result<(), MigrateError> {
    for (table, query, migrator) in [
        (
            "_pg_migrations",
            "SELECT version, description FROM _pg_migrations WHERE success ORDER BY version",
            &COMMON,
        ),
        (
            "_migrations",
            "SELECT version, description FROM _migrations WHERE success ORDER BY version",
            service,
        ),
    ] {
        let found: Vec<(i64, String)> = sqlx::query_as(query)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| MigrateError::Schema(format!("{table}: {error}")))?;
        let expected: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
        fits(&found, &expected).map_err(|why| MigrateError::Schema(format!("{table}: {why}")))?;
    }
    let same = sqlx::query_scalar!(
        r#"SELECT (SELECT system_identifier FROM feed_era ORDER BY era DESC LIMIT 1)
                  = (SELECT system_identifier FROM pg_control_system()) AS "same!""#
    )
    .fetch_one(connection)
    .await
    .map_err(Error::from)?;
    if same {
        Ok(())
    } else {
        Err(MigrateError::Schema(
            "the database was restored into another cluster".into(),
        ))
    }
}

/// Whether a program of the `expected` migrations can serve where the `found` ones were run; if not, why.
fn fits(found: &[(i64, String)], expected: &[i64]) -> Result<(), String> {
    let missing: Vec<i64> = expected
        .iter()
        .filter(|version| found.iter().all(|(other, _)| other != *version))
        .copied()
        .collect();
    if !missing.is_empty() {
        return Err(format!("{missing:?} were not run"));
    }
    let ours = expected.last().copied().unwrap_or_default();
    let newer = found.iter().filter(|(other, _)| !expected.contains(other));
    for (version, description) in newer {
        let Some(rest) = description.strip_prefix(CONTRACT) else {
            continue;
        };
        let after = rest.split(' ').next().and_then(|word| word.parse().ok());
        if after.is_none_or(|after: i64| ours < after) {
            return Err(format!(
                "{version} ({description}) took away what this program needs"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(migrations: &[(i64, &str)]) -> Vec<(i64, String)> {
        migrations
            .iter()
            .map(|(version, description)| (*version, (*description).to_owned()))
            .collect()
    }

    #[test]
    fn a_program_serves_on_what_a_newer_one_added_and_on_nothing_older() {
        let ours = [1, 2, 4];
        let found = run(&[(1, "init"), (2, "b"), (4, "c")]);
        assert_eq!(fits(&found, &ours), Ok(()));
        assert!(fits(&found[..2], &ours).is_err());
        assert!(fits(&found[1..], &ours).is_err());
        let newer = run(&[(1, "init"), (2, "b"), (3, "between"), (4, "c"), (5, "more")]);
        assert_eq!(fits(&newer, &ours), Ok(()));
    }

    #[test]
    fn a_program_serves_after_a_contraction_that_reckoned_with_it_only() {
        let ours = [1, 2];
        let with = |description| run(&[(1, "init"), (2, "b"), (3, "c"), (4, description)]);
        assert_eq!(fits(&with("contract after 2 drop old"), &ours), Ok(()));
        for refused in [
            "contract after 3 drop b",
            "contract after something",
            "contract after ",
        ] {
            assert!(fits(&with(refused), &ours).is_err(), "{refused}");
        }
    }
}
