//! Persons whose records are stored and nothing else (RGPD art. 18 and 21). No push changes them, no list shows them, and no
//! answer tells of them by name: whatever a transaction tells or changes is looked at here as it commits ([`guard`]), but for
//! the rpcs of [`OPEN`]; the feed tells that there were changes, not what they showed ([`veil`]). ADR 0038 says why so.

use std::{future::Future, pin::Pin};

use hashbrown::{HashMap, HashSet};
use nonrecours_kernel::{BeneficiaryId, OperatorId};
use nonrecours_pg::{All as _, Error, Recorded, Tx};
use uuid::Uuid;

use super::domain::{Refusal, SubjectRequest};
use crate::error;

/// Rpcs that may tell of such persons and change what is about them, and why the law lets them.
pub const OPEN: [(&str, &str); 21] = [
    // Their own rights, and the register of them: art. 15 to 21.
    ("SubjectRequestService/CreateSubjectRequest", "art. 12"),
    ("SubjectRequestService/ExtendSubjectRequest", "art. 12.3"),
    ("SubjectRequestService/FulfilSubjectRequest", "art. 15-21"),
    ("SubjectRequestService/RefuseSubjectRequest", "art. 12.4"),
    ("SubjectRequestService/LiftSubjectRequest", "art. 18.3"),
    ("SubjectRequestService/GetSubjectRequest", "art. 5.2"),
    ("SubjectRequestService/ListSubjectRequests", "art. 5.2"),
    ("SubjectRequestService/ExportPersonalData", "art. 15, 18.2"),
    // The person takes a consent back.
    ("ReferralService/RevokeReferral", "art. 7.3"),
    // Legal claims: what keeps the records, without telling them.
    ("LegalHoldService/CreateLegalHold", "art. 18.2"),
    ("LegalHoldService/LiftLegalHold", "art. 18.2"),
    ("LegalHoldService/GetLegalHold", "art. 18.2"),
    ("LegalHoldService/ListLegalHolds", "art. 18.2"),
    // The end of storing, and what is left to show that it ended. It does not come to who is restricted.
    ("RetentionService/PreviewRetention", "art. 5.1 e"),
    ("RetentionService/ApplyRetention", "art. 5.1 e"),
    ("RetentionService/GetRetentionNotice", "art. 5.1 e"),
    // Its handler looks at who wants it.
    ("ErasureService/EraseBeneficiary", "art. 17, 21"),
    ("ErasureService/GetErasure", "art. 5.2"),
    ("ErasureService/ListErasures", "art. 5.2"),
    ("ErasureService/ReleaseErasedReference", "art. 5.2"),
    // Who has seen the records, never what they say.
    ("AccessService/ListAccesses", "art. 5.2"),
];

/// Where the names of rpcs of persons begin; the feed, which is another contract, is veiled instead.
const PACKAGE: &str = "/nonrecours.followup.v1.";

/// Whether an rpc, by its path, is held back from telling of these persons.
pub fn is_guarded(rpc: &str) -> bool {
    rpc.strip_prefix(PACKAGE)
        .is_some_and(|rpc| OPEN.iter().all(|(open, _)| *open != rpc))
}

/// Refuses with `PROCESSING_LIMITED` when one of these names, of whatever operator, is of a record about such a person.
pub async fn guard(tx: &mut Tx, names: &[String]) -> Result<(), Error> {
    if !is_guarded(tx.scope().call().rpc()) {
        return Ok(());
    }
    for (operator, ids) in by_operator(names.iter().map(String::as_str)) {
        if !telling(tx, operator, &ids).await?.is_empty() {
            let refusal = error::Error::Register(Refusal::Limited);
            return Err(Error::Refused(Box::new(refusal.into())));
        }
    }
    Ok(())
}

/// Empties changes of records about such persons of what they show and why; the feed goes on. That records were erased is
/// told whole: it shows nothing of them.
pub fn veil<'a>(
    tx: &'a mut Tx,
    changes: &'a mut [Recorded],
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
    Box::pin(async move {
        let named = by_operator(changes.iter().map(|change| change.resource.as_str()));
        for (operator, ids) in named {
            if !any(tx, operator).await? {
                continue;
            }
            let limited = telling(tx, operator, &ids).await?;
            for change in changes.iter_mut() {
                let about = parts(&change.resource);
                if about.is_some_and(|(of, id)| of == operator && limited.contains(&id))
                    && !change.kind.ends_with(".erased")
                {
                    change.snapshot.clear();
                    change.why.clear();
                }
            }
        }
        Ok(())
    })
}

/// Whether an operator has such a person at all, or was referred one.
async fn any(tx: &mut Tx, operator: Uuid) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM processing_limit WHERE operator_id = $1)
               OR EXISTS (SELECT FROM referral WHERE recipient_id = $1) AS "any!""#,
        operator
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Ids of the records that names are of, by operator.
fn by_operator<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<Uuid, Vec<Uuid>> {
    let mut ids: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (operator, id) in names.filter_map(parts) {
        ids.entry(operator).or_default().push(id);
    }
    ids
}

/// Operator and id in `operators/{operator}/{collection}/{id}`, and perhaps a part of it.
fn parts(name: &str) -> Option<(Uuid, Uuid)> {
    let mut segments = name.split('/');
    (segments.next()? == "operators").then_some(())?;
    let operator = segments.next()?.parse().ok()?;
    segments.next()?;
    Some((operator, segments.next()?.parse().ok()?))
}

/// Those among these records of an operator that are about such a person. Requests, holds and erasures are not: they show
/// nothing of the person's records.
async fn telling(tx: &mut Tx, operator: Uuid, ids: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT about.id AS "id!"
           FROM (
               SELECT $1::uuid AS operator_id, sent.id AS beneficiary_id, sent.id FROM UNNEST($2::uuid[]) AS sent (id)
               UNION ALL
               SELECT operator_id, beneficiary_id, entitlement_id FROM entitlement
               WHERE operator_id = $1 AND entitlement_id = ANY($2)
               UNION ALL
               SELECT operator_id, beneficiary_id, step_id FROM step WHERE operator_id = $1 AND step_id = ANY($2)
               UNION ALL
               SELECT operator_id, beneficiary_id, note_id FROM note WHERE operator_id = $1 AND note_id = ANY($2)
               UNION ALL
               SELECT operator_id, beneficiary_id, referral_id FROM referral
               WHERE operator_id = $1 AND referral_id = ANY($2)
               UNION ALL
               SELECT operator_id, beneficiary_id, referral_id FROM referral
               WHERE recipient_id = $1 AND referral_id = ANY($2)
               UNION ALL
               SELECT claim.operator_id, claim.beneficiary_id, alert.alert_id
               FROM renewal_alert AS alert JOIN entitlement AS claim USING (operator_id, entitlement_id)
               WHERE alert.operator_id = $1 AND alert.alert_id = ANY($2)
               UNION ALL
               SELECT operator_id, survivor_id, merge_id FROM beneficiary_merge
               WHERE operator_id = $1 AND merge_id = ANY($2)
           ) AS about
           JOIN processing_limit AS held
             ON held.operator_id = about.operator_id AND held.beneficiary_id = about.beneficiary_id"#,
        operator,
        ids
    )
    .all(tx.conn())
    .await?;
    Ok(rows.into_iter().collect())
}

/// Keeps limits from beginning for persons of an operator until the transaction ends: whoever is about to change something
/// about them takes it before the limits are looked at, so that nothing of them is changed once a limit has begun.
/// [`Ground::hold`](crate::push::ground::Ground::hold) takes it for a batch.
pub async fn share(tx: &mut Tx, operator: OperatorId) -> Result<(), Error> {
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 0))::text AS "held!""#,
        operator.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(())
}

/// Begins a limit, by a request: of the person, of whom they were merged into, and of whoever was merged into these. Waits
/// for those who are writing about persons of the operator; those who come meanwhile wait for it.
pub async fn begin(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    let operator = request.beneficiary.operator.uuid();
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))::text AS "held!""#,
        operator
    )
    .fetch_one(tx.conn())
    .await?;
    let persons = family(tx, request).await?;
    sqlx::query!(
        "INSERT INTO processing_limit (operator_id, beneficiary_id, subject_request_id)
         SELECT $1, person, $3 FROM UNNEST($2::uuid[]) AS one (person)",
        operator,
        &persons,
        request.name.subject_request.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The person of a request and whoever is the same by merges.
async fn family(tx: &mut Tx, request: &SubjectRequest) -> Result<Vec<Uuid>, Error> {
    sqlx::query_scalar!(
        r#"WITH RECURSIVE up (person) AS (
               SELECT $2::uuid
               UNION
               SELECT merged.survivor_id FROM up
               JOIN merged_beneficiary AS merged ON merged.operator_id = $1 AND merged.beneficiary_id = up.person
           ), whole (person) AS (
               SELECT person FROM up
               UNION
               SELECT merged.beneficiary_id FROM whole
               JOIN merged_beneficiary AS merged ON merged.operator_id = $1 AND merged.survivor_id = whole.person
           )
           SELECT person AS "person!" FROM whole"#,
        request.beneficiary.operator.uuid(),
        request.beneficiary.beneficiary.uuid()
    )
    .all(tx.conn())
    .await
    .map_err(Error::from)
}

/// Ends the limit that a request began; another request of the person may limit still.
pub async fn end(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM processing_limit WHERE operator_id = $1 AND subject_request_id = $2",
        request.name.operator.uuid(),
        request.name.subject_request.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends every limit of a person of whom nothing is left.
pub async fn end_all(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    let persons = family(tx, request).await?;
    sqlx::query!(
        "DELETE FROM processing_limit WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        request.beneficiary.operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// No more recognised over several operators: the next identity that the operator sends, once the objection is taken back,
/// makes the pseudonym again.
pub async fn forget_pseudonym(tx: &mut Tx, request: &SubjectRequest) -> Result<(), Error> {
    let persons = family(tx, request).await?;
    sqlx::query!(
        "DELETE FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        request.beneficiary.operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of these persons whose records are stored only.
pub async fn among(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<HashSet<BeneficiaryId>, Error> {
    if persons.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query_scalar!(
        "SELECT beneficiary_id FROM processing_limit WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(BeneficiaryId::from_uuid).collect())
}
