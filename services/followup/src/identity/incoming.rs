//! The identities that a batch brings with its persons.

use std::collections::HashMap;

use nonrecours_kernel::{BeneficiaryId, OperatorId};
use nonrecours_pg::Tx;

use super::{domain::Identity, store};
use crate::{
    beneficiary::domain::Beneficiary,
    error::Error,
    record::{Candidate, Record, Reference},
    vault::KeyRing,
};

/// The identities of a batch, by the reference of their person.
#[derive(Default)]
pub struct Incoming(HashMap<Reference, Identity>);

impl Incoming {
    /// Adds that of a person.
    pub fn add(&mut self, person: Reference, identity: Identity) {
        self.0.insert(person, identity);
    }

    /// Takes that of a person out.
    pub fn take(&mut self, person: &Reference) -> Option<Identity> {
        self.0.remove(person)
    }

    /// Keeps those that are not what is held already, and says so of their candidates.
    pub async fn compare(
        &mut self,
        tx: &mut Tx,
        ring: &KeyRing,
        operator: OperatorId,
        stored: &[Record<Beneficiary>],
        candidates: &mut [Candidate<Beneficiary>],
    ) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let stored: HashMap<&Reference, BeneficiaryId> = stored
            .iter()
            .filter(|record| self.0.contains_key(&record.reference))
            .map(|record| (&record.reference, record.id))
            .collect();
        let persons: Vec<BeneficiaryId> = stored.values().copied().collect();
        let held = store::held(tx, operator, &persons).await?;
        for candidate in candidates {
            let Some(reference) = &candidate.reference else {
                continue;
            };
            let Some(identity) = self.0.get(reference) else {
                continue;
            };
            let held = stored.get(reference).and_then(|person| held.get(person));
            let same = match held {
                // Nothing is held, and nothing is given.
                None => identity.is_empty(),
                Some(held) => held.open(ring)? == *identity,
            };
            if same {
                self.0.remove(reference);
            } else {
                candidate.differs_apart = true;
            }
        }
        Ok(())
    }

    /// Writes those of the persons that were written.
    pub async fn write(
        &self,
        tx: &mut Tx,
        ring: &KeyRing,
        operator: OperatorId,
        written: impl Iterator<Item = &Record<Beneficiary>>,
    ) -> Result<(), Error> {
        let (mut known, mut erased) = (Vec::new(), Vec::new());
        for record in written {
            match self.0.get(&record.reference) {
                Some(identity) if identity.is_empty() => erased.push(record.id),
                Some(identity) => known.push((record.id, identity)),
                None => {}
            }
        }
        store::write(tx, ring, operator, &known).await?;
        Ok(store::erase(tx, operator, &erased).await?)
    }
}
