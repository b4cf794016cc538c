//! What a database says of itself to the role that a service uses: for whoever runs the suite.

use time::OffsetDateTime;

use crate::{Db, error::Error};

/// What every service reads and writes beside its own tables, and may do with it: read, add, change, delete.
const COMMON: [(&str, [bool; 4]); 8] = [
    ("_migrations", [true, false, false, false]),
    ("_pg_migrations", [true, false, false, false]),
    ("feed_cursor", [true, true, true, false]),
    ("feed_era", [true, false, false, false]),
    ("outbox", [true, true, false, false]),
    ("request_replay", [true, true, false, true]),
    ("security_checkpoint", [true, true, false, false]),
    ("security_event", [true, true, false, true]),
];

/// How privileges are called, in the order of [`COMMON`].
const PRIVILEGES: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// A database as its application role finds it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The role.
    pub role: String,
    /// What makes the role more than an application's, as PostgreSQL calls it: `SUPERUSER`, `TRUNCATE ON outbox`, …
    pub excess: Vec<String>,
    /// What it lacks.
    pub missing: Vec<String>,
    /// Tables of operators' rows that row-level security does not protect.
    pub unprotected: Vec<String>,
    /// Version of the server, e.g. 170004.
    pub version: i32,
    /// Whether nothing can be written: a replica, or read only by its settings.
    pub read_only: bool,
    /// The server's clock.
    pub clock: OffsetDateTime,
    /// Size of the database.
    pub bytes: i64,
}

impl Db {
    /// Looks at the server, at the role, and at what it may do with each table. `append_only` names tables of the service
    /// whose rows are never changed nor deleted.
    pub async fn examine(&self, append_only: &[&str]) -> Result<Examined, Error> {
        let role = sqlx::query!(
            r#"SELECT current_user::text AS "name!", rolsuper AS "superuser!", rolbypassrls AS "bypasses!",
                      rolcreaterole AS "creates_roles!", rolcreatedb AS "creates_databases!",
                      rolreplication AS "replicates!",
                      has_schema_privilege(current_schema(), 'CREATE') AS "creates!",
                      current_setting('server_version_num')::integer AS "version!",
                      pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "read_only!",
                      clock_timestamp() AS "clock!", pg_database_size(current_database()) AS "bytes!"
               FROM pg_roles WHERE rolname = current_user"#
        )
        .fetch_one(self.pool())
        .await?;
        let tables = sqlx::query!(
            r#"SELECT relname::text AS "name!", pg_has_role(relowner, 'MEMBER') AS "owned!",
                      has_table_privilege(pg_class.oid, 'TRUNCATE') AS "truncates!",
                      has_table_privilege(pg_class.oid, 'TRIGGER') AS "triggers!",
                      has_table_privilege(pg_class.oid, 'SELECT') AS "reads!",
                      has_table_privilege(pg_class.oid, 'INSERT') AS "adds!",
                      has_table_privilege(pg_class.oid, 'UPDATE') AS "changes!",
                      has_table_privilege(pg_class.oid, 'DELETE') AS "deletes!",
                      relrowsecurity AS "protected!",
                      EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'operator_id'
                              AND NOT attisdropped) AS "of_operators!"
               FROM pg_class
               WHERE relnamespace = current_schema()::text::regnamespace AND relkind IN ('r', 'p')
               ORDER BY relname"#
        )
        .fetch_all(self.pool())
        .await?;

        let (mut excess, mut missing) = (Vec::new(), Vec::new());
        for (has, what) in [
            (role.superuser, "SUPERUSER"),
            (role.bypasses, "BYPASSRLS"),
            (role.creates_roles, "CREATEROLE"),
            (role.creates_databases, "CREATEDB"),
            (role.replicates, "REPLICATION"),
        ] {
            if has {
                excess.push(what.to_owned());
            }
        }
        // A superuser has every privilege: to list them would say nothing more.
        if !role.superuser {
            if role.creates {
                excess.push("CREATE ON SCHEMA".to_owned());
            }
            for table in &tables {
                let name = &table.name;
                for (has, what) in [
                    (table.owned, "OWNER OF"),
                    (table.truncates, "TRUNCATE ON"),
                    (table.triggers, "TRIGGER ON"),
                ] {
                    if has {
                        excess.push(format!("{what} {name}"));
                    }
                }
                let has = [table.reads, table.adds, table.changes, table.deletes];
                let wanted = COMMON.iter().find(|(common, _)| common == name);
                let kept = append_only.contains(&name.as_str());
                for (index, privilege) in PRIVILEGES.iter().enumerate() {
                    let has = has.get(index).copied().unwrap_or_default();
                    let wanted = wanted.and_then(|(_, wanted)| wanted.get(index).copied());
                    match wanted {
                        Some(true) if !has => missing.push(format!("{privilege} ON {name}")),
                        Some(false) if has => excess.push(format!("{privilege} ON {name}")),
                        // UPDATE and DELETE.
                        None if kept && has && index >= 2 => {
                            excess.push(format!("{privilege} ON {name}"));
                        }
                        Some(_) | None => {}
                    }
                }
            }
        }
        let unprotected = tables
            .iter()
            .filter(|table| table.of_operators && !table.protected)
            .map(|table| table.name.clone());
        Ok(Examined {
            role: role.name,
            excess,
            missing,
            unprotected: unprotected.collect(),
            version: role.version,
            read_only: role.read_only,
            clock: role.clock,
            bytes: role.bytes,
        })
    }
}
