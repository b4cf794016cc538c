//! The one way by which persons go: whoever decides it, and for whatever reason.

use std::collections::HashMap;

use nonrecours_contracts::followup::{ErasedRecord, ReceivedReferral};
use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryMergeId, BeneficiaryMergeName, BeneficiaryName, EntitlementId,
    EntitlementName, ErasureId, ErasureName, IdSource, LegalHoldId, LegalHoldName, NoteId,
    NoteName, OperatorId, ReceivedReferralName, ReferralId, ReferralName, RenewalAlertId,
    RenewalAlertName, RetentionNoticeId, RetentionNoticeName, StepId, StepName,
};
use nonrecours_pg::{Change, Entry, Tx};
use nonrecours_rpc::convert::to_timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    domain::{Erasure, ErasureReason, Records},
    removal, residue, store, tombstone, wire,
};
use crate::{error::Error, indicator::rollup::Keeper, legal_hold, vault::KeyRing};

pub use removal::{Person, lock};

/// Erases persons of an operator, whom the transaction holds ([`lock`]) and which reaches over all operators, since
/// those that were referred one of them are told. Refused when a legal hold stands on one. Records of it all; the caller ends
/// the transaction.
pub async fn erase(
    tx: &mut Tx,
    ring: &KeyRing,
    ids: &IdSource,
    operator: OperatorId,
    persons: &[Person],
    reason: ErasureReason,
) -> Result<Vec<Erasure>, Error> {
    if persons.is_empty() {
        return Ok(Vec::new());
    }
    let uuids: Vec<Uuid> = persons.iter().map(|person| person.id.uuid()).collect();
    if legal_hold::store::any_held(tx, operator, &uuids).await? {
        return Err(Error::LegalHold);
    }
    carry_out(tx, ring, &|_| ids.next(), operator, persons, reason).await
}

/// Erases persons without asking whether one may be: what was decided once is only done again. `id` gives each erasure its
/// id; there is one person at least.
pub(super) async fn carry_out(
    tx: &mut Tx,
    ring: &KeyRing,
    id: &(dyn Fn(BeneficiaryId) -> ErasureId + Sync),
    operator: OperatorId,
    persons: &[Person],
    reason: ErasureReason,
) -> Result<Vec<Erasure>, Error> {
    let uuids: Vec<Uuid> = persons.iter().map(|person| person.id.uuid()).collect();
    let held = removal::records_of(tx, operator, &uuids).await?;
    let aside = removal::aside(tx, operator, &uuids).await?;
    let of_aside = aside.iter().map(|aside| aside.person.id.uuid());
    let all: Vec<Uuid> = uuids.iter().copied().chain(of_aside).collect();
    let merges = removal::merges(tx, operator, &all).await?;
    let merged: Vec<Uuid> = merges.iter().map(|(merge, _)| *merge).collect();
    removal::delete_merges(tx, operator, &merged).await?;
    if reason.counts() {
        residue::keep(tx, operator, &uuids, ring.counts_with()).await?;
        removal::delete(tx, operator, &all).await?;
    } else {
        let mut figures = Keeper::new(operator);
        figures.persons(tx, uuids.iter().copied()).await?;
        removal::delete(tx, operator, &all).await?;
        figures.settle(tx).await?;
    }

    let mut gone = Gone::of(operator, persons, &held);
    gone.add_merges(operator, &aside, &merges);
    removal::empty_history(tx, &gone.resources()).await?;
    removal::forget_answers(tx, &gone.ids()).await?;
    let aside_references = aside.iter().map(|aside| &aside.person.reference);
    let references = persons
        .iter()
        .map(|person| &person.reference)
        .chain(aside_references);
    let mut words: Vec<String> = gone.ids().iter().map(Uuid::to_string).collect();
    words.extend(references.map(|reference| reference.as_str().to_owned()));
    removal::forget_batches(tx, operator, &words).await?;

    let erasures = recorded(tx, id, operator, persons, &held, reason);
    store::insert(tx, operator, &erasures).await?;
    let mut references = Vec::with_capacity(all.len());
    for (person, erasure) in persons.iter().zip(&erasures) {
        let erasure = erasure.name.erasure.uuid();
        references.push((person.reference.as_str(), erasure));
        let merged = aside.iter().filter(|aside| aside.into == person.id);
        references.extend(merged.map(|aside| (aside.person.reference.as_str(), erasure)));
    }
    tombstone::set(tx, ring, operator, &references).await?;

    // Why is between the person and the operator that they turned to.
    let received = gone.received(tx.now());
    tx.record_all(&received).await?;
    tx.because(reason.why());
    let mut entries = gone.own(reason, tx.now());
    entries.extend(
        erasures
            .iter()
            .map(|erasure| wire::entry("erasure.recorded", erasure)),
    );
    tx.record_all(&entries).await?;
    Ok(erasures)
}

fn recorded(
    tx: &Tx,
    id: &dyn Fn(BeneficiaryId) -> ErasureId,
    operator: OperatorId,
    persons: &[Person],
    held: &[removal::Held],
    reason: ErasureReason,
) -> Vec<Erasure> {
    let mut records: HashMap<Uuid, Records> = HashMap::new();
    for record in held {
        let counts = records.entry(record.beneficiary).or_default();
        let count = match record.kind {
            removal::Kind::Entitlement => &mut counts.entitlements,
            removal::Kind::Step => &mut counts.steps,
            removal::Kind::Note => &mut counts.notes,
            removal::Kind::Referral { .. } => &mut counts.referrals,
            removal::Kind::RenewalAlert
            | removal::Kind::LegalHold
            | removal::Kind::RetentionNotice => {
                continue;
            }
        };
        *count += 1;
    }
    let erasure = |person: &Person| Erasure {
        name: ErasureName {
            operator,
            erasure: id(person.id),
        },
        beneficiary: name_of(operator, person.id),
        reason,
        records: records.remove(&person.id.uuid()).unwrap_or_default(),
        revision: 1,
        create_time: tx.now(),
        update_time: tx.now(),
    };
    persons.iter().map(erasure).collect()
}

fn name_of(operator: OperatorId, beneficiary: BeneficiaryId) -> BeneficiaryName {
    BeneficiaryName {
        operator,
        beneficiary,
    }
}

/// What went, each by the name and under the operator that the feed knows it by.
struct Gone(Vec<GoneRecord>);

struct GoneRecord {
    operator: OperatorId,
    kind: &'static str,
    name: String,
    id: Uuid,
    revision: i64,
    /// As its recipient knew it.
    received: bool,
}

impl Gone {
    fn of(operator: OperatorId, persons: &[Person], held: &[removal::Held]) -> Self {
        let mut gone = Vec::with_capacity(persons.len() + held.len());
        // What hangs on a person goes first.
        for record in held {
            let mut add = |operator, kind, name, received| {
                gone.push(GoneRecord {
                    operator,
                    kind,
                    name,
                    id: record.id,
                    revision: record.revision + 1,
                    received,
                });
            };
            match record.kind {
                removal::Kind::Entitlement => {
                    let entitlement = EntitlementId::from_uuid(record.id);
                    let name = EntitlementName {
                        operator,
                        entitlement,
                    };
                    add(operator, "entitlement.erased", name.to_string(), false);
                }
                removal::Kind::Step => {
                    let step = StepId::from_uuid(record.id);
                    let name = StepName { operator, step };
                    add(operator, "step.erased", name.to_string(), false);
                }
                removal::Kind::Note => {
                    let note = NoteId::from_uuid(record.id);
                    let name = NoteName { operator, note };
                    add(operator, "note.erased", name.to_string(), false);
                }
                removal::Kind::RenewalAlert => {
                    let renewal_alert = RenewalAlertId::from_uuid(record.id);
                    let name = RenewalAlertName {
                        operator,
                        renewal_alert,
                    };
                    add(operator, "renewal_alert.erased", name.to_string(), false);
                }
                removal::Kind::LegalHold => {
                    let legal_hold = LegalHoldId::from_uuid(record.id);
                    let name = LegalHoldName {
                        operator,
                        legal_hold,
                    };
                    add(operator, "legal_hold.erased", name.to_string(), false);
                }
                removal::Kind::RetentionNotice => {
                    let retention_notice = RetentionNoticeId::from_uuid(record.id);
                    let name = RetentionNoticeName {
                        operator,
                        retention_notice,
                    };
                    add(operator, "retention_notice.erased", name.to_string(), false);
                }
                removal::Kind::Referral { recipient } => {
                    let referral = ReferralId::from_uuid(record.id);
                    let name = ReferralName { operator, referral };
                    add(operator, "referral.erased", name.to_string(), false);
                    if let Some(operator) = recipient {
                        let name = ReceivedReferralName { operator, referral };
                        add(operator, "received_referral.erased", name.to_string(), true);
                    }
                }
            }
        }
        gone.extend(persons.iter().map(|person| GoneRecord {
            operator,
            kind: "beneficiary.erased",
            name: name_of(operator, person.id).to_string(),
            id: person.id.uuid(),
            revision: person.revision + 1,
            received: false,
        }));
        Self(gone)
    }

    /// Adds the duplicates of the persons, and the merges by which they were put aside.
    fn add_merges(
        &mut self,
        operator: OperatorId,
        aside: &[removal::Aside],
        merges: &[(Uuid, i64)],
    ) {
        self.0.extend(aside.iter().map(|aside| GoneRecord {
            operator,
            kind: "beneficiary.erased",
            name: name_of(operator, aside.person.id).to_string(),
            id: aside.person.id.uuid(),
            revision: aside.person.revision + 1,
            received: false,
        }));
        self.0.extend(merges.iter().map(|(merge, revision)| {
            let name = BeneficiaryMergeName {
                operator,
                beneficiary_merge: BeneficiaryMergeId::from_uuid(*merge),
            };
            GoneRecord {
                operator,
                kind: "beneficiary_merge.erased",
                name: name.to_string(),
                id: *merge,
                revision: revision + 1,
                received: false,
            }
        }));
    }

    fn resources(&self) -> Vec<(OperatorId, &str)> {
        self.0
            .iter()
            .map(|record| (record.operator, record.name.as_str()))
            .collect()
    }

    fn ids(&self) -> Vec<Uuid> {
        self.0.iter().map(|record| record.id).collect()
    }

    fn own(&self, reason: ErasureReason, now: OffsetDateTime) -> Vec<Entry> {
        let own = self.0.iter().filter(|record| !record.received);
        own.map(|record| {
            let snapshot = ErasedRecord {
                name: record.name.clone(),
                reason: reason.to_wire(),
                erase_time: Some(to_timestamp(now)),
            };
            Entry::new(record.change(), &snapshot)
        })
        .collect()
    }

    fn received(&self, now: OffsetDateTime) -> Vec<Entry> {
        let received = self.0.iter().filter(|record| record.received);
        received
            .map(|record| {
                let snapshot = ReceivedReferral {
                    name: record.name.clone(),
                    revision: record.revision,
                    update_time: Some(to_timestamp(now)),
                    ..ReceivedReferral::default()
                };
                Entry::new(record.change(), &snapshot)
            })
            .collect()
    }
}

impl GoneRecord {
    fn change(&self) -> Change<'_> {
        Change {
            kind: self.kind,
            operator: Some(self.operator),
            name: &self.name,
            revision: self.revision,
        }
    }
}
