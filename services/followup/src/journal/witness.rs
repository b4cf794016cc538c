//! What a transaction touches, as entries: one an operator whose records it met.

use std::{borrow::Cow, future::Future, pin::Pin};

use hashbrown::HashSet;
use nonrecours_pg::{Error, Touched, Tx};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::store;
use crate::subject_request::limit;

/// Ids of an entry at most; it counts all, and the digest is of all.
pub const MAX_RECORDS: usize = 1000;
/// Collections that say nothing about persons. Any other one is entered.
const NOT_PERSONAL: [&str; 2] = ["sessions", "localAids"];
/// Collection of the records of an operator that are about persons of another one.
const RECEIVED: &str = "receivedReferrals";

/// Enters what a transaction of follow-up has told or changed; nothing when no record of a person was touched, unless an
/// answer said so. Refuses what tells of persons whose records are stored only.
pub fn witness(
    tx: &mut Tx,
    touched: Touched,
) -> Pin<Box<dyn Future<Output = Result<bool, Error>> + Send + '_>> {
    Box::pin(async move {
        let mut met = by_operator(&touched.records);
        if met.is_empty() && touched.told {
            let operator = tx.scope().operator();
            let none = operator.map_or(Uuid::nil(), |operator| operator.uuid());
            met.push(Met::new(none));
        }
        let kind = if touched.changed { "WRITE" } else { "READ" };
        let mut limits = false;
        for records in &met {
            // A referral that is received is about a person of another operator.
            limits |= store::insert(tx, kind, records).await? || records.tells_of_others();
        }
        if limits {
            limit::guard(tx, &touched.records).await?;
        }
        Ok(!met.is_empty())
    })
}

/// Records of one operator that a transaction has met.
pub struct Met {
    /// The operator.
    pub operator: Uuid,
    /// How many there are.
    pub count: usize,
    /// The first ids by collection.
    pub collections: Vec<(String, Vec<Uuid>)>,
    hash: Sha256,
}

impl Met {
    fn new(operator: Uuid) -> Self {
        Self {
            operator,
            count: 0,
            collections: Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// SHA-256 of the names in their order, each ended by a line feed.
    pub fn digest(&self) -> Vec<u8> {
        self.hash.clone().finalize().to_vec()
    }

    fn tells_of_others(&self) -> bool {
        self.collections.iter().any(|(of, _)| of == RECEIVED)
    }

    fn add(&mut self, name: &str, collection: &str, id: Uuid) {
        self.hash.update(name.as_bytes());
        self.hash.update(b"\n");
        if self.count < MAX_RECORDS {
            let known = self
                .collections
                .iter_mut()
                .find(|(known, _)| *known == collection);
            match known {
                Some((_, ids)) => ids.push(id),
                None => self.collections.push((collection.to_owned(), vec![id])),
            }
        }
        self.count += 1;
    }
}

/// The records about persons among these, each once, by operator.
fn by_operator(names: &[String]) -> Vec<Met> {
    let mut met: Vec<Met> = Vec::new();
    let mut seen = HashSet::with_capacity(names.len());
    let mut last = None;
    for name in names {
        let Some((operator, collection, id)) = parts(name, &mut last) else {
            continue;
        };
        if !seen.insert(name.as_str()) {
            continue;
        }
        let place = met.iter().position(|of| of.operator == operator);
        let place = place.unwrap_or_else(|| {
            met.push(Met::new(operator));
            met.len() - 1
        });
        if let Some(of) = met.get_mut(place) {
            of.add(name, &collection, id);
        }
    }
    met
}

/// Operator, collection and id in the name of a record about a person: `operators/{operator}/{collection}/{id}`, and
/// perhaps a part of it. `last`: the operator that was read last, which most names in a row share.
fn parts<'a>(
    name: &'a str,
    last: &mut Option<(&'a str, Uuid)>,
) -> Option<(Uuid, Cow<'a, str>, Uuid)> {
    let (operator, rest) = name.strip_prefix("operators/")?.split_once('/')?;
    let operator = match *last {
        Some((known, id)) if known == operator => id,
        _ => last.insert((operator, operator.parse().ok()?)).1,
    };
    let mut segments = rest.split('/');
    let collection = segments.next()?;
    if NOT_PERSONAL.contains(&collection) {
        return None;
    }
    let id = segments.next()?.parse().ok()?;
    let collection = match segments.next() {
        Some(part) => Cow::Owned(format!("{collection}/{part}")),
        None => Cow::Borrowed(collection),
    };
    Some((operator, collection, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(operator: u128, rest: &str) -> String {
        format!("operators/{}/{rest}", Uuid::from_u128(operator))
    }

    #[test]
    fn records_are_counted_once_and_by_operator() {
        let (one, two) = (Uuid::from_u128(11), Uuid::from_u128(12));
        let names = [
            name(1, &format!("beneficiaries/{one}")),
            name(1, &format!("notes/{two}")),
            name(2, &format!("beneficiaries/{one}/identity")),
            name(1, &format!("beneficiaries/{one}")),
            name(1, &format!("sessions/{one}")),
            "programmes/x".to_owned(),
        ];
        let met = by_operator(&names);
        let [first, second] = met.as_slice() else {
            panic!("two operators");
        };
        assert_eq!((first.operator, first.count), (Uuid::from_u128(1), 2));
        assert_eq!(
            first.collections,
            [
                ("beneficiaries".to_owned(), vec![one]),
                ("notes".to_owned(), vec![two])
            ]
        );
        assert_eq!(
            second.collections,
            [("beneficiaries/identity".to_owned(), vec![one])]
        );
        assert_ne!(first.digest(), second.digest());
    }

    #[test]
    fn an_entry_stays_small_and_counts_all() {
        let of = |count: u128| {
            let names: Vec<String> = (1..=count)
                .map(|id| name(1, &format!("beneficiaries/{}", Uuid::from_u128(id))))
                .collect();
            by_operator(&names).remove(0)
        };
        let met = of(1500);
        assert_eq!(met.count, 1500);
        assert_eq!(met.collections[0].1.len(), MAX_RECORDS);
        assert_ne!(met.digest(), of(1501).digest());
    }
}
