//! A private PostgreSQL: the embedded default of the suite, and the server of every test.
//!
//! [`LocalPg::start`] runs the PostgreSQL already installed on the machine on a free loopback port,
//! with a generated superuser password, as root (under an unprivileged account) or as anyone. The
//! server dies with the process that started it, however that ends: a small shell supervises it and
//! stops it when the pipe from this process closes. Unix sockets are off: every client, ours or
//! PostgreSQL's own tools, connects by TCP.
//!
//! [`roles`] gives each service its database and its two roles on such a server.

mod binaries;
mod error;
mod home;
pub mod roles;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use binaries::{MIN_MAJOR_VERSION, find_binaries};
pub use error::Error;
use error::io;
use home::Home;
pub use roles::{ServiceUrls, create_from_template, create_service_database, drop_database};

const WATCHDOG: &str = include_str!("watchdog.sh");
/// `initdb` included; a durable one on a slow disk takes a few seconds.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The server flushes everything before it stops.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// Another program may take the port between our choosing it and the server's binding it.
const PORT_ATTEMPTS: u32 = 5;
const MAX_CONNECTIONS: u32 = 200;
/// What the server logs when it cannot have its port (messages are in English: `lc_messages=C`).
const PORT_TAKEN: &str = "could not create any TCP/IP sockets";
const SUPERUSER: &str = "postgres";

/// How to start a private PostgreSQL.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the data lives between runs; `None` is a temporary folder, removed on stop.
    pub data_dir: Option<PathBuf>,
    /// `false` trades safety against power cuts for speed: tests, and data that is thrown away.
    pub durable: bool,
    /// The folder of `initdb` and `postgres`; `None` searches as [`find_binaries`] does.
    pub binaries: Option<PathBuf>,
}

/// A running private PostgreSQL. Dropping it stops the server too, without waiting for it.
pub struct LocalPg {
    watchdog: Child,
    home: PathBuf,
    temporary: bool,
    admin: Admin,
}

/// What [`roles`] needs of a running server: its address and its superuser.
#[derive(Clone)]
pub struct Admin {
    port: u16,
    password: String,
}

impl LocalPg {
    /// Starts a server and returns when it accepts connections: about one second for a new one.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::StopTimeout`], [`Error::Name`] and [`Error::Sql`]; nothing is left
    /// running behind any of them.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let binaries = find_binaries(options.binaries.as_deref())?;
        let started = Instant::now();
        for _ in 0..PORT_ATTEMPTS {
            let home = Home::open(options.data_dir.as_deref()).await?;
            if let Some(server) = launch(home, &binaries, options.durable).await? {
                let milliseconds = started.elapsed().as_millis();
                tracing::debug!(port = server.admin.port, %milliseconds, "private PostgreSQL started");
                return Ok(server);
            }
        }
        Err(Error::NoPort {
            attempts: PORT_ATTEMPTS,
        })
    }

    /// The address of a database for a role of this server.
    #[must_use]
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        self.admin.url_for(role, password, database)
    }

    /// The address of a database for the superuser.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> String {
        self.admin.superuser_url(database)
    }

    /// What [`roles`] needs; it can be kept and cloned apart from the server.
    #[must_use]
    pub fn admin(&self) -> Admin {
        self.admin.clone()
    }

    /// The folder of the server: data, password, log.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Stops the server, disconnecting whoever is connected, and waits until no process of it is
    /// left, nor, for a temporary one, its folder.
    ///
    /// # Errors
    /// [`Error::StopTimeout`] after a minute; [`Error::Io`] when the folder cannot be removed.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.watchdog.stdin.take());
        let started = Instant::now();
        while self
            .watchdog
            .try_wait()
            .map_err(io("wait for the supervisor of", &self.home))?
            .is_none()
        {
            if started.elapsed() > STOP_LIMIT {
                return Err(Error::StopTimeout {
                    seconds: STOP_LIMIT.as_secs(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
        // The account of the server empties its folder, but may not remove it from every parent.
        if self.temporary && self.home.exists() {
            std::fs::remove_dir_all(&self.home).map_err(io("remove", &self.home))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for LocalPg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalPg")
            .field("home", &self.home)
            .field("port", &self.admin.port)
            .finish_non_exhaustive()
    }
}

impl Admin {
    fn url_for(&self, role: &str, password: &str, database: &str) -> String {
        let port = self.port;
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    fn superuser_url(&self, database: &str) -> String {
        self.url_for(SUPERUSER, &self.password, database)
    }
}

/// One attempt, on one port: `None` when another program took it first.
async fn launch(mut home: Home, binaries: &Path, durable: bool) -> Result<Option<LocalPg>, Error> {
    let port = free_port(&home)?;
    let temporary = home.is_temporary();
    let mut command = command(&home, binaries, durable, port)?;
    let mut watchdog = command.spawn().map_err(io("run", Path::new("/bin/sh")))?;
    home.hand_over();

    let started = Instant::now();
    loop {
        let ended = watchdog
            .try_wait()
            .map_err(io("wait for the supervisor of", &home.path))?;
        if ended.is_some() {
            let log = home.log_tail();
            return if log.contains(PORT_TAKEN) {
                Ok(None)
            } else {
                Err(Error::Start { log })
            };
        }
        if home.status() == Some((port, true)) {
            let password = home.password;
            return Ok(Some(LocalPg {
                watchdog,
                home: home.path,
                temporary,
                admin: Admin { port, password },
            }));
        }
        if started.elapsed() > START_LIMIT {
            return Err(Error::StartTimeout {
                seconds: START_LIMIT.as_secs(),
                log: home.log_tail(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A port free at this instant, and not the one a crashed server left in its status file, which
/// would make that file look like the new server's.
fn free_port(home: &Home) -> Result<u16, Error> {
    let stale = home.status().map(|(port, _)| port);
    let port = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(listener.local_addr()?.port())
    };
    for _ in 0..PORT_ATTEMPTS {
        let port = port().map_err(io("find a port for", &home.path))?;
        if Some(port) != stale {
            return Ok(port);
        }
    }
    Err(Error::NoPort {
        attempts: PORT_ATTEMPTS,
    })
}

fn command(home: &Home, binaries: &Path, durable: bool, port: u16) -> Result<Command, Error> {
    let share = |file: &File| file.try_clone().map_err(io("share a file of", &home.path));
    let yes_no = |value: bool| if value { "yes" } else { "no" };
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WATCHDOG, "nonrecours-localpg"])
        .arg(binaries)
        .arg(&home.path)
        .args([yes_no(home.is_temporary()), yes_no(durable)]);
    for setting in settings(durable, port) {
        command.args(["-c", &setting]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(share(&home.lock)?)
        .stderr(share(&home.log)?)
        // Whatever PG* the user has set is for other servers.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        // Ctrl-C on the terminal is for the suite, which drains before it stops its database.
        .process_group(0);
    if let Some(account) = &home.account {
        command.uid(account.uid).gid(account.gid);
    }
    Ok(command)
}

fn settings(durable: bool, port: u16) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        format!("max_connections={MAX_CONNECTIONS}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "password_encryption=scram-sha-256".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "lc_messages=C".to_owned(),
        "log_checkpoints=off".to_owned(),
        // Statements and the details of errors carry the data of persons.
        "log_min_error_statement=panic".to_owned(),
        "log_error_verbosity=terse".to_owned(),
    ];
    if !durable {
        for setting in ["fsync", "synchronous_commit", "full_page_writes", "jit"] {
            settings.push(format!("{setting}=off"));
        }
        settings.push("wal_level=minimal".to_owned());
        settings.push("max_wal_senders=0".to_owned());
    }
    settings
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
