//! Everything held on one person.

use nonrecours_contracts::followup::ExportPersonalDataResponse;
use nonrecours_kernel::{
    BeneficiaryIdentityName, EntitlementId, NoteId, OperatorId, ReferralId, StepId,
};
use nonrecours_pg::{Error as PgError, Tx};
use nonrecours_rpc::{Failure, rules::POOL};
use prost::{Message as _, Name as _};
use prost_reflect::DynamicMessage;
use uuid::Uuid;

use super::{domain::SubjectRequest, store};
use crate::{
    beneficiary, entitlement, error::Error, identity, journal, note, referral, step, vault::KeyRing,
};

/// Accesses in an export at most: the last ones.
pub const MAX_ACCESSES: i64 = 1000;
/// Records of each kind in an export at most. Nobody has as many: an export that would leave some out is refused.
pub const MAX_RECORDS: usize = 5000;

/// Everything held on the person of a request, and the names of what it tells of, those of the person and the request
/// first.
pub async fn export(
    tx: &mut Tx,
    ring: &KeyRing,
    request: &SubjectRequest,
) -> Result<(ExportPersonalDataResponse, Vec<String>), Error> {
    let person = request.beneficiary;
    let operator = person.operator;
    let record = beneficiary::store::get(tx, &person)
        .await?
        .ok_or_else(|| Failure::not_found(person))?;
    let name = BeneficiaryIdentityName {
        operator,
        beneficiary: person.beneficiary,
    };
    let identity = match identity::store::get(tx, &name).await? {
        Some(sealed) => Some((&sealed.open(ring)?).into()),
        None => None,
    };
    let held = Held::of(tx, operator, person.beneficiary.uuid()).await?;
    let mut answer = ExportPersonalDataResponse {
        beneficiary: Some((&record).into()),
        identity,
        ..Default::default()
    };
    for id in held.entitlements {
        let entitlement = EntitlementId::from_uuid(id);
        let name = nonrecours_kernel::EntitlementName {
            operator,
            entitlement,
        };
        let record = entitlement::store::get(tx, &name).await?;
        answer.entitlements.extend(record.as_ref().map(Into::into));
    }
    for id in held.steps {
        let step = StepId::from_uuid(id);
        let name = nonrecours_kernel::StepName { operator, step };
        let record = step::store::get(tx, &name).await?;
        answer.steps.extend(record.as_ref().map(Into::into));
    }
    for id in held.notes {
        let id = NoteId::from_uuid(id);
        let name = nonrecours_kernel::NoteName { operator, note: id };
        let mut texts = note::store::texts(tx, ring, operator, &[id]).await?;
        let record = note::store::get(tx, &name).await?;
        answer.notes.extend(
            record
                .as_ref()
                .map(|record| nonrecours_contracts::followup::Note {
                    text: texts.remove(&id).unwrap_or_default(),
                    ..record.into()
                }),
        );
    }
    for id in held.referrals {
        let referral = ReferralId::from_uuid(id);
        let name = nonrecours_kernel::ReferralName { operator, referral };
        let record = referral::store::get(tx, &name).await?;
        answer.referrals.extend(record.as_ref().map(Into::into));
    }
    let filter = store::Filter {
        person: Some(person.beneficiary),
        ..store::Filter::default()
    };
    let limit = i64::try_from(MAX_RECORDS).unwrap_or(i64::MAX);
    let requests = store::list(tx, operator, filter, None, limit).await?;
    answer.subject_requests = requests.iter().map(Into::into).collect();
    let accesses =
        journal::store::last_about(tx, operator, person.beneficiary, MAX_ACCESSES).await?;
    answer.accesses = accesses.iter().map(Into::into).collect();
    answer.json = json(&answer)?;

    let mut told = vec![
        person.to_string(),
        request.name.to_string(),
        name.to_string(),
    ];
    told.extend(answer.entitlements.iter().map(|one| one.name.clone()));
    told.extend(answer.steps.iter().map(|one| one.name.clone()));
    told.extend(answer.notes.iter().map(|one| one.name.clone()));
    told.extend(answer.referrals.iter().map(|one| one.name.clone()));
    Ok((answer, told))
}

/// Ids of what is held on a person.
struct Held {
    entitlements: Vec<Uuid>,
    steps: Vec<Uuid>,
    notes: Vec<Uuid>,
    referrals: Vec<Uuid>,
}

impl Held {
    async fn of(tx: &mut Tx, operator: OperatorId, person: Uuid) -> Result<Self, Error> {
        let row = sqlx::query!(
            r#"SELECT ARRAY(SELECT entitlement_id FROM entitlement
                            WHERE operator_id = $1 AND beneficiary_id = $2 ORDER BY 1) AS "entitlements!",
                      ARRAY(SELECT step_id FROM step
                            WHERE operator_id = $1 AND beneficiary_id = $2 ORDER BY 1) AS "steps!",
                      ARRAY(SELECT note_id FROM note
                            WHERE operator_id = $1 AND beneficiary_id = $2 ORDER BY 1) AS "notes!",
                      ARRAY(SELECT referral_id FROM referral
                            WHERE operator_id = $1 AND beneficiary_id = $2 ORDER BY 1) AS "referrals!""#,
            operator.uuid(),
            person
        )
        .fetch_one(tx.conn())
        .await
        .map_err(PgError::from)?;
        let held = Self {
            entitlements: row.entitlements,
            steps: row.steps,
            notes: row.notes,
            referrals: row.referrals,
        };
        let kinds = [
            &held.entitlements,
            &held.steps,
            &held.notes,
            &held.referrals,
        ];
        if kinds.iter().any(|ids| ids.len() > MAX_RECORDS) {
            return Err(Failure::bug("a person with more records than an export holds").into());
        }
        Ok(held)
    }
}

/// The answer as JSON, by the names of the contract.
fn json(answer: &ExportPersonalDataResponse) -> Result<Vec<u8>, Failure> {
    let bug = || Failure::bug("an export that is no JSON");
    let descriptor = POOL
        .get_message_by_name(&ExportPersonalDataResponse::full_name())
        .ok_or_else(bug)?;
    let message =
        DynamicMessage::decode(descriptor, answer.encode_to_vec().as_slice()).map_err(|_| bug())?;
    serde_json::to_vec_pretty(&message).map_err(|_| bug())
}
