//! SQL of merges.

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryMergeId, BeneficiaryMergeName, BeneficiaryName, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Merge, MergeReason, MergeState, Moved, Standing};
use crate::{codes::damaged, record::only_all, subject_request::limit};

/// One of the two records.
pub struct Locked {
    /// Its id.
    pub id: BeneficiaryId,
    /// Convention it falls under.
    pub convention: Uuid,
    /// Its revision.
    pub revision: i64,
}

/// Holds persons until the transaction ends, in the order of their ids: nobody writes about them meanwhile.
pub async fn lock(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[BeneficiaryId],
) -> Result<Vec<Locked>, Error> {
    limit::share(tx, operator).await?;
    let persons: Vec<Uuid> = persons.iter().map(|person| person.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT beneficiary_id, convention_id, revision FROM beneficiary
         WHERE operator_id = $1 AND beneficiary_id = ANY($2) ORDER BY beneficiary_id FOR UPDATE",
        operator.uuid(),
        &persons
    )
    .all(tx.conn())
    .await?;
    let persons = rows.into_iter().map(|row| Locked {
        id: BeneficiaryId::from_uuid(row.beneficiary_id),
        convention: row.convention_id,
        revision: row.revision,
    });
    Ok(persons.collect())
}

/// Two records with the same pseudonym under one convention.
pub struct Pair {
    /// The older record, and its reference.
    pub older: (BeneficiaryId, String),
    /// The newer one.
    pub newer: (BeneficiaryId, String),
    /// Day on which the newer was spotted.
    pub newer_spotted_date: Date,
}

/// Pairs of an operator after one, in their order; by the pseudonyms under one key.
pub async fn candidates(
    tx: &mut Tx,
    operator: OperatorId,
    key_id: &str,
    after: Option<(Uuid, Uuid)>,
    limit: i64,
) -> Result<Vec<Pair>, Error> {
    let (after_older, after_newer) = after.unwrap_or_default();
    let rows = sqlx::query!(
        "SELECT older.beneficiary_id AS older_id, older.external_reference AS older_reference,
                newer.beneficiary_id AS newer_id, newer.external_reference AS newer_reference, newer.spotted_date
         FROM pseudonym AS one
         JOIN pseudonym AS other ON other.operator_id = one.operator_id AND other.key_id = one.key_id
              AND other.pseudonym = one.pseudonym AND other.beneficiary_id > one.beneficiary_id
         JOIN beneficiary AS older
              ON older.operator_id = one.operator_id AND older.beneficiary_id = one.beneficiary_id
         JOIN beneficiary AS newer
              ON newer.operator_id = one.operator_id AND newer.beneficiary_id = other.beneficiary_id
              AND newer.convention_id = older.convention_id
         WHERE one.operator_id = $1 AND one.key_id = $2
           AND NOT EXISTS (SELECT FROM processing_limit AS held
                           WHERE held.operator_id = $1 AND held.beneficiary_id IN (one.beneficiary_id, other.beneficiary_id))
           AND (one.beneficiary_id, other.beneficiary_id) > ($3, $4)
         ORDER BY one.beneficiary_id, other.beneficiary_id
         LIMIT $5",
        operator.uuid(),
        key_id,
        after_older,
        after_newer,
        limit
    )
    .all(tx.conn())
    .await?;
    let pairs = rows.into_iter().map(|row| Pair {
        older: (BeneficiaryId::from_uuid(row.older_id), row.older_reference),
        newer: (BeneficiaryId::from_uuid(row.newer_id), row.newer_reference),
        newer_spotted_date: row.spotted_date,
    });
    Ok(pairs.collect())
}

/// Puts the duplicate's record aside, at its next revision.
pub async fn put_aside(tx: &mut Tx, merge: &Merge) -> Result<(), Error> {
    let operator = merge.name.operator.uuid();
    let duplicate = merge.duplicate.beneficiary.uuid();
    let done = sqlx::query!(
        "INSERT INTO merged_beneficiary
             (operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
              closing_reason, spotted_date, version, revision, create_time, update_time, merge_id, survivor_id)
         SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision + 1, create_time, update_time, $3, $4
         FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2",
        operator,
        duplicate,
        merge.name.beneficiary_merge.uuid(),
        merge.survivor.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), 1)?;
    sqlx::query!(
        "DELETE FROM retention_notice WHERE operator_id = $1 AND beneficiary_id = $2",
        operator,
        duplicate
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2",
        operator,
        duplicate
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Brings the duplicate's record back, at its next revision, as it stood; what is to hang on it can.
pub async fn bring_back(tx: &mut Tx, merge: &Merge) -> Result<(), Error> {
    let operator = merge.name.operator.uuid();
    let done = sqlx::query!(
        "INSERT INTO beneficiary
             (operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
              closing_reason, spotted_date, version, revision, create_time, update_time)
         SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state,
                closing_reason, spotted_date, version, revision + 1, create_time, update_time
         FROM merged_beneficiary WHERE operator_id = $1 AND beneficiary_id = $2",
        operator,
        merge.duplicate.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), 1)?;
    sqlx::query!(
        "DELETE FROM merged_beneficiary WHERE operator_id = $1 AND beneficiary_id = $2",
        operator,
        merge.duplicate.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM merged_record WHERE operator_id = $1 AND merge_id = $2",
        operator,
        merge.name.beneficiary_merge.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Counts a change of a record that stays as it is otherwise; gives nothing when it is gone.
pub async fn touch(tx: &mut Tx, person: &BeneficiaryName) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE beneficiary SET revision = revision + 1 WHERE operator_id = $1 AND beneficiary_id = $2",
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), 1)
}

/// Adds a merge, and what moved with it: kind and id of each record.
pub async fn insert(
    tx: &mut Tx,
    merge: &Merge,
    records: &[(&'static str, Uuid)],
) -> Result<(), Error> {
    let operator = merge.name.operator.uuid();
    let id = merge.name.beneficiary_merge.uuid();
    sqlx::query!(
        "INSERT INTO beneficiary_merge
             (operator_id, merge_id, survivor_id, duplicate_id, reason, state, is_used, identity_given, entitlements,
              steps, notes, referrals, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        operator,
        id,
        merge.survivor.beneficiary.uuid(),
        merge.duplicate.beneficiary.uuid(),
        merge.reason.code(),
        merge.state.code(),
        merge.is_used,
        merge.identity_given,
        merge.moved.entitlements,
        merge.moved.steps,
        merge.moved.notes,
        merge.moved.referrals,
        merge.revision,
        merge.create_time,
        merge.update_time
    )
    .execute(tx.conn())
    .await?;
    let kinds: Vec<&str> = records.iter().map(|(kind, _)| *kind).collect();
    let ids: Vec<Uuid> = records.iter().map(|(_, id)| *id).collect();
    sqlx::query!(
        "INSERT INTO merged_record (operator_id, merge_id, kind, record_id)
         SELECT $1, $2, new.kind, new.id FROM UNNEST($3::text[], $4::uuid[]) AS new (kind, id)",
        operator,
        id,
        &kinds as &[&str],
        &ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What moved with a merge.
pub async fn moved(tx: &mut Tx, name: &BeneficiaryMergeName) -> Result<Vec<(String, Uuid)>, Error> {
    let rows = sqlx::query!(
        "SELECT kind, record_id FROM merged_record WHERE operator_id = $1 AND merge_id = $2 ORDER BY kind, record_id",
        name.operator.uuid(),
        name.beneficiary_merge.uuid()
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.kind, row.record_id))
        .collect())
}

/// How things stand when a merge is to be undone.
pub async fn standing(tx: &mut Tx, merge: &Merge) -> Result<Standing, Error> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $3) AS "survivor!",
                  NOT EXISTS (
                      SELECT FROM merged_record AS moved
                      WHERE moved.operator_id = $1 AND moved.merge_id = $2 AND NOT CASE moved.kind
                          WHEN 'ENTITLEMENT' THEN EXISTS (
                              SELECT FROM entitlement WHERE operator_id = $1 AND entitlement_id = moved.record_id
                                                        AND beneficiary_id = $3)
                          WHEN 'STEP' THEN EXISTS (
                              SELECT FROM step WHERE operator_id = $1 AND step_id = moved.record_id
                                                 AND beneficiary_id = $3)
                          WHEN 'NOTE' THEN EXISTS (
                              -- What it says is sealed under the key of whom it was written on, still.
                              SELECT FROM note LEFT JOIN note_text AS text USING (operator_id, note_id)
                              WHERE note.operator_id = $1 AND note.note_id = moved.record_id
                                AND note.beneficiary_id = $3 AND text.beneficiary_id IS DISTINCT FROM $3)
                          ELSE true END
                  ) AS "records!",
                  -- One that was taken back and given anew is at its first revision too, of a later day.
                  NOT $4 OR coalesce((SELECT revision = 1 AND create_time = $5 FROM identity
                                      WHERE operator_id = $1 AND beneficiary_id = $3), false) AS "identity!""#,
        merge.name.operator.uuid(),
        merge.name.beneficiary_merge.uuid(),
        merge.survivor.beneficiary.uuid(),
        merge.identity_given,
        merge.create_time
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Standing {
        survivor_stands: row.survivor,
        records_stand: row.records,
        identity_stands: row.identity,
    })
}

/// Says that something was stored under the references of these duplicates, and holds their merges until the transaction
/// ends. Conflict when one was undone, or erased, since the references were led on: what was stored is then in the wrong
/// place.
pub async fn mark_used(tx: &mut Tx, operator: OperatorId, merges: &[Uuid]) -> Result<(), Error> {
    if merges.is_empty() {
        return Ok(());
    }
    // Whoever undoes one holds it: this waits for the end of that, and sees what became of it.
    let standing = sqlx::query_scalar!(
        "SELECT merge_id FROM beneficiary_merge
         WHERE operator_id = $1 AND merge_id = ANY($2) AND state = $3 ORDER BY merge_id FOR NO KEY UPDATE",
        operator.uuid(),
        merges,
        MergeState::Merged.code()
    )
    .all(tx.conn())
    .await?;
    if standing.len() != merges.len() {
        return Err(Error::Conflict(sqlx::Error::RowNotFound));
    }
    sqlx::query!(
        "UPDATE beneficiary_merge SET is_used = true
         WHERE operator_id = $1 AND merge_id = ANY($2) AND NOT is_used",
        operator.uuid(),
        merges
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One merge.
pub async fn get(tx: &mut Tx, name: &BeneficiaryMergeName) -> Result<Option<Merge>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM beneficiary_merge WHERE operator_id = $1 AND merge_id = $2",
        name.operator.uuid(),
        name.beneficiary_merge.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Merge::try_from).transpose()
}

/// The same, held until the transaction ends.
pub async fn hold(tx: &mut Tx, name: &BeneficiaryMergeName) -> Result<Option<Merge>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM beneficiary_merge WHERE operator_id = $1 AND merge_id = $2 FOR NO KEY UPDATE",
        name.operator.uuid(),
        name.beneficiary_merge.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Merge::try_from).transpose()
}

/// Writes how a merge stands.
pub async fn update(tx: &mut Tx, merge: &Merge) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE beneficiary_merge SET state = $3, revision = $4, update_time = $5
         WHERE operator_id = $1 AND merge_id = $2",
        merge.name.operator.uuid(),
        merge.name.beneficiary_merge.uuid(),
        merge.state.code(),
        merge.revision,
        merge.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Merges that one of these records was in, after an id, in the order they were made.
pub async fn of_persons(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Merge>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM beneficiary_merge
         WHERE operator_id = $1 AND (survivor_id = ANY($2) OR duplicate_id = ANY($2)) AND merge_id > $3
         ORDER BY merge_id LIMIT $4",
        operator.uuid(),
        persons,
        after.unwrap_or_default(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Merge::try_from).collect()
}

struct Row {
    operator_id: Uuid,
    merge_id: Uuid,
    survivor_id: Uuid,
    duplicate_id: Uuid,
    reason: String,
    state: String,
    is_used: bool,
    identity_given: bool,
    entitlements: i32,
    steps: i32,
    notes: i32,
    referrals: i32,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Merge {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let operator = OperatorId::from_uuid(row.operator_id);
        let person = |id| BeneficiaryName {
            operator,
            beneficiary: BeneficiaryId::from_uuid(id),
        };
        Ok(Self {
            name: BeneficiaryMergeName {
                operator,
                beneficiary_merge: BeneficiaryMergeId::from_uuid(row.merge_id),
            },
            survivor: person(row.survivor_id),
            duplicate: person(row.duplicate_id),
            reason: MergeReason::from_code(&row.reason).ok_or_else(|| damaged("reason"))?,
            state: MergeState::from_code(&row.state).ok_or_else(|| damaged("state"))?,
            is_used: row.is_used,
            identity_given: row.identity_given,
            moved: Moved {
                entitlements: row.entitlements,
                steps: row.steps,
                notes: row.notes,
                referrals: row.referrals,
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
