//! Merges on the wire.

use std::{fmt, str::FromStr};

use nonrecours_contracts::followup::{
    Beneficiary as WireBeneficiary, BeneficiaryMerge as Wire, DuplicateCandidate,
    GetBeneficiaryMergeRequest, ListDuplicateCandidatesRequest, ListDuplicateCandidatesResponse,
    MergeBeneficiariesRequest, RetentionNotice, RetentionNoticeState, UndoMergeRequest,
    beneficiary_merge_service_server::{BeneficiaryMergeService, BeneficiaryMergeServiceServer},
};
use nonrecours_kernel::{
    BeneficiaryMergeName, BeneficiaryName, IdSource, Invalid, OperatorName, RetentionNoticeId,
    RetentionNoticeName, Scope, Violation,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{to_date, to_timestamp},
    etag, field, open,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, Merge, MergeReason, MergeState},
    moving::Moving,
    store,
};
use crate::{
    beneficiary,
    erasure::removal as erasures,
    error::Error,
    identity,
    indicator::rollup::Keeper,
    subject_request::{domain::limited as limited_person, limit},
    vault::Vault,
};

/// Merges of operators' duplicates.
pub struct Merges {
    db: Db,
    ids: IdSource,
    vault: Vault,
}

impl Merges {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, ids: IdSource, vault: Vault) -> BeneficiaryMergeServiceServer<Self> {
        BeneficiaryMergeServiceServer::new(Self { db, ids, vault })
    }

    async fn candidates(
        &self,
        request: Request<ListDuplicateCandidatesRequest>,
    ) -> Result<ListDuplicateCandidatesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListDuplicateCandidates", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after: Option<Place> = page.after()?;
        let after = after.map(|place| (place.older, place.newer));
        let ring = self.vault.ring();
        let mut tx = self.db.disclose(&scope).await?;
        let operator = parent.operator;
        let pairs =
            store::candidates(&mut tx, operator, ring.counts_with(), after, page.limit()).await?;
        let (pairs, next_page_token) = page.cut(pairs, |pair| {
            Place {
                older: pair.older.0.uuid(),
                newer: pair.newer.0.uuid(),
            }
            .to_string()
        });
        let named = |beneficiary| {
            BeneficiaryName {
                operator,
                beneficiary,
            }
            .to_string()
        };
        let candidates: Vec<DuplicateCandidate> = pairs
            .into_iter()
            .map(|pair| DuplicateCandidate {
                older: named(pair.older.0),
                older_reference: pair.older.1,
                newer: named(pair.newer.0),
                newer_reference: pair.newer.1,
                newer_spotted_date: Some(to_date(pair.newer_spotted_date)),
            })
            .collect();
        let told: Vec<String> = candidates
            .iter()
            .flat_map(|pair| [pair.older.clone(), pair.newer.clone()])
            .collect();
        let answer = ListDuplicateCandidatesResponse {
            candidates,
            next_page_token,
        };
        Ok(tx.tell(told, answer).await?)
    }

    async fn merge(&self, request: Request<MergeBeneficiariesRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let survivor = check.parse::<BeneficiaryName>("survivor", &request.survivor);
        let duplicate = check.parse::<BeneficiaryName>("duplicate", &request.duplicate);
        let reason = check.take("reason", MergeReason::from_wire(request.reason));
        if survivor.is_some() && survivor == duplicate {
            check.refuse("duplicate", domain::with_itself());
        }
        let (survivor, duplicate, reason) =
            check.finish(|| Some((survivor?, duplicate?, reason??)))?;
        // A person of another operator is none of this one's.
        for person in [survivor, duplicate] {
            caller.reach(person.operator)?;
            if person.operator != parent.operator {
                return Err(Failure::not_found(person).into());
            }
        }

        let mut tx = self.db.begin(&scope).await?;
        let pair = [survivor.beneficiary, duplicate.beneficiary];
        let locked = store::lock(&mut tx, parent.operator, &pair).await?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        let find = |name: BeneficiaryName| {
            let mut locked = locked.iter();
            locked
                .find(|one| one.id == name.beneficiary)
                .ok_or_else(|| Failure::not_found(name))
        };
        let (kept, gone) = (find(survivor)?, find(duplicate)?);
        etag::check(&request.survivor_etag, kept.revision)?;
        etag::check(&request.duplicate_etag, gone.revision)?;
        if kept.convention != gone.convention {
            return Err(Error::MergeAcrossConventions);
        }
        let gone_revision = gone.revision + 1;
        let uuids = [survivor.beneficiary.uuid(), duplicate.beneficiary.uuid()];
        let limited = limit::among(&mut tx, parent.operator, &uuids).await?;
        if let Some((path, _)) = [("survivor", survivor), ("duplicate", duplicate)]
            .iter()
            .find(|(_, person)| limited.contains(&person.beneficiary))
        {
            return Err(Failure::invalid(vec![Violation::at(*path, limited_person())]).into());
        }

        let (operator, now) = (parent.operator, tx.now());
        let (to, from) = (survivor.beneficiary.uuid(), duplicate.beneficiary.uuid());
        let mut figures = Keeper::new(operator);
        figures.persons(&mut tx, [to, from].into_iter()).await?;
        let held = erasures::records_of(&mut tx, operator, &[from]).await?;
        let moving = Moving::of(held.iter().map(|record| (record.kind.code(), record.id)));
        let mut entries = moving.to(&mut tx, operator, to).await?;
        // What was announced of the duplicate is announced of nobody any more.
        let notices = held
            .iter()
            .filter(|record| record.kind.code() == "RETENTION_NOTICE");
        entries.extend(notices.map(|record| withdrawn(&duplicate, record)));
        let identity_given = self.give_identity(&mut tx, &survivor, &duplicate).await?;
        let merge = Merge {
            name: BeneficiaryMergeName {
                operator,
                beneficiary_merge: self.ids.next(),
            },
            survivor,
            duplicate,
            reason,
            state: MergeState::Merged,
            is_used: false,
            identity_given,
            moved: moving.counts(),
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &merge, &moving.records()).await?;
        store::put_aside(&mut tx, &merge).await?;
        store::touch(&mut tx, &survivor).await?;
        figures.settle(&mut tx).await?;

        entries.push(told(
            "beneficiary.merged",
            &duplicate,
            gone_revision,
            &merge,
        ));
        entries.push(of_record(&mut tx, "beneficiary.absorbed", &survivor).await?);
        finish(tx, &request, "beneficiary_merge.done", &merge, entries).await
    }

    /// Gives the survivor the duplicate's identity, when it has none; says whether it did.
    async fn give_identity(
        &self,
        tx: &mut Tx,
        survivor: &BeneficiaryName,
        duplicate: &BeneficiaryName,
    ) -> Result<bool, Error> {
        let ring = self.vault.ring();
        let pair = [survivor.beneficiary, duplicate.beneficiary];
        let mut held = identity::store::held(tx, survivor.operator, &pair).await?;
        if held.contains_key(&survivor.beneficiary) {
            return Ok(false);
        }
        let Some(sealed) = held.remove(&duplicate.beneficiary) else {
            return Ok(false);
        };
        let identity = sealed.open(&ring)?;
        let given = [(survivor.beneficiary, &identity)];
        identity::store::write(tx, &ring, survivor.operator, &given).await?;
        Ok(true)
    }

    async fn undo(&self, request: Request<UndoMergeRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BeneficiaryMergeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let survivor = self.survivor_of(&scope, &name).await?;
        let mut tx = self.db.begin(&scope).await?;
        // The person first, as whoever writes about them does.
        store::lock(&mut tx, name.operator, &[survivor.beneficiary]).await?;
        let merge = store::hold(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        if let Some(earlier) = tx.replay::<_, Wire>(&request).await? {
            return Ok(tx.tell([earlier.name.clone()], earlier).await?);
        }
        etag::check(&request.etag, merge.revision)?;
        let standing = store::standing(&mut tx, &merge).await?;
        let merge = merge
            .undo(standing, tx.now())
            .map_err(Error::MergeUndoBlocked)?;

        let operator = name.operator;
        let (to, from) = (
            merge.duplicate.beneficiary.uuid(),
            merge.survivor.beneficiary.uuid(),
        );
        let mut figures = Keeper::new(operator);
        figures.persons(&mut tx, [to, from].into_iter()).await?;
        let moved = store::moved(&mut tx, &name).await?;
        let moving = Moving::of(moved.iter().map(|(kind, id)| (kind.as_str(), *id)));
        store::bring_back(&mut tx, &merge).await?;
        let mut entries = moving.to(&mut tx, operator, to).await?;
        if merge.identity_given {
            identity::store::erase(&mut tx, operator, &[merge.survivor.beneficiary]).await?;
        }
        store::touch(&mut tx, &merge.survivor).await?;
        store::update(&mut tx, &merge).await?;
        figures.settle(&mut tx).await?;
        entries.push(of_record(&mut tx, "beneficiary.restored", &merge.duplicate).await?);
        entries.push(of_record(&mut tx, "beneficiary.separated", &merge.survivor).await?);
        finish(tx, &request, "beneficiary_merge.undone", &merge, entries).await
    }

    async fn survivor_of(
        &self,
        scope: &Scope,
        name: &BeneficiaryMergeName,
    ) -> Result<BeneficiaryName, Error> {
        let mut tx = self.db.read(scope).await?;
        let merge = store::get(&mut tx, name).await?;
        Ok(merge.ok_or_else(|| Failure::not_found(name))?.survivor)
    }

    async fn get(&self, request: Request<GetBeneficiaryMergeRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BeneficiaryMergeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let merge = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        let told = [
            name.to_string(),
            merge.survivor.to_string(),
            merge.duplicate.to_string(),
        ];
        Ok(tx.tell(told, Wire::from(&merge)).await?)
    }
}

/// What the feed tells of a record by its merge.
fn told(kind: &'static str, person: &BeneficiaryName, revision: i64, merge: &Merge) -> Entry {
    let change = Change {
        kind,
        operator: Some(person.operator),
        name: &person.to_string(),
        revision,
    };
    Entry::new(change, &Wire::from(merge))
}

/// What the feed tells of a notice that goes with the duplicate's record.
fn withdrawn(person: &BeneficiaryName, record: &erasures::Held) -> Entry {
    let operator = person.operator;
    let name = RetentionNoticeName {
        operator,
        retention_notice: RetentionNoticeId::from_uuid(record.id),
    };
    let notice = RetentionNotice {
        name: name.to_string(),
        beneficiary: person.to_string(),
        state: RetentionNoticeState::Withdrawn.into(),
        revision: record.revision + 1,
        etag: etag::of(record.revision + 1),
        ..RetentionNotice::default()
    };
    let change = Change {
        kind: "retention_notice.withdrawn",
        operator: Some(operator),
        name: &notice.name,
        revision: notice.revision,
    };
    Entry::new(change, &notice)
}

/// What the feed tells of a record as it stands.
async fn of_record(
    tx: &mut Tx,
    kind: &'static str,
    person: &BeneficiaryName,
) -> Result<Entry, Error> {
    let record = beneficiary::store::get(tx, person)
        .await?
        .ok_or_else(|| Failure::not_found(person))?;
    let change = Change {
        kind,
        operator: Some(person.operator),
        name: &person.to_string(),
        revision: record.revision,
    };
    Ok(Entry::new(change, &WireBeneficiary::from(&record)))
}

async fn finish<Q: nonrecours_contracts::Mutation>(
    mut tx: Tx,
    request: &Q,
    kind: &'static str,
    merge: &Merge,
    entries: Vec<Entry>,
) -> Result<Wire, Error> {
    tx.record_all(&entries).await?;
    let change = Change {
        kind,
        operator: Some(merge.name.operator),
        name: &merge.name.to_string(),
        revision: merge.revision,
    };
    Ok(tx.finish(request, change, Wire::from(merge)).await?)
}

impl From<&Merge> for Wire {
    fn from(merge: &Merge) -> Self {
        Self {
            name: merge.name.to_string(),
            survivor: merge.survivor.to_string(),
            duplicate: merge.duplicate.to_string(),
            reason: merge.reason.to_wire(),
            state: merge.state.to_wire(),
            entitlements: merge.moved.entitlements,
            steps: merge.moved.steps,
            notes: merge.moved.notes,
            referrals: merge.moved.referrals,
            revision: merge.revision,
            create_time: Some(to_timestamp(merge.create_time)),
            update_time: Some(to_timestamp(merge.update_time)),
            etag: etag::of(merge.revision),
        }
    }
}

/// Where a page of candidates ends.
struct Place {
    older: Uuid,
    newer: Uuid,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.older, self.newer)
    }
}

impl FromStr for Place {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let parts = value.split_once('_');
        let place = parts.and_then(|(older, newer)| {
            Some(Self {
                older: older.parse().ok()?,
                newer: newer.parse().ok()?,
            })
        });
        place.ok_or_else(crate::codes::unknown)
    }
}

#[tonic::async_trait]
impl BeneficiaryMergeService for Merges {
    async fn list_duplicate_candidates(
        &self,
        request: Request<ListDuplicateCandidatesRequest>,
    ) -> Result<Response<ListDuplicateCandidatesResponse>, Status> {
        Ok(Response::new(self.candidates(request).await?))
    }

    async fn merge_beneficiaries(
        &self,
        request: Request<MergeBeneficiariesRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.merge(request).await?))
    }

    async fn undo_merge(
        &self,
        request: Request<UndoMergeRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.undo(request).await?))
    }

    async fn get_beneficiary_merge(
        &self,
        request: Request<GetBeneficiaryMergeRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }
}
