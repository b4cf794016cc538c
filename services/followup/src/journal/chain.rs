//! What an entry says, and how entries are linked: pure.

use std::{fmt, str::FromStr};

use nonrecours_kernel::{Digest, Invalid};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// What the first link of all is made on.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);
/// What is hashed is of this form: another one would be another word.
const FORM: &[u8] = b"nonrecours access 1";

/// Where an entry stands: entries follow each other in this order, and none comes late before one that is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Era of the database.
    pub era: i32,
    /// Transaction that wrote it.
    pub xid: u64,
    /// Counts the entries written.
    pub position: i64,
}

impl Place {
    /// Before every entry.
    pub const START: Self = Self {
        era: 0,
        xid: 0,
        position: 0,
    };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.era, self.xid, self.position)
    }
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose records; nil when none was met.
    pub operator: Uuid,
    /// Its place.
    pub place: Place,
    /// Subject of who acted, or `service:<name>`.
    pub actor: String,
    /// The operator whom the actor works for.
    pub actor_operator: Option<Uuid>,
    /// The actor's roles, joined by commas.
    pub roles: String,
    /// Path of the rpc; empty: a service acting on its own.
    pub rpc: String,
    /// `READ` or `WRITE`.
    pub kind: String,
    /// When.
    pub occur_time: OffsetDateTime,
    /// W3C trace context; empty: none.
    pub traceparent: String,
    /// Why, in the words of who acted; empty: no reason was given.
    pub why: String,
    /// How many records.
    pub record_count: i32,
    /// SHA-256 of all their names.
    pub digest: Vec<u8>,
    /// Collections of the ids that follow.
    pub collections: Vec<String>,
    /// How many ids each collection has.
    pub counts: Vec<i32>,
    /// Ids of the first records, collection by collection.
    pub records: Vec<Uuid>,
}

impl Entry {
    /// The link that this entry makes as the `number`th on the one before: SHA-256 of both.
    pub fn link(&self, number: i64, previous: &Digest) -> Digest {
        let mut hash = Hash(Sha256::new());
        hash.bytes(FORM);
        hash.bytes(previous.as_bytes());
        hash.number(number);
        hash.bytes(self.operator.as_bytes());
        hash.number(self.place.era.into());
        hash.bytes(&self.place.xid.to_be_bytes());
        hash.number(self.place.position);
        hash.bytes(self.actor.as_bytes());
        hash.bytes(
            self.actor_operator
                .as_ref()
                .map_or(&[][..], |id| id.as_bytes()),
        );
        hash.bytes(self.roles.as_bytes());
        hash.bytes(self.rpc.as_bytes());
        hash.bytes(self.kind.as_bytes());
        hash.bytes(&self.occur_time.unix_timestamp_nanos().to_be_bytes());
        hash.bytes(self.traceparent.as_bytes());
        hash.bytes(self.why.as_bytes());
        hash.number(self.record_count.into());
        hash.bytes(&self.digest);
        hash.length(self.collections.len());
        for collection in &self.collections {
            hash.bytes(collection.as_bytes());
        }
        hash.length(self.counts.len());
        for count in &self.counts {
            hash.number((*count).into());
        }
        hash.length(self.records.len());
        for record in &self.records {
            hash.bytes(record.as_bytes());
        }
        Digest::from_bytes(hash.0.finalize().into())
    }

    /// Names of the first records, at most `limit`.
    pub fn names(&self, limit: usize) -> Vec<String> {
        let operator = self.operator;
        let collections = self.collections.iter().zip(&self.counts);
        let of_each = collections.flat_map(|(collection, count)| {
            let count = usize::try_from(*count).unwrap_or_default();
            std::iter::repeat_n(collection, count)
        });
        let name = |(collection, id): (&String, &Uuid)| match collection.split_once('/') {
            Some((collection, part)) => format!("operators/{operator}/{collection}/{id}/{part}"),
            None => format!("operators/{operator}/{collection}/{id}"),
        };
        of_each.zip(&self.records).take(limit).map(name).collect()
    }
}

/// Each part with its length before it, so that no two entries are hashed alike.
struct Hash(Sha256);

impl Hash {
    fn length(&mut self, length: usize) {
        self.0
            .update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }
}

/// A link of the chain by its number: noted elsewhere, it shows later whether the chain is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its number, from 1; 0: the chain has not begun.
    pub number: i64,
    /// The link.
    pub link: Digest,
}

impl Anchor {
    /// Before the first link.
    pub const START: Self = Self {
        number: 0,
        link: GENESIS,
    };
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.link)
    }
}

impl FromStr for Anchor {
    type Err = Invalid;

    /// Reads `<number>:<64 hexadecimal digits>`. Refused with `ANCHOR_INVALID`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let parts = value.split_once(':');
        let anchor = parts.and_then(|(number, link)| {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            let link = link.parse().ok()?;
            Some(Self { number, link })
        });
        anchor.ok_or_else(|| {
            Invalid::new(
                "ANCHOR_INVALID",
                "an anchor is a number, a colon and 64 hexadecimal digits",
                "Un repère s'écrit numéro:empreinte, comme la commande l'a imprimé.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> Entry {
        Entry {
            operator: Uuid::from_u128(1),
            place: Place {
                era: 1,
                xid: 700,
                position: 3,
            },
            actor: "agent".to_owned(),
            actor_operator: Some(Uuid::from_u128(1)),
            roles: "operator_agent".to_owned(),
            rpc: "/a.B/C".to_owned(),
            kind: "READ".to_owned(),
            occur_time: OffsetDateTime::UNIX_EPOCH,
            traceparent: String::new(),
            why: String::new(),
            record_count: 3,
            digest: vec![7; 32],
            collections: vec!["beneficiaries/identity".to_owned(), "notes".to_owned()],
            counts: vec![1, 2],
            records: vec![Uuid::from_u128(5), Uuid::from_u128(6), Uuid::from_u128(7)],
        }
    }

    #[test]
    fn every_field_moves_the_link() {
        type Change = fn(&mut Entry);
        let changes: [Change; 17] = [
            |entry| entry.operator = Uuid::from_u128(2),
            |entry| entry.place.era = 2,
            |entry| entry.place.xid = 701,
            |entry| entry.place.position = 4,
            |entry| entry.actor = "other".to_owned(),
            |entry| entry.actor_operator = None,
            |entry| entry.roles = String::new(),
            |entry| entry.rpc = "/a.B/D".to_owned(),
            |entry| entry.kind = "WRITE".to_owned(),
            |entry| entry.occur_time += time::Duration::microseconds(1),
            |entry| entry.traceparent = "00".to_owned(),
            |entry| entry.why = "x".to_owned(),
            |entry| entry.record_count = 4,
            |entry| entry.digest = vec![8; 32],
            |entry| entry.collections.swap(0, 1),
            |entry| entry.counts.swap(0, 1),
            |entry| entry.records.swap(0, 1),
        ];
        let link = entry().link(1, &GENESIS);
        for (place, change) in changes.into_iter().enumerate() {
            let mut other = entry();
            change(&mut other);
            assert_ne!(other.link(1, &GENESIS), link, "change {place}");
        }
        assert_ne!(entry().link(2, &GENESIS), link);
        assert_ne!(entry().link(1, &link), link);
    }

    #[test]
    fn names_are_made_again_from_what_is_kept() {
        let names = entry().names(2);
        let operator = Uuid::from_u128(1);
        assert_eq!(
            names,
            [
                format!(
                    "operators/{operator}/beneficiaries/{}/identity",
                    Uuid::from_u128(5)
                ),
                format!("operators/{operator}/notes/{}", Uuid::from_u128(6)),
            ]
        );
        assert_eq!(entry().names(9).len(), 3);
    }

    proptest! {
        #[test]
        fn what_stands_in_one_field_never_passes_for_another(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
            let of = |rpc: &str, why: &str| {
                let mut entry = entry();
                entry.rpc = rpc.to_owned();
                entry.why = why.to_owned();
                entry.link(1, &GENESIS)
            };
            prop_assert_eq!(of(&a, &b) == of(&c, &d), (a, b) == (c, d));
        }

        #[test]
        fn an_anchor_is_read_back(number in 1_i64.., bytes: [u8; 32]) {
            let anchor = Anchor { number, link: Digest::from_bytes(bytes) };
            prop_assert_eq!(anchor.to_string().parse::<Anchor>().unwrap(), anchor);
        }
    }

    #[test]
    fn what_is_no_anchor_is_refused() {
        for bad in ["", "12", "0:00", "x:00", "1:zz"] {
            assert_eq!(bad.parse::<Anchor>().unwrap_err().reason, "ANCHOR_INVALID");
        }
    }
}
