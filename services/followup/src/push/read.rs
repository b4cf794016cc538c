//! From the records of a batch to candidates: pure.

use std::collections::HashMap;

use nonrecours_contracts::followup::{Record as Wire, record::Content as WireContent};
use nonrecours_kernel::{BeneficiaryId, ConventionName, Invalid, Violation};
use time::Date;

use crate::{
    beneficiary::{self, domain::Beneficiary},
    entitlement::{
        self,
        domain::{Claim, Entitlement, EntitlementState},
    },
    identity::{domain::Identity, incoming::Incoming},
    push::plan::other_convention,
    record::{Candidate, Faults, Record, Reference, required},
    session::{self, domain::Session},
};

/// The records of a batch by kind, each reference of a kind once, in the last form given.
#[derive(Default)]
pub struct Batch {
    /// Persons.
    pub beneficiaries: Vec<Candidate<Beneficiary>>,
    /// Who they are, where it was sent.
    pub identities: Incoming,
    /// Rights, whose persons are still to be found.
    pub claims: Vec<PendingClaim>,
    /// Sessions.
    pub sessions: Vec<Candidate<Session>>,
    /// Records of no kind, by place.
    pub rejected: Vec<(usize, Vec<Violation>)>,
    /// Places of records that the record at the second place supersedes.
    pub superseded: Vec<(usize, usize)>,
    /// Where each person first comes in the batch.
    pub first_places: HashMap<Reference, usize>,
}

/// A right whose person is known by reference only.
pub struct PendingClaim {
    /// Its place in the batch.
    pub place: usize,
    /// Its reference, when it is one.
    pub reference: Option<Reference>,
    /// Its version.
    pub version: i64,
    /// Its state, when it was readable.
    pub state: Option<EntitlementState>,
    /// Reference of the person, when it is one.
    pub beneficiary: Option<Reference>,
    /// The rest, when all of it was readable.
    pub claim: Option<Claim>,
    /// What is wrong so far.
    pub faults: Faults,
}

/// The persons that rights may refer to.
#[derive(Default)]
pub struct KnownBeneficiaries(HashMap<Reference, Known>);

struct Known {
    id: BeneficiaryId,
    convention: ConventionName,
    /// Place in the batch from which on it is known: 0 when it was stored before.
    from: usize,
}

impl Batch {
    /// Reads every record, with every fault of each. `today` is the day in Paris.
    pub fn read(records: &[Wire], today: Date) -> Self {
        let references: Vec<Result<Reference, Invalid>> = records
            .iter()
            .map(|record| record.external_reference.parse())
            .collect();
        let mut last = HashMap::new();
        for (place, (record, reference)) in records.iter().zip(&references).enumerate() {
            if let (Some(content), Ok(reference)) = (&record.content, reference) {
                last.insert((std::mem::discriminant(content), reference), place);
            }
        }
        let mut batch = Self::default();
        for (place, (record, reference)) in records.iter().zip(&references).enumerate() {
            if let (Some(content), Ok(reference)) = (&record.content, reference) {
                if let WireContent::Beneficiary(_) = content {
                    batch.first_places.entry(reference.clone()).or_insert(place);
                }
                let by = last
                    .get(&(std::mem::discriminant(content), reference))
                    .copied();
                if let Some(by) = by.filter(|by| *by != place) {
                    batch.superseded.push((place, by));
                    continue;
                }
            }
            batch.sort(place, record, reference.clone(), today);
        }
        batch
    }

    fn sort(
        &mut self,
        place: usize,
        record: &Wire,
        reference: Result<Reference, Invalid>,
        today: Date,
    ) {
        let mut faults = Faults::default();
        let reference = faults.take("external_reference", reference);
        let version = record.version;
        if version < 0 {
            faults.refuse("version", negative_version());
        }
        match &record.content {
            None => {
                faults.refuse("content", content_missing());
                self.rejected.push((place, faults.into_violations()));
            }
            Some(WireContent::Beneficiary(content)) => {
                let identity = content.identity.as_ref().and_then(|identity| {
                    Identity::read(identity, "beneficiary.identity", today, &mut faults)
                });
                if let (Some(reference), Some(identity)) = (&reference, identity) {
                    self.identities.add(reference.clone(), identity);
                }
                let (state, content) = beneficiary::rpc::read(content, today, &mut faults);
                self.beneficiaries.push(Candidate {
                    place,
                    reference,
                    version,
                    state,
                    content,
                    differs_apart: false,
                    faults,
                });
            }
            Some(WireContent::Entitlement(content)) => {
                let (state, claim) = entitlement::rpc::read(content, today, &mut faults);
                let beneficiary = match content.beneficiary_reference.as_str() {
                    "" => Err(required()),
                    // What no record can have as its reference is the reference of none.
                    reference => reference
                        .parse()
                        .map_err(|_: Invalid| beneficiary_unknown()),
                };
                let beneficiary = faults.take(BENEFICIARY_FIELD, beneficiary);
                self.claims.push(PendingClaim {
                    place,
                    reference,
                    version,
                    state,
                    beneficiary,
                    claim,
                    faults,
                });
            }
            Some(WireContent::Session(content)) => {
                let content = session::rpc::read(content, today, &mut faults);
                self.sessions.push(Candidate {
                    place,
                    reference,
                    version,
                    state: Some(()),
                    content,
                    differs_apart: false,
                    faults,
                });
            }
        }
    }
}

impl KnownBeneficiaries {
    /// Adds one that was stored before the batch.
    pub fn stored(&mut self, record: &Record<Beneficiary>) {
        self.add(record, 0);
    }

    /// Adds one that the batch brings, known from its first place in it.
    pub fn brought(&mut self, record: &Record<Beneficiary>, from: usize) {
        self.add(record, from);
    }

    fn add(&mut self, record: &Record<Beneficiary>, from: usize) {
        let known = Known {
            id: record.id,
            convention: record.convention,
            from,
        };
        self.0.insert(record.reference.clone(), known);
    }

    /// Finds the person of a claim, under the same convention.
    pub fn resolve(
        &self,
        convention: &ConventionName,
        pending: PendingClaim,
    ) -> Candidate<Entitlement> {
        let PendingClaim {
            place,
            reference,
            version,
            state,
            beneficiary,
            claim,
            mut faults,
        } = pending;
        let beneficiary = beneficiary.and_then(|reference| {
            let found = match self.0.get(&reference).filter(|known| known.from <= place) {
                None => Err(beneficiary_unknown()),
                Some(known) if known.convention != *convention => Err(other_convention()),
                Some(known) => Ok(known.id),
            };
            faults.take(BENEFICIARY_FIELD, found)
        });
        Candidate {
            place,
            reference,
            version,
            state,
            content: beneficiary
                .zip(claim)
                .map(|(beneficiary, claim)| Entitlement { beneficiary, claim }),
            differs_apart: false,
            faults,
        }
    }
}

const BENEFICIARY_FIELD: &str = "entitlement.beneficiary_reference";

fn beneficiary_unknown() -> Invalid {
    Invalid::new(
        "BENEFICIARY_UNKNOWN",
        "no beneficiary with this reference is stored or comes earlier in the batch",
        "aucune personne accompagnée ne porte cette référence : envoyez-la avant ses droits, ou corrigez la référence",
    )
}

fn negative_version() -> Invalid {
    Invalid::new(
        "VERSION_NEGATIVE",
        "a version is 0 or more",
        "une version est un nombre positif, ou 0 si votre logiciel n'en tient pas",
    )
}

fn content_missing() -> Invalid {
    Invalid::new(
        "CONTENT_MISSING",
        "a record is a beneficiary, an entitlement or a session",
        "l'enregistrement doit décrire une personne accompagnée, un droit ou une permanence",
    )
}
