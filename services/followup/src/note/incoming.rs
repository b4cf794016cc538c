//! The texts of the notes that a batch brings.

use std::collections::HashMap;

use nonrecours_kernel::{BeneficiaryId, NoteId, OperatorId};
use nonrecours_pg::Tx;

use super::{domain::Note, store};
use crate::{
    error::Error,
    record::{Candidate, Record, Reference},
    vault::KeyRing,
};

/// The texts of a batch, by the reference of their note.
#[derive(Default)]
pub struct Incoming(HashMap<Reference, String>);

impl Incoming {
    /// Adds that of a note.
    pub fn add(&mut self, note: Reference, text: String) {
        self.0.insert(note, text);
    }

    /// Says of each candidate whether its text is another than the one held.
    pub async fn compare(
        &self,
        tx: &mut Tx,
        ring: &KeyRing,
        operator: OperatorId,
        stored: &[Record<Note>],
        candidates: &mut [Candidate<Note>],
    ) -> Result<(), Error> {
        if stored.is_empty() {
            return Ok(());
        }
        let ids: Vec<NoteId> = stored.iter().map(|record| record.id).collect();
        let held = store::texts(tx, ring, operator, &ids).await?;
        let held: HashMap<&Reference, &str> = stored
            .iter()
            .filter_map(|record| Some((&record.reference, held.get(&record.id)?.as_str())))
            .collect();
        for candidate in candidates {
            let Some(reference) = &candidate.reference else {
                continue;
            };
            let sent = self.0.get(reference).map(String::as_str);
            candidate.differs_apart = sent != held.get(reference).copied();
        }
        Ok(())
    }

    /// Writes those of the notes that were written: each is sealed under the key of the person it is now on.
    pub async fn write(
        &self,
        tx: &mut Tx,
        ring: &KeyRing,
        operator: OperatorId,
        written: impl Iterator<Item = &Record<Note>>,
    ) -> Result<(), Error> {
        let texts: Vec<(NoteId, BeneficiaryId, &str)> = written
            .filter_map(|record| {
                let text = self.0.get(&record.reference)?;
                Some((record.id, record.content.beneficiary, text.as_str()))
            })
            .collect();
        store::write_texts(tx, ring, operator, &texts).await
    }
}
