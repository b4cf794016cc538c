//! What a running suite leaves for the other commands: where it listens, a convention to try, and a token per role. For a
//! suite that runs elsewhere the file is written by hand, with the machine that the issuer knows this one as.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nonrecours_rpc::auth::{MachineClient, TokenSource};
use serde::{Deserialize, Serialize};

use crate::suite::Addresses;

/// Where the file lies unless told otherwise.
pub const DEFAULT_STATE: &str = ".nonrecours/suite.json";

/// Addresses and development tokens of a running suite.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct State {
    /// Where the services are.
    #[serde(flatten)]
    pub addresses: Addresses,
    /// A convention in force to try things with: that of the operator whose tokens these are.
    #[serde(default)]
    pub convention: String,
    /// A token per role.
    #[serde(default)]
    pub tokens: BTreeMap<String, String>,
    /// The machine that asks the issuer for a token where there is none of the role; its roles are the issuer's word.
    #[serde(default, skip_serializing)]
    pub client: Option<MachineClient>,
}

impl State {
    /// Reads the file of a running suite.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!(
                "{} ne décrit aucune suite en marche : lancez-en une avec `nonrecours up`",
                path.display()
            )
        })?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} est abîmé : relancez `nonrecours up`", path.display()))
    }

    /// Writes the file, readable by its owner only. It is removed when the guard is dropped.
    pub fn write(&self, path: &Path) -> anyhow::Result<StateFile> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        Ok(StateFile(path.to_owned()))
    }

    /// The token to act with in a role: that of the role, else the machine's own.
    pub fn token(&self, role: &str) -> anyhow::Result<TokenSource> {
        match (self.tokens.get(role), &self.client) {
            (Some(token), _) => Ok(TokenSource::fixed(token.as_str())),
            (None, Some(client)) => Ok(TokenSource::client(client.clone())),
            (None, None) => anyhow::bail!("the suite has no token for the role {role}"),
        }
    }
}

/// The file of a running suite; gone when the suite is.
#[derive(Debug)]
pub struct StateFile(PathBuf);

impl Drop for StateFile {
    fn drop(&mut self) {
        // Nothing can be done about a file that is gone already.
        let _ = fs::remove_file(&self.0);
    }
}
