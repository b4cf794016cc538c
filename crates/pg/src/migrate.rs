//! Bringing a database to the schema of this program, as its owner.

use nonrecours_kernel::Clock;
use sqlx::{Connection as _, PgConnection, migrate::Migrator};

use crate::error::Error;

/// The tables every service has beside its own.
static COMMON: Migrator = sqlx::migrate!();

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

/// Compares what was run with what this program brings, and the cluster with that of the current era.
pub(crate) async fn check(
    connection: &mut PgConnection,
    service: &Migrator,
) -> Result<(), MigrateError> {
    for (table, query, migrator) in [
        (
            "_pg_migrations",
            "SELECT version FROM _pg_migrations WHERE success ORDER BY version",
            &COMMON,
        ),
        (
            "_migrations",
            "SELECT version FROM _migrations WHERE success ORDER BY version",
            service,
        ),
    ] {
        let found: Vec<i64> = sqlx::query_scalar(query)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| MigrateError::Schema(format!("{table}: {error}")))?;
        let expected: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
        if found != expected {
            return Err(MigrateError::Schema(format!(
                "{table}: {found:?} instead of {expected:?}"
            )));
        }
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
