//! From the records of a batch to candidates: pure.

use hashbrown::{HashMap, HashSet};
use nonrecours_contracts::followup::{Record as Wire, record::Content as WireContent};
use nonrecours_kernel::{Invalid, Violation};
use time::Date;

use super::known::{Pending, PendingStep, person};
use crate::{
    beneficiary::{self, domain::Beneficiary},
    entitlement::{self, domain::Entitlement},
    erasure::domain::beneficiary_erased,
    identity::{self, domain::Identity},
    local_aid::domain::{PREFIX, Rights},
    merge::alias::{Aliases, Led},
    note::{self, domain::Note},
    record::{About, Candidate, Faults, Record, Reference},
    session::{self, domain::Session},
    step::{self, domain::Step},
};

/// The codes of local aids that rights of a batch are followed under.
pub fn local_codes(records: &[Wire]) -> Vec<&str> {
    let codes = records.iter().filter_map(|record| match &record.content {
        Some(WireContent::Entitlement(content)) => Some(content.right.as_str()),
        _ => None,
    });
    codes.filter(|code| code.starts_with(PREFIX)).collect()
}

/// The records of a batch by kind, each reference of a kind once, in the last form given.
#[derive(Default)]
pub struct Batch {
    /// Persons.
    pub beneficiaries: Vec<Candidate<Beneficiary>>,
    /// Who they are, where it was sent.
    pub identities: identity::incoming::Incoming,
    /// Rights, whose persons are still to be found.
    pub claims: Vec<Pending<Entitlement>>,
    /// Steps, whose persons and rights are still to be found.
    pub steps: Vec<PendingStep>,
    /// Notes, whose persons are still to be found.
    pub notes: Vec<Pending<Note>>,
    /// What the notes say.
    pub texts: note::incoming::Incoming,
    /// Sessions.
    pub sessions: Vec<Candidate<Session>>,
    /// Records of no kind, by place.
    pub rejected: Vec<(usize, Vec<Violation>)>,
    /// Places of records that the record at the second place supersedes.
    pub superseded: Vec<(usize, usize)>,
    /// Where each person first comes in the batch.
    pub first_persons: HashMap<Reference, usize>,
    /// Where each right first comes in the batch.
    pub first_claims: HashMap<Reference, usize>,
}

impl Batch {
    /// Reads every record, with every fault of each. `rights` may be chosen; `today` is the day in Paris.
    pub fn read(records: &[Wire], rights: &Rights, today: Date) -> Self {
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
                match content {
                    WireContent::Beneficiary(_) => Some(&mut batch.first_persons),
                    WireContent::Entitlement(_) => Some(&mut batch.first_claims),
                    _ => None,
                }
                .map(|first| first.entry(reference.clone()).or_insert(place));
                let by = last
                    .get(&(std::mem::discriminant(content), reference))
                    .copied();
                if let Some(by) = by.filter(|by| *by != place) {
                    batch.superseded.push((place, by));
                    continue;
                }
            }
            batch.sort(place, record, reference.clone(), rights, today);
        }
        batch
    }

    /// The persons that records of the batch are about.
    pub fn persons_referred_to(&self) -> impl Iterator<Item = &Reference> {
        let claims = self.claims.iter().map(|pending| &pending.person);
        let steps = self.steps.iter().map(|pending| &pending.step.person);
        let notes = self.notes.iter().map(|pending| &pending.person);
        claims.chain(steps).chain(notes).flatten()
    }

    /// The references of persons, sent or referred to, under which nobody is stored.
    pub fn persons_missing(&self, stored: &[Record<Beneficiary>]) -> HashSet<&Reference> {
        let stored: HashSet<&Reference> = stored.iter().map(|record| &record.reference).collect();
        let sent = self
            .beneficiaries
            .iter()
            .filter_map(|candidate| candidate.reference.as_ref());
        sent.chain(self.persons_referred_to())
            .filter(|reference| !stored.contains(reference))
            .collect()
    }

    /// The references of persons referred to who are neither stored nor sent.
    pub fn persons_unmet(&self, stored: &[Record<Beneficiary>]) -> HashSet<&Reference> {
        let mut unmet: HashSet<&Reference> = self.persons_referred_to().collect();
        if unmet.is_empty() {
            return unmet;
        }
        for record in stored {
            unmet.remove(&record.reference);
        }
        for sent in self
            .beneficiaries
            .iter()
            .filter_map(|sent| sent.reference.as_ref())
        {
            unmet.remove(sent);
        }
        unmet
    }

    /// Leads the references of merged duplicates on to the survivors. One person sent under several references of theirs
    /// is taken once, in the last form given.
    pub fn lead(&mut self, aliases: &Aliases) -> Led {
        let mut led = Led::default();
        if aliases.is_empty() {
            return led;
        }
        let mut identities = HashMap::new();
        let mut last = HashMap::new();
        for candidate in &mut self.beneficiaries {
            let Some(reference) = &mut candidate.reference else {
                continue;
            };
            identities.insert(candidate.place, self.identities.take(reference));
            if let Some(merges) = aliases.lead(reference) {
                led.note(candidate.place, merges);
            }
            last.insert(reference.clone(), candidate.place);
        }
        let superseded = &mut self.superseded;
        self.beneficiaries.retain(|candidate| {
            let by = candidate.reference.as_ref().and_then(|own| last.get(own));
            match by {
                Some(by) if *by != candidate.place => {
                    superseded.push((candidate.place, *by));
                    false
                }
                _ => true,
            }
        });
        for candidate in &self.beneficiaries {
            let identity = identities.remove(&candidate.place).flatten();
            if let (Some(reference), Some(identity)) = (&candidate.reference, identity) {
                self.identities.add(reference.clone(), identity);
            }
        }
        lead_about(aliases, &mut led, self.claims.iter_mut());
        lead_about(
            aliases,
            &mut led,
            self.steps.iter_mut().map(|pending| &mut pending.step),
        );
        lead_about(aliases, &mut led, self.notes.iter_mut());
        led
    }

    /// Refuses the persons who were erased, and whatever is about one of them.
    pub fn refuse_erased(&mut self, erased: &HashSet<Reference>) {
        if erased.is_empty() {
            return;
        }
        for candidate in &mut self.beneficiaries {
            let reference = candidate.reference.as_ref();
            if reference.is_some_and(|reference| erased.contains(reference)) {
                candidate
                    .faults
                    .refuse("external_reference", beneficiary_erased());
            }
        }
        refuse_about(erased, self.claims.iter_mut());
        refuse_about(
            erased,
            self.steps.iter_mut().map(|pending| &mut pending.step),
        );
        refuse_about(erased, self.notes.iter_mut());
    }

    fn sort(
        &mut self,
        place: usize,
        record: &Wire,
        reference: Result<Reference, Invalid>,
        rights: &Rights,
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
                let (state, claim) = entitlement::rpc::read(content, rights, today, &mut faults);
                let person = person::<Entitlement>(&content.beneficiary_reference, &mut faults);
                self.claims.push(Pending {
                    place,
                    reference,
                    version,
                    state,
                    person,
                    rest: claim,
                    faults,
                });
            }
            Some(WireContent::Step(content)) => {
                let act = step::rpc::read(content, today, &mut faults);
                let person = person::<Step>(&content.beneficiary_reference, &mut faults);
                let entitlement = step::domain::entitlement_reference(
                    &content.entitlement_reference,
                    content.renewal,
                    &mut faults,
                );
                let step = Pending {
                    place,
                    reference,
                    version,
                    state: Some(()),
                    person,
                    rest: act,
                    faults,
                };
                self.steps.push(PendingStep { step, entitlement });
            }
            Some(WireContent::Note(content)) => {
                let (written_date, text) = note::rpc::read(content, today, &mut faults);
                let person = person::<Note>(&content.beneficiary_reference, &mut faults);
                if let (Some(reference), Some(text)) = (&reference, text) {
                    self.texts.add(reference.clone(), text);
                }
                self.notes.push(Pending {
                    place,
                    reference,
                    version,
                    state: Some(()),
                    person,
                    rest: written_date,
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

fn lead_about<'a, C: About + 'a>(
    aliases: &Aliases,
    led: &mut Led,
    records: impl Iterator<Item = &'a mut Pending<C>>,
) {
    for pending in records {
        if let Some(merges) = pending
            .person
            .as_mut()
            .and_then(|person| aliases.lead(person))
        {
            led.note(pending.place, merges);
        }
    }
}

fn refuse_about<'a, C: About + 'a>(
    erased: &HashSet<Reference>,
    records: impl Iterator<Item = &'a mut Pending<C>>,
) {
    for pending in records {
        let person = pending.person.as_ref();
        if person.is_some_and(|person| erased.contains(person)) {
            pending.faults.refuse(C::PERSON_FIELD, beneficiary_erased());
        }
    }
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
        "a record is a beneficiary, an entitlement, a step, a note or a session",
        "l'enregistrement doit décrire une personne accompagnée, un droit, une démarche, une note ou une permanence",
    )
}
