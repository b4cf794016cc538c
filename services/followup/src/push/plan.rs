//! What a batch changes: pure, from the records sent and those stored.

use hashbrown::HashMap;
use nonrecours_kernel::{ConventionName, IdSource, Invalid, Violation};
use time::OffsetDateTime;

use crate::record::{Candidate, Content, Record, Reference, State as _};

/// What becomes of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Stored, new or changed, under this resource name.
    Stored(String),
    /// There already.
    Unchanged(String),
    /// Older than what is stored.
    Stale(String),
    /// Wrong.
    Rejected(Vec<Violation>),
}

/// What to write for the records of one kind, and what becomes of each.
pub struct Plan<C: Content> {
    /// New records, in the order of their references.
    pub inserts: Vec<Record<C>>,
    /// Stored records at their next revision.
    pub updates: Vec<Record<C>>,
    /// Outcomes by place in the batch.
    pub outcomes: Vec<(usize, Outcome)>,
}

impl<C: Content> Plan<C> {
    /// Weighs each candidate against the stored record of the same reference. `stored` are records of the operator of
    /// `convention`; no reference comes twice among the candidates.
    pub fn make(
        convention: &ConventionName,
        now: OffsetDateTime,
        ids: &IdSource,
        stored: impl IntoIterator<Item = Record<C>>,
        candidates: Vec<Candidate<C>>,
    ) -> Self {
        let mut stored: HashMap<Reference, Record<C>> = stored
            .into_iter()
            .map(|record| (record.reference.clone(), record))
            .collect();
        let mut plan = Self {
            inserts: Vec::new(),
            updates: Vec::new(),
            outcomes: Vec::with_capacity(candidates.len()),
        };
        for candidate in candidates {
            let place = candidate.place;
            let stored = candidate
                .reference
                .as_ref()
                .and_then(|reference| stored.remove(reference));
            let outcome = match weigh(convention, stored, candidate) {
                Verdict::Settled(outcome) => outcome,
                Verdict::Insert(reference, version, content) => {
                    let record = Record {
                        convention: *convention,
                        id: C::new_id(ids),
                        reference,
                        version,
                        revision: 1,
                        create_time: now,
                        update_time: now,
                        content,
                    };
                    let name = record.name();
                    plan.inserts.push(record);
                    Outcome::Stored(name)
                }
                Verdict::Update(record) => {
                    let record = Record {
                        revision: record.revision + 1,
                        update_time: now,
                        ..record
                    };
                    let name = record.name();
                    plan.updates.push(record);
                    Outcome::Stored(name)
                }
            };
            plan.outcomes.push((place, outcome));
        }
        plan.inserts
            .sort_by(|one, other| one.reference.cmp(&other.reference));
        plan
    }

    /// What is written, new and changed.
    pub fn written(&self) -> impl Iterator<Item = &Record<C>> {
        self.inserts.iter().chain(&self.updates)
    }
}

enum Verdict<C: Content> {
    Insert(Reference, i64, C),
    Update(Record<C>),
    Settled(Outcome),
}

fn weigh<C: Content>(
    convention: &ConventionName,
    stored: Option<Record<C>>,
    candidate: Candidate<C>,
) -> Verdict<C> {
    let Candidate {
        reference,
        version,
        state,
        content,
        differs_apart,
        mut faults,
        ..
    } = candidate;
    let is_stale = stored
        .as_ref()
        .is_some_and(|stored| version < stored.version);
    if let Some(stored) = &stored {
        // What is older says nothing new, be its codes of today or not.
        faults.settle(|field, code| is_stale || stored.content.has_code(field, code));
        if stored.convention != *convention {
            faults.refuse("external_reference", other_convention());
        } else if !is_stale && state.is_some_and(|state| !stored.content.state().leads_to(state)) {
            // An older version comes from an earlier state: late, but not wrong.
            faults.refuse(C::STATE_FIELD, illegal_transition());
        }
    }
    let (Some(reference), Some(content), true) = (reference, content, faults.is_empty()) else {
        return Verdict::Settled(Outcome::Rejected(faults.into_violations()));
    };
    match stored {
        None => Verdict::Insert(reference, version, content),
        Some(stored) if is_stale => Verdict::Settled(Outcome::Stale(stored.name())),
        Some(stored)
            if stored.version == version && stored.content == content && !differs_apart =>
        {
            Verdict::Settled(Outcome::Unchanged(stored.name()))
        }
        Some(stored) => Verdict::Update(Record {
            version,
            content,
            ..stored
        }),
    }
}

/// `OTHER_CONVENTION`.
pub fn other_convention() -> Invalid {
    Invalid::new(
        "OTHER_CONVENTION",
        "this reference is that of a record under another convention",
        "cette référence est celle d'un enregistrement d'une autre convention : donnez-en une autre",
    )
}

fn illegal_transition() -> Invalid {
    Invalid::new(
        "TRANSITION_ILLEGAL",
        "the stored state does not lead to this one",
        "l'état déjà enregistré ne mène pas à celui-ci : vérifiez l'état, ou ouvrez un nouveau suivi",
    )
}

#[cfg(test)]
mod tests;
