//! The database and the two roles of each service on a private server.
//!
//! `{service}_owner` owns the database and runs its migrations. `{service}_app` is what the service
//! connects as: it owns nothing, so row-level security applies to it, and it holds only what the
//! migrations grant it. The name of the database is apart from the name of the service so that many
//! test databases can share the same roles.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{Admin, Error, SUPERUSER, hex};

/// One process at a time creates roles and databases: `CREATE ROLE` has no `IF NOT EXISTS`.
const ADMINISTRATION_LOCK: i64 = 0x6e6f_6e72_6563;
const MAX_NAME_LENGTH: usize = 41;
/// Of a role's password, in bytes.
const PASSWORD_BYTES: usize = 16;

/// The addresses of one service's database. They carry passwords: not for logs.
#[derive(Clone)]
pub struct ServiceUrls {
    /// As `{service}_owner`: migrations.
    pub owner_url: String,
    /// As `{service}_app`: everything else.
    pub app_url: String,
}

/// Creates what is missing of the roles of `service` and of `database`; calling again changes
/// nothing and returns the same addresses.
///
/// # Errors
/// [`Error::Name`] for a name outside `^[a-z][a-z0-9_]{0,40}$` or reserved by PostgreSQL;
/// [`Error::Sql`] when the server refuses.
pub async fn create_service_database(
    admin: &Admin,
    service: &str,
    database: &str,
) -> Result<ServiceUrls, Error> {
    create(admin, service, None, database).await
}

/// Creates `database` as a copy of `template` (tens of milliseconds), for the roles of `service`.
/// Nobody may be connected to the template.
///
/// # Errors
/// As [`create_service_database`]; [`Error::Sql`] too when the template does not exist or is in use.
pub async fn create_from_template(
    admin: &Admin,
    service: &str,
    template: &str,
    database: &str,
) -> Result<ServiceUrls, Error> {
    create(admin, service, Some(template), database).await
}

/// Drops a database if it exists, disconnecting whoever uses it. The roles stay.
///
/// # Errors
/// [`Error::Name`], [`Error::Sql`].
pub async fn drop_database(admin: &Admin, database: &str) -> Result<(), Error> {
    let database = checked(database)?;
    let mut connection = PgConnection::connect(&admin.superuser_url(SUPERUSER)).await?;
    execute(
        &mut connection,
        format!(r#"DROP DATABASE IF EXISTS "{database}" WITH (FORCE)"#),
    )
    .await?;
    Ok(connection.close().await?)
}

async fn create(
    admin: &Admin,
    service: &str,
    template: Option<&str>,
    database: &str,
) -> Result<ServiceUrls, Error> {
    let (service, database) = (checked(service)?, checked(database)?);
    let template = checked(template.unwrap_or("template1"))?;
    let (owner, app) = (format!("{service}_owner"), format!("{service}_app"));

    let mut connection = PgConnection::connect(&admin.superuser_url(SUPERUSER)).await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(ADMINISTRATION_LOCK)
        .execute(&mut connection)
        .await?;
    for role in [&owner, &app] {
        create_role(&mut connection, admin, role).await?;
    }
    let exists = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(database)
        .fetch_optional(&mut connection)
        .await?;
    if exists.is_none() {
        let sql = format!(r#"CREATE DATABASE "{database}" TEMPLATE "{template}" OWNER {owner}"#);
        execute(&mut connection, sql).await?;
    }
    // A copy does not inherit the privileges of its template on the database itself.
    execute(
        &mut connection,
        format!(r#"REVOKE CONNECT ON DATABASE "{database}" FROM PUBLIC"#),
    )
    .await?;
    execute(
        &mut connection,
        format!(r#"GRANT CONNECT ON DATABASE "{database}" TO {app}"#),
    )
    .await?;
    // Closing the session releases the lock.
    connection.close().await?;

    let url = |role: &str| admin.url_for(role, &role_password(admin, role), database);
    Ok(ServiceUrls {
        owner_url: url(&owner),
        app_url: url(&app),
    })
}

async fn create_role(
    connection: &mut PgConnection,
    admin: &Admin,
    role: &str,
) -> Result<(), Error> {
    let exists = sqlx::query("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(role)
        .fetch_optional(&mut *connection)
        .await?;
    if exists.is_none() {
        let password = role_password(admin, role);
        let sql = format!(
            "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS \
             PASSWORD '{password}'"
        );
        execute(connection, sql).await?;
    }
    Ok(())
}

/// Runs a statement that takes no parameters, which PostgreSQL allows for none of these. Every name
/// in it went through [`checked`], every password is hexadecimal.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The password of a role follows from the superuser's, so that every process that administers the
/// server knows it and nothing has to be stored or reset.
fn role_password(admin: &Admin, role: &str) -> String {
    let digest = Sha256::digest(format!("{}:{role}", admin.password));
    hex(digest.get(..PASSWORD_BYTES).unwrap_or_default())
}

/// A name that needs no escaping in SQL (a database's is quoted all the same: it may be a keyword) and
/// leaves room for the suffix of a role.
fn checked(name: &str) -> Result<&str, Error> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    // PostgreSQL reserves role names that begin with "pg_", as those of a service "pg" would.
    let reserved = name == "pg" || name.starts_with("pg_");
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= MAX_NAME_LENGTH
        && name.chars().all(letters)
        && !reserved;
    if valid {
        Ok(name)
    } else {
        Err(Error::Name {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_reach_sql() {
        let longest = "a".repeat(MAX_NAME_LENGTH);
        for name in ["conventions", "t_1", "a", longest.as_str()] {
            assert_eq!(checked(name).unwrap(), name);
        }
        let too_long = "a".repeat(MAX_NAME_LENGTH + 1);
        let refused = [
            "",
            "1a",
            "_a",
            "Conventions",
            "a-b",
            "a b",
            "a;drop",
            "a\"",
            "é",
            "pg",
            "pg_x",
            too_long.as_str(),
        ];
        for name in refused {
            assert!(matches!(checked(name), Err(Error::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn passwords_differ_by_role_and_by_server() {
        let admin = |password: &str| Admin {
            port: 1,
            password: password.to_owned(),
        };
        let one = role_password(&admin("one"), "conventions_app");
        assert_eq!(one.len(), 2 * PASSWORD_BYTES);
        assert_eq!(one, role_password(&admin("one"), "conventions_app"));
        assert_ne!(one, role_password(&admin("one"), "conventions_owner"));
        assert_ne!(one, role_password(&admin("two"), "conventions_app"));
    }
}
