//! The key ring: a JSON file of two lists, in each the newest key first.
//!
//! ```json
//! {"identity":  [{"id": "2026-01", "key": "<32 bytes in base64>"}],
//!  "pseudonym": [{"id": "2026-01", "key": "<32 bytes in base64>"}]}
//! ```
//!
//! `identity` wraps the persons' keys: the first one wraps, all unwrap. `pseudonym` makes pseudonyms: all make them, the
//! last one counts.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{TryRngCore as _, rngs::OsRng};
use secrecy::{
    ExposeSecret as _, SecretBox, SecretString,
    zeroize::{Zeroize as _, Zeroizing},
};
use serde::Deserialize;

use super::seal::SealError;

/// Length of every key, bytes.
pub const KEY_BYTES: usize = 32;
/// Longest id of a key, characters.
pub const MAX_KEY_ID: usize = 32;
/// Most keys that unwrap.
pub const MAX_IDENTITY_KEYS: usize = 8;
/// Most keys that make pseudonyms: the one in use and the one that takes its place.
pub const MAX_PSEUDONYM_KEYS: usize = 2;
/// Largest file of a ring, bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The file cannot be read.
    #[error("the key ring cannot be read")]
    File(#[from] io::Error),
    /// It is not what a ring looks like; says where, and shows no key.
    #[error("not a key ring: {0}")]
    Malformed(String),
}

impl From<RingError> for io::Error {
    fn from(error: RingError) -> Self {
        match error {
            RingError::File(error) => error,
            malformed => Self::new(io::ErrorKind::InvalidData, malformed),
        }
    }
}

/// The keys that the database never holds. Never printed.
pub struct KeyRing {
    identity: Vec<NamedKey>,
    pseudonym: Vec<NamedKey>,
}

/// A key and the id that stands beside what it made.
pub(super) struct NamedKey {
    /// Its id.
    pub(super) id: String,
    key: SecretBox<[u8; KEY_BYTES]>,
}

impl NamedKey {
    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        self.key.expose_secret()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    identity: Vec<Line>,
    pseudonym: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    key: SecretString,
}

impl KeyRing {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, RingError> {
        if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
            return Err(malformed("the file is too large"));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        Self::parse(&text)
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, RingError> {
        // What serde says of a wrong value may quote it, and it may be a key.
        let file: File = serde_json::from_str(text).map_err(|error| {
            malformed(format!(
                "line {} column {} is not as expected",
                error.line(),
                error.column()
            ))
        })?;
        Ok(Self {
            identity: keys("identity", file.identity, MAX_IDENTITY_KEYS)?,
            pseudonym: keys("pseudonym", file.pseudonym, MAX_PSEUDONYM_KEYS)?,
        })
    }

    /// Writes the file of a new ring, with one key of each kind, for this account alone. What is there is left: its keys
    /// may be needed.
    pub fn create(path: &Path, id: &str) -> io::Result<()> {
        let text = Self::generate(id).map_err(io::Error::other)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()
    }

    /// The text of a new ring with one key of each kind, from the system's randomness.
    pub(super) fn generate(id: &str) -> Result<SecretString, SealError> {
        let (identity, pseudonym) = (generated()?, generated()?);
        Ok(SecretString::from(format!(
            "{{\"identity\": [{{\"id\": \"{id}\", \"key\": \"{}\"}}],\n \"pseudonym\": [{{\"id\": \"{id}\", \"key\": \"{}\"}}]}}\n",
            identity.as_str(),
            pseudonym.as_str()
        )))
    }

    /// Id of the key that wraps.
    pub fn wraps_with(&self) -> &str {
        &self.wrapping().id
    }

    /// Ids of the keys that only unwrap.
    pub fn older(&self) -> Vec<&str> {
        self.identity
            .iter()
            .skip(1)
            .map(|key| key.id.as_str())
            .collect()
    }

    /// Ids of the keys that make pseudonyms.
    pub fn pseudonym_keys(&self) -> Vec<&str> {
        self.pseudonym.iter().map(|key| key.id.as_str()).collect()
    }

    /// Id of the key under which the programme's persons are counted: the older one while two are listed, since every
    /// countable person has a pseudonym under it.
    pub fn counts_with(&self) -> &str {
        // A ring without keys is refused.
        self.pseudonym.last().map_or("", |key| &key.id)
    }

    /// Both lists by their ids: another ring has others.
    pub fn ids(&self) -> Vec<String> {
        let ids = |kind: &str, keys: &[NamedKey]| -> Vec<String> {
            keys.iter()
                .map(|key| format!("{kind} {}", key.id))
                .collect()
        };
        [
            ids("identity", &self.identity),
            ids("pseudonym", &self.pseudonym),
        ]
        .concat()
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "a ring without keys is refused when it is read"
    )]
    pub(super) fn wrapping(&self) -> &NamedKey {
        &self.identity[0]
    }

    pub(super) fn unwrapping(&self, id: &str) -> Result<&NamedKey, SealError> {
        self.identity
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(|| SealError::KeyMissing(id.to_owned()))
    }

    pub(super) fn making(&self) -> &[NamedKey] {
        &self.pseudonym
    }
}

fn malformed(what: impl Into<String>) -> RingError {
    RingError::Malformed(what.into())
}

fn keys(list: &str, lines: Vec<Line>, most: usize) -> Result<Vec<NamedKey>, RingError> {
    if lines.is_empty() || lines.len() > most {
        return Err(malformed(format!("{list} has 1 to {most} keys")));
    }
    let mut keys: Vec<NamedKey> = Vec::with_capacity(lines.len());
    for (place, line) in lines.into_iter().enumerate() {
        let is_id = (1..=MAX_KEY_ID).contains(&line.id.len())
            && line
                .id
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !is_id {
            return Err(malformed(format!(
                "{list}[{place}].id has 1 to {MAX_KEY_ID} of a-z, 0-9, -"
            )));
        }
        let mut decoded = STANDARD
            .decode(line.key.expose_secret())
            .unwrap_or_default();
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded.as_slice());
        decoded.zeroize();
        let Ok(bytes) = bytes else {
            return Err(malformed(format!(
                "{list}[{place}].key is not {KEY_BYTES} bytes in base64"
            )));
        };
        if keys
            .iter()
            .any(|other| other.id == line.id || *other.bytes() == bytes)
        {
            return Err(malformed(format!("{list}[{place}] is there twice")));
        }
        keys.push(NamedKey {
            id: line.id,
            key: SecretBox::new(Box::new(bytes)),
        });
    }
    Ok(keys)
}

fn generated() -> Result<Zeroizing<String>, SealError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    OsRng
        .try_fill_bytes(&mut *bytes)
        .map_err(SealError::Randomness)?;
    Ok(Zeroizing::new(STANDARD.encode(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; KEY_BYTES])
    }

    #[test]
    fn the_first_wraps_all_unwrap_and_the_last_counts() {
        let ring = KeyRing::parse(&format!(
            r#"{{"identity": [{{"id": "b", "key": "{}"}}, {{"id": "a", "key": "{}"}}],
                 "pseudonym": [{{"id": "q", "key": "{}"}}, {{"id": "p", "key": "{}"}}]}}"#,
            key(2),
            key(1),
            key(4),
            key(3)
        ))
        .unwrap();
        assert_eq!((ring.wraps_with(), ring.older()), ("b", vec!["a"]));
        assert_eq!(ring.unwrapping("a").unwrap().bytes(), &[1; KEY_BYTES]);
        assert_eq!(ring.unwrapping("b").unwrap().bytes(), &[2; KEY_BYTES]);
        assert!(matches!(ring.unwrapping("c"), Err(SealError::KeyMissing(id)) if id == "c"));
        assert_eq!(ring.pseudonym_keys(), ["q", "p"]);
        assert_eq!(ring.counts_with(), "p");
    }

    #[test]
    fn what_is_no_ring_is_refused_without_showing_a_key() {
        let secret = key(7);
        let line = |id: &str| format!(r#"{{"id": "{id}", "key": "{secret}"}}"#);
        let ring = |identity: &str, pseudonym: &str| {
            format!(r#"{{"identity": [{identity}], "pseudonym": [{pseudonym}]}}"#)
        };
        let other = format!(r#"{{"id": "b", "key": "{}"}}"#, key(8));
        let third = format!(r#"{{"id": "c", "key": "{}"}}"#, key(9));
        for text in [
            String::new(),
            ring("", &line("a")),
            ring(&line("a"), ""),
            ring(&line("A"), &line("a")),
            ring(&line(&"a".repeat(MAX_KEY_ID + 1)), &line("a")),
            ring(r#"{"id": "a", "key": "c2hvcnQ="}"#, &line("a")),
            ring(&format!(r#""{secret}""#), &line("a")),
            ring(&format!("{}, {}", line("a"), line("b")), &line("a")),
            ring(&format!("{}, {}", line("b"), other), &line("a")),
            ring(&line("a"), &format!("{}, {other}, {third}", line("a"))),
        ] {
            let Err(error) = KeyRing::parse(&text) else {
                panic!("{text} is no ring");
            };
            assert!(!format!("{error:?} {error}").contains(&secret), "{error}");
        }
    }

    #[test]
    fn a_new_ring_can_be_read_and_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        KeyRing::create(&path, "first").unwrap();
        let ring = KeyRing::read(&path).unwrap();
        let again = KeyRing::create(&path, "second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(ring.wraps_with(), "first");
        assert_ne!(ring.wrapping().bytes(), ring.making()[0].bytes());
    }
}
