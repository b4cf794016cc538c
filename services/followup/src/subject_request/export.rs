//! Everything held on one person, page by page: whatever there is is told, and no answer grows with it.

use std::{fmt, str::FromStr};

use nonrecours_contracts::followup::{
    Access, BeneficiaryMerge, Entitlement, ExportPersonalDataResponse, LegalHold,
    MergedBeneficiary, Note, Referral, RenewalAlert, RetentionNotice, Step,
    SubjectRequest as WireRequest,
};
use nonrecours_kernel::{BeneficiaryIdentityName, BeneficiaryName, Invalid};
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, Page, rules::POOL};
use prost::{Message as _, Name as _};
use prost_reflect::DynamicMessage;
use uuid::Uuid;

use super::{domain::SubjectRequest, store};
use crate::{
    beneficiary, entitlement, erasure, error::Error, identity, journal, legal_hold, merge, note,
    referral, renewal, retention, step, vault::KeyRing,
};

/// Records of a page at most. A note has 2 000 characters at most, and comes twice: a page stays under 4 MiB.
pub const PAGE: i32 = 200;

/// A page of everything held on the person of a request, and the names of what it tells of, those of the person first. The
/// request is named with the last page: the entry in the journal that names it says that the export came to its end.
pub async fn export(
    tx: &mut Tx,
    ring: &KeyRing,
    request: &SubjectRequest,
    page: &Page,
) -> Result<(ExportPersonalDataResponse, Vec<String>), Error> {
    let person = request.beneficiary;
    let record = beneficiary::store::get(tx, &person)
        .await?
        .ok_or_else(|| Failure::not_found(person))?;
    let mut told = vec![person.to_string()];
    let mut answer = ExportPersonalDataResponse::default();
    let after: Option<Place> = page.after()?;
    if after.is_none() {
        let name = BeneficiaryIdentityName {
            operator: person.operator,
            beneficiary: person.beneficiary,
        };
        if let Some(sealed) = identity::store::get(tx, &name).await? {
            answer.identity = Some((&sealed.open(ring)?).into());
        }
        answer.beneficiary = Some((&record).into());
        told.push(name.to_string());
    }
    let subject = Subject::of(tx, person).await?;
    let items = items(tx, ring, &subject, after.unwrap_or_default(), page.limit()).await?;
    let (items, next_page_token) = page.cut(items, |item| item.place.to_string());
    for item in items {
        told.extend(item.what.name());
        item.what.into(&mut answer);
    }
    if next_page_token.is_empty() {
        told.push(request.name.to_string());
    }
    answer.next_page_token = next_page_token;
    answer.json = json(&answer)?;
    Ok((answer, told))
}

/// The kinds of what is exported, in their order.
const KINDS: [Kind; 11] = [
    Kind::Entitlement,
    Kind::RenewalAlert,
    Kind::Step,
    Kind::Note,
    Kind::Referral,
    Kind::LegalHold,
    Kind::RetentionNotice,
    Kind::Merge,
    Kind::MergedBeneficiary,
    Kind::Request,
    Kind::Access,
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Entitlement,
    RenewalAlert,
    Step,
    Note,
    Referral,
    LegalHold,
    RetentionNotice,
    Merge,
    MergedBeneficiary,
    Request,
    Access,
}

/// Whose data are exported.
struct Subject {
    /// The person's record.
    name: BeneficiaryName,
    /// It, and those that were merged into it: what met one of them met the person.
    records: Vec<Uuid>,
}

impl Subject {
    async fn of(tx: &mut Tx, name: BeneficiaryName) -> Result<Self, Error> {
        let own = name.beneficiary.uuid();
        let aside = erasure::removal::aside(tx, name.operator, &[own]).await?;
        let aside = aside.into_iter().map(|aside| aside.person.id.uuid());
        let records = [own].into_iter().chain(aside).collect();
        Ok(Self { name, records })
    }
}

/// Where an export stands: after a record of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    kind: Kind,
    /// Id of the record; of an access, its position.
    after: Option<u128>,
}

/// What a page tells, with its place.
struct Item {
    place: Place,
    what: What,
}

enum What {
    Entitlement(Entitlement),
    RenewalAlert(RenewalAlert),
    Step(Step),
    Note(Note),
    Referral(Referral),
    LegalHold(LegalHold),
    RetentionNotice(RetentionNotice),
    Merge(BeneficiaryMerge),
    MergedBeneficiary(MergedBeneficiary),
    Request(WireRequest),
    Access(Access),
}

/// At most `limit` items after a place.
async fn items(
    tx: &mut Tx,
    ring: &KeyRing,
    subject: &Subject,
    from: Place,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let start = KINDS.iter().position(|kind| *kind == from.kind);
    let mut after = from.after;
    for kind in KINDS.iter().skip(start.unwrap_or_default()) {
        let have = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if have >= limit {
            break;
        }
        items.extend(of_kind(tx, ring, subject, *kind, after, limit - have).await?);
        after = None;
    }
    Ok(items)
}

/// At most `limit` items of one kind after one of them.
async fn of_kind(
    tx: &mut Tx,
    ring: &KeyRing,
    subject: &Subject,
    kind: Kind,
    after: Option<u128>,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let (person, operator) = (&subject.name, subject.name.operator);
    let id = after.map(Uuid::from_u128);
    let item = |after: u128, what| Item {
        place: Place {
            kind,
            after: Some(after),
        },
        what,
    };
    Ok(match kind {
        Kind::Entitlement => entitlement::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| item(one.id.uuid().as_u128(), What::Entitlement(one.into())))
            .collect(),
        Kind::RenewalAlert => renewal::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| item(one.id.uuid().as_u128(), What::RenewalAlert(one.into())))
            .collect(),
        Kind::Step => step::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| item(one.id.uuid().as_u128(), What::Step(one.into())))
            .collect(),
        Kind::Note => {
            let notes = note::store::of_person(tx, person, id, limit).await?;
            let ids: Vec<_> = notes.iter().map(|note| note.id).collect();
            let mut texts = note::store::texts(tx, ring, person.operator, &ids).await?;
            notes
                .iter()
                .map(|one| {
                    let text = texts.remove(&one.id).unwrap_or_default();
                    let note = Note { text, ..one.into() };
                    item(one.id.uuid().as_u128(), What::Note(note))
                })
                .collect()
        }
        Kind::Referral => referral::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| {
                let id = one.name.referral.uuid().as_u128();
                item(id, What::Referral(one.into()))
            })
            .collect(),
        Kind::LegalHold => legal_hold::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| {
                let id = one.name.legal_hold.uuid().as_u128();
                item(id, What::LegalHold(one.into()))
            })
            .collect(),
        Kind::RetentionNotice => retention::store::of_person(tx, person, id, limit)
            .await?
            .iter()
            .map(|one| {
                let id = one.name.retention_notice.uuid().as_u128();
                item(id, What::RetentionNotice(one.into()))
            })
            .collect(),
        Kind::Merge => merge::store::of_persons(tx, operator, &subject.records, id, limit)
            .await?
            .iter()
            .map(|one| {
                let id = one.name.beneficiary_merge.uuid().as_u128();
                item(id, What::Merge(one.into()))
            })
            .collect(),
        Kind::MergedBeneficiary => {
            let records = &subject.records;
            let aside = beneficiary::store::put_aside(tx, operator, records, id, limit).await?;
            let ids: Vec<_> = aside.iter().map(|record| record.id).collect();
            let identities = identity::store::held(tx, operator, &ids).await?;
            let mut items = Vec::with_capacity(aside.len());
            for record in &aside {
                let identity = match identities.get(&record.id) {
                    Some(sealed) => Some((&sealed.open(ring)?).into()),
                    None => None,
                };
                let merged = MergedBeneficiary {
                    beneficiary: Some(record.into()),
                    identity,
                };
                let id = record.id.uuid().as_u128();
                items.push(item(id, What::MergedBeneficiary(merged)));
            }
            items
        }
        Kind::Request => {
            let filter = store::Filter {
                persons: Some(&subject.records),
                ..store::Filter::default()
            };
            store::list(tx, operator, filter, id, limit)
                .await?
                .iter()
                .map(|one| {
                    let id = one.name.subject_request.uuid().as_u128();
                    item(id, What::Request(one.into()))
                })
                .collect()
        }
        Kind::Access => {
            let before = after.and_then(|position| i64::try_from(position).ok());
            journal::store::last_about(tx, operator, &subject.records, before, limit)
                .await?
                .iter()
                .map(|one| {
                    let position = u128::try_from(one.place.position).unwrap_or_default();
                    item(position, What::Access(one.into()))
                })
                .collect()
        }
    })
}

impl What {
    /// The name of the record about the person; none of what only tells of records.
    fn name(&self) -> Option<String> {
        match self {
            Self::Entitlement(one) => Some(one.name.clone()),
            Self::Step(one) => Some(one.name.clone()),
            Self::Note(one) => Some(one.name.clone()),
            Self::Referral(one) => Some(one.name.clone()),
            Self::MergedBeneficiary(one) => one.beneficiary.as_ref().map(|one| one.name.clone()),
            Self::RenewalAlert(_)
            | Self::LegalHold(_)
            | Self::RetentionNotice(_)
            | Self::Merge(_)
            | Self::Request(_)
            | Self::Access(_) => None,
        }
    }

    fn into(self, answer: &mut ExportPersonalDataResponse) {
        match self {
            Self::Entitlement(one) => answer.entitlements.push(one),
            Self::RenewalAlert(one) => answer.renewal_alerts.push(one),
            Self::Step(one) => answer.steps.push(one),
            Self::Note(one) => answer.notes.push(one),
            Self::Referral(one) => answer.referrals.push(one),
            Self::LegalHold(one) => answer.legal_holds.push(one),
            Self::RetentionNotice(one) => answer.retention_notices.push(one),
            Self::Merge(one) => answer.merges.push(one),
            Self::MergedBeneficiary(one) => answer.merged_beneficiaries.push(one),
            Self::Request(one) => answer.subject_requests.push(one),
            Self::Access(one) => answer.accesses.push(one),
        }
    }
}

impl Kind {
    const fn code(self) -> &'static str {
        match self {
            Self::Entitlement => "entitlement",
            Self::RenewalAlert => "alert",
            Self::Step => "step",
            Self::Note => "note",
            Self::Referral => "referral",
            Self::LegalHold => "hold",
            Self::RetentionNotice => "notice",
            Self::Merge => "merge",
            Self::MergedBeneficiary => "merged",
            Self::Request => "request",
            Self::Access => "access",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.code(), self.after.unwrap_or_default())
    }
}

impl FromStr for Place {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let parts = value.split_once('_').and_then(|(kind, after)| {
            let kind = KINDS.into_iter().find(|one| one.code() == kind)?;
            let after = Some(after.parse().ok()?);
            Some(Self { kind, after })
        });
        parts.ok_or_else(crate::codes::unknown)
    }
}

/// The page as JSON, by the names of the contract.
fn json(answer: &ExportPersonalDataResponse) -> Result<Vec<u8>, Failure> {
    let bug = || Failure::bug("an export that is no JSON");
    let descriptor = POOL
        .get_message_by_name(&ExportPersonalDataResponse::full_name())
        .ok_or_else(bug)?;
    let message =
        DynamicMessage::decode(descriptor, answer.encode_to_vec().as_slice()).map_err(|_| bug())?;
    serde_json::to_vec_pretty(&message).map_err(|_| bug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        for kind in KINDS {
            let place = Place {
                kind,
                after: Some(u128::MAX),
            };
            assert_eq!(place.to_string().parse::<Place>().ok(), Some(place));
        }
        for other in ["", "step", "step_", "step_x", "person_1"] {
            assert!(other.parse::<Place>().is_err(), "{other}");
        }
    }
}
