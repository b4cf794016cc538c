//! The folder one private PostgreSQL lives in: who owns it, its lock, its password, its log.
//!
//! ```text
//! home/data                PostgreSQL's own folder
//! home/superuser-password  generated once, readable by the account that runs the server
//! home/lock                held (flock) by every process of the server
//! home/server.log          of the last start
//! ```

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::TryRngCore;
use tempfile::TempDir;

use crate::error::{Error, io};

/// How long a start waits for the previous server of the same folder to finish stopping.
const LOCK_LIMIT: Duration = Duration::from_secs(15);
const LOCK_POLL: Duration = Duration::from_millis(20);
/// How much of the log an error quotes.
const LOG_TAIL_BYTES: u64 = 4096;
const PASSWORD_BYTES: usize = 24;
/// Accounts without privileges, in order of preference, used when started by root.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// An account of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) struct Home {
    pub(crate) path: PathBuf,
    /// Who must run the server, when it is not the present user.
    pub(crate) account: Option<Account>,
    pub(crate) password: String,
    pub(crate) lock: File,
    pub(crate) log: File,
    /// Present until the watchdog has taken over the removal.
    temporary: Option<TempDir>,
}

impl Home {
    /// Creates or reopens the folder; `None` is a temporary one.
    pub(crate) async fn open(configured: Option<&Path>) -> Result<Self, Error> {
        let (path, temporary) = match configured {
            Some(path) => {
                let path = std::path::absolute(path).map_err(io("resolve", path))?;
                std::fs::create_dir_all(&path).map_err(io("create", &path))?;
                (path, None)
            }
            None => {
                let parent = std::env::temp_dir();
                let folder = tempfile::Builder::new()
                    .prefix("nonrecours-pg-")
                    .tempdir()
                    .map_err(io("create a temporary folder in", &parent))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let account = account_for(&path)?;
        private(&path, 0o700, account.as_ref())?;
        if let Some(account) = &account {
            check_reachable(&path, account)?;
        }
        let lock = lock(&path).await?;
        let password = password(&path, account.as_ref())?;
        let log_path = path.join("server.log");
        let log = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&log_path)
            .map_err(io("create", &log_path))?;
        private(&log_path, 0o600, account.as_ref())?;
        Ok(Self {
            path,
            account,
            password,
            lock,
            log,
            temporary,
        })
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Leaves the removal of a temporary folder to the watchdog.
    pub(crate) fn hand_over(&mut self) {
        if let Some(folder) = self.temporary.take() {
            let _path = folder.keep();
        }
    }

    /// The port named in PostgreSQL's own status file, and whether it is ready to serve there.
    pub(crate) fn status(&self) -> Option<(u16, bool)> {
        let status = std::fs::read_to_string(self.path.join("data/postmaster.pid")).ok()?;
        let port = status.lines().nth(3)?.parse().ok()?;
        let ready = status
            .lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready");
        Some((port, ready))
    }

    /// The end of the log. Read at a position: the server writes through the same descriptor.
    pub(crate) fn log_tail(&self) -> String {
        let length = self.log.metadata().map_or(0, |metadata| metadata.len());
        let start = length.saturating_sub(LOG_TAIL_BYTES);
        let mut tail = vec![0; usize::try_from(length - start).unwrap_or_default()];
        match self.log.read_exact_at(&mut tail, start) {
            Ok(()) => String::from_utf8_lossy(&tail).into_owned(),
            Err(error) => format!("(log unreadable: {error})"),
        }
    }
}

/// The account that must run the server: none unless we are root, which `initdb` refuses. The owner
/// of an existing cluster keeps it.
fn account_for(home: &Path) -> Result<Option<Account>, Error> {
    let probe = tempfile::tempfile().and_then(|file| file.metadata());
    let ours = probe
        .map_err(io("create a file in", &std::env::temp_dir()))?
        .uid();
    if ours != 0 {
        return Ok(None);
    }
    if let Ok(cluster) = home.join("data").metadata()
        && cluster.uid() != 0
    {
        return Ok(Some(Account {
            name: cluster.uid().to_string(),
            uid: cluster.uid(),
            gid: cluster.gid(),
        }));
    }
    let file = Path::new("/etc/passwd");
    let accounts = std::fs::read_to_string(file).map_err(io("read", file))?;
    let found = ACCOUNTS.iter().find_map(|name| account(&accounts, name));
    found.map(Some).ok_or(Error::NoUnprivilegedAccount)
}

/// Reads one account out of the text of `/etc/passwd`.
fn account(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then(|| Account {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

/// Says which folder on the way would stop the account, instead of leaving it to `initdb`.
fn check_reachable(path: &Path, account: &Account) -> Result<(), Error> {
    for folder in path.ancestors().skip(1) {
        let metadata = folder.metadata().map_err(io("look at", folder))?;
        let mode = metadata.mode();
        let enters = if metadata.uid() == account.uid {
            mode & 0o100 != 0
        } else if metadata.gid() == account.gid {
            mode & 0o010 != 0
        } else {
            mode & 0o001 != 0
        };
        if !enters {
            return Err(Error::Unreachable {
                path: folder.to_owned(),
                account: account.name.clone(),
            });
        }
    }
    Ok(())
}

fn private(path: &Path, mode: u32, account: Option<&Account>) -> Result<(), Error> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("protect", path))?;
    if let Some(account) = account {
        chown(path, Some(account.uid), Some(account.gid)).map_err(io("give away", path))?;
    }
    Ok(())
}

async fn lock(home: &Path) -> Result<File, Error> {
    let path = home.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("create", &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(io("lock", &path)(source)),
            Err(TryLockError::WouldBlock) if started.elapsed() > LOCK_LIMIT => {
                return Err(Error::InUse {
                    path: home.to_owned(),
                });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
        }
    }
}

/// The superuser's password: generated at the first start, kept with the data.
fn password(home: &Path, account: Option<&Account>) -> Result<String, Error> {
    let path = home.join("superuser-password");
    match std::fs::read_to_string(&path) {
        Ok(password) => return Ok(password),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("read", &path)(error)),
    }
    let mut secret = [0; PASSWORD_BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
    let password = crate::hex(&secret);
    // Appears under its name only once complete.
    let mut file = tempfile::NamedTempFile::new_in(home).map_err(io("create", &path))?;
    file.write_all(password.as_bytes())
        .map_err(io("write", &path))?;
    private(file.path(), 0o600, account)?;
    file.persist(&path)
        .map_err(|error| io("write", &path)(error.error))?;
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_by_its_exact_name_and_is_never_root() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody2:x:7:7::/:/bin/false\n\
                      nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\npostgres:x:0:0:::\n";
        let nobody = account(passwd, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert_eq!(account(passwd, "postgres"), None);
        assert_eq!(account(passwd, "body"), None);
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        let home = closed.join("home");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        let stranger = Account {
            name: "stranger".into(),
            uid: u32::MAX - 1,
            gid: u32::MAX - 1,
        };
        let refused = check_reachable(&home, &stranger).unwrap_err();
        assert!(matches!(refused, Error::Unreachable { path, .. } if path == closed));
        std::fs::set_permissions(&closed, Permissions::from_mode(0o711)).unwrap();
        check_reachable(&home, &stranger).unwrap();
    }
}
