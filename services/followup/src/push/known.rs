//! What records refer to: persons and rights, by the operator's references, stored or earlier in the batch.

use hashbrown::{HashMap, HashSet};
use nonrecours_kernel::{BeneficiaryId, ConventionName, EntitlementId, Invalid};

use super::plan::{Plan, other_convention};
use crate::{
    beneficiary::domain::Beneficiary,
    entitlement::domain::Entitlement,
    record::{About, Candidate, Content, Faults, Record, Reference, required},
    step::domain::{ENTITLEMENT_FIELD, Step, entitlement_of_another, entitlement_unknown},
    subject_request::domain::limited,
};

/// A record whose person is known by reference only.
pub struct Pending<C: About> {
    /// Its place in the batch.
    pub place: usize,
    /// Its reference, when it is one.
    pub reference: Option<Reference>,
    /// Its version.
    pub version: i64,
    /// Its state, when it was readable.
    pub state: Option<C::State>,
    /// Reference of the person, when it is one.
    pub person: Option<Reference>,
    /// The rest, when all of it was readable.
    pub rest: Option<C::Rest>,
    /// What is wrong so far.
    pub faults: Faults,
}

/// A step, whose right too is known by reference only.
pub struct PendingStep {
    /// The step.
    pub step: Pending<Step>,
    /// Reference of the right, when it has one.
    pub entitlement: Option<Reference>,
}

/// Persons, or rights with their persons, that records may refer to.
pub struct Known<I>(HashMap<Reference, Entry<I>>);

struct Entry<I> {
    id: I,
    convention: ConventionName,
    /// Place in the batch from which on it is known: 0 when it was stored before.
    from: usize,
    /// Its records are stored and nothing else.
    limited: bool,
}

impl<I: Copy> Known<I> {
    /// Those stored before the batch.
    pub fn stored<C: Content>(records: &[Record<C>], id: fn(&Record<C>) -> I) -> Self {
        let entry = |record: &Record<C>| {
            let known = Entry {
                id: id(record),
                convention: record.convention,
                from: 0,
                limited: false,
            };
            (record.reference.clone(), known)
        };
        Self(records.iter().map(entry).collect())
    }

    /// Adds those that the batch has brought, each known from its first place in it, and those that it has changed.
    pub fn written<C: Content>(
        &mut self,
        plan: &Plan<C>,
        first: &HashMap<Reference, usize>,
        id: fn(&Record<C>) -> I,
    ) {
        self.0.reserve(plan.inserts.len());
        for record in plan.written() {
            let from = match self.0.get(&record.reference) {
                Some(known) => known.from,
                None => first.get(&record.reference).copied().unwrap_or_default(),
            };
            let known = Entry {
                id: id(record),
                convention: record.convention,
                from,
                limited: false,
            };
            self.0.insert(record.reference.clone(), known);
        }
    }

    /// Finds the one that a record at a place of the batch refers to, under the same convention.
    fn find(
        &self,
        convention: &ConventionName,
        reference: &Reference,
        place: usize,
        unknown: fn() -> Invalid,
    ) -> Result<I, Invalid> {
        match self.0.get(reference).filter(|known| known.from <= place) {
            None => Err(unknown()),
            Some(known) if known.convention != *convention => Err(other_convention()),
            Some(known) if known.limited => Err(limited()),
            Some(known) => Ok(known.id),
        }
    }
}

impl Known<BeneficiaryId> {
    /// Notes the persons whose records are stored and nothing else, and refuses their own among the candidates.
    pub fn limit(
        &mut self,
        persons: &HashSet<BeneficiaryId>,
        candidates: &mut [Candidate<Beneficiary>],
    ) {
        if persons.is_empty() {
            return;
        }
        for known in self.0.values_mut() {
            known.limited = persons.contains(&known.id);
        }
        for candidate in candidates {
            let known = candidate.reference.as_ref().and_then(|one| self.0.get(one));
            if known.is_some_and(|known| known.limited) {
                candidate.faults.refuse("external_reference", limited());
            }
        }
    }

    /// Finds the person of a record.
    pub fn resolve<C: About>(
        &self,
        convention: &ConventionName,
        pending: Pending<C>,
    ) -> Candidate<C> {
        let Pending {
            place,
            reference,
            version,
            state,
            person,
            rest,
            mut faults,
        } = pending;
        let person = person.and_then(|reference| {
            let found = self.find(convention, &reference, place, beneficiary_unknown);
            faults.take(C::PERSON_FIELD, found)
        });
        Candidate {
            place,
            reference,
            version,
            state,
            content: person
                .zip(rest)
                .map(|(person, rest)| C::about(person, rest)),
            differs_apart: false,
            faults,
        }
    }
}

impl Known<(EntitlementId, BeneficiaryId)> {
    /// Finds the person and the right of a step: a right of that person.
    pub fn resolve(
        &self,
        persons: &Known<BeneficiaryId>,
        convention: &ConventionName,
        pending: PendingStep,
    ) -> Candidate<Step> {
        let PendingStep { step, entitlement } = pending;
        let mut candidate = persons.resolve(convention, step);
        let Some(reference) = entitlement else {
            return candidate;
        };
        let found = self.find(convention, &reference, candidate.place, entitlement_unknown);
        let found = found.and_then(|(entitlement, person)| match &candidate.content {
            Some(step) if step.beneficiary != person => Err(entitlement_of_another()),
            _ => Ok(entitlement),
        });
        let found = candidate.faults.take(ENTITLEMENT_FIELD, found);
        candidate.content = candidate.content.zip(found).map(|(step, found)| Step {
            entitlement: Some(found),
            ..step
        });
        candidate
    }
}

/// The reference of the person a record is about; notes why there is none.
pub fn person<C: About>(reference: &str, faults: &mut Faults) -> Option<Reference> {
    let reference = match reference {
        "" => Err(required()),
        // What no record can have as its reference is the reference of none.
        reference => reference
            .parse()
            .map_err(|_: Invalid| beneficiary_unknown()),
    };
    faults.take(C::PERSON_FIELD, reference)
}

/// Id of a stored person.
pub fn person_id(record: &Record<Beneficiary>) -> BeneficiaryId {
    record.id
}

/// Id of a stored right, and whose it is.
pub fn right_id(record: &Record<Entitlement>) -> (EntitlementId, BeneficiaryId) {
    (record.id, record.content.beneficiary)
}

fn beneficiary_unknown() -> Invalid {
    Invalid::new(
        "BENEFICIARY_UNKNOWN",
        "no beneficiary with this reference is stored or comes earlier in the batch",
        "aucune personne accompagnée ne porte cette référence : envoyez-la avant ce qui la concerne, ou corrigez la \
         référence",
    )
}
