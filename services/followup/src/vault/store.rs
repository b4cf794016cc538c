//! SQL of persons' keys.

use std::collections::HashMap;

use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, OperatorId};
use nonrecours_pg::{All as _, Tx};
use uuid::Uuid;

use super::{
    KeyRing,
    seal::{PersonKey, Wrapped},
};
use crate::{error::Error, record::only_all};

/// The keys of persons whose records are about to be sealed: those they have, else new ones. Nobody erases them until
/// the transaction ends. Conflict when another transaction has just made one of them.
pub async fn for_sealing(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    persons: &[BeneficiaryId],
) -> Result<HashMap<BeneficiaryId, PersonKey>, Error> {
    let mut ids: Vec<Uuid> = persons.iter().map(|person| person.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = sqlx::query!(
        "SELECT beneficiary_id, key_id, wrapped FROM person_key
         WHERE operator_id = $1 AND beneficiary_id = ANY($2) ORDER BY beneficiary_id FOR SHARE",
        operator.uuid(),
        &ids
    )
    .all(tx.conn())
    .await
    .map_err(nonrecours_pg::Error::from)?;
    let mut keys = HashMap::with_capacity(ids.len());
    for row in rows {
        let beneficiary = BeneficiaryId::from_uuid(row.beneficiary_id);
        let wrapped = Wrapped {
            key_id: row.key_id,
            bytes: row.wrapped,
        };
        let person = BeneficiaryName {
            operator,
            beneficiary,
        };
        keys.insert(beneficiary, ring.unwrap(&person, &wrapped)?);
    }
    let (mut new, mut wrapped) = (Vec::new(), Vec::new());
    for beneficiary in ids.into_iter().map(BeneficiaryId::from_uuid) {
        if keys.contains_key(&beneficiary) {
            continue;
        }
        let key = PersonKey::generate()?;
        let person = BeneficiaryName {
            operator,
            beneficiary,
        };
        new.push(beneficiary.uuid());
        wrapped.push(ring.wrap(&person, &key)?.bytes);
        keys.insert(beneficiary, key);
    }
    insert(tx, operator, ring.wraps_with(), &new, &wrapped).await?;
    Ok(keys)
}

async fn insert(
    tx: &mut Tx,
    operator: OperatorId,
    key_id: &str,
    persons: &[Uuid],
    wrapped: &[Vec<u8>],
) -> Result<(), nonrecours_pg::Error> {
    if persons.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO person_key (operator_id, beneficiary_id, key_id, wrapped, create_time)
         SELECT $1, new.id, $2, new.wrapped, $3
         FROM UNNEST($4::uuid[], $5::bytea[]) AS new (id, wrapped)
         ON CONFLICT (operator_id, beneficiary_id) DO NOTHING",
        operator.uuid(),
        key_id,
        now,
        persons,
        wrapped
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), persons.len())
}

/// A person's key under the key of the ring that wraps it.
pub struct Kept {
    /// Whose.
    pub person: BeneficiaryName,
    /// The key.
    pub wrapped: Wrapped,
}

/// Keys that these keys of the ring wrap, at most `limit`, held until the transaction ends; those that others hold are
/// passed over.
pub async fn wrapped_by(
    tx: &mut Tx,
    key_ids: &[&str],
    limit: i64,
) -> Result<Vec<Kept>, nonrecours_pg::Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, beneficiary_id, key_id, wrapped FROM person_key WHERE key_id = ANY($1)
         ORDER BY key_id, operator_id, beneficiary_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
        key_ids as &[&str],
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Kept {
            person: BeneficiaryName {
                operator: OperatorId::from_uuid(row.operator_id),
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            wrapped: Wrapped {
                key_id: row.key_id,
                bytes: row.wrapped,
            },
        })
        .collect())
}

/// Writes keys wrapped anew.
pub async fn rewrap(tx: &mut Tx, keys: &[Kept]) -> Result<(), nonrecours_pg::Error> {
    let of = |id: fn(&BeneficiaryName) -> Uuid| -> Vec<Uuid> {
        keys.iter().map(|key| id(&key.person)).collect()
    };
    let key_ids: Vec<&str> = keys.iter().map(|key| key.wrapped.key_id.as_str()).collect();
    let wrapped: Vec<&[u8]> = keys
        .iter()
        .map(|key| key.wrapped.bytes.as_slice())
        .collect();
    let done = sqlx::query!(
        "UPDATE person_key AS old SET key_id = new.key_id, wrapped = new.wrapped
         FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::bytea[]) AS new (operator_id, beneficiary_id, key_id, wrapped)
         WHERE old.operator_id = new.operator_id AND old.beneficiary_id = new.beneficiary_id",
        &of(|person| person.operator.uuid()),
        &of(|person| person.beneficiary.uuid()),
        &key_ids as &[&str],
        &wrapped as &[&[u8]]
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), keys.len())
}

/// Ids of the keys that wrap a person's key.
pub async fn in_use(tx: &mut Tx) -> Result<Vec<String>, nonrecours_pg::Error> {
    // Each found by one step in the index of what a key wraps: persons are many, keys few.
    let ids = sqlx::query_scalar!(
        r#"WITH RECURSIVE used AS (
               SELECT min(key_id) AS key_id FROM person_key
               UNION ALL
               SELECT (SELECT min(key_id) FROM person_key WHERE key_id > used.key_id) FROM used
               WHERE used.key_id IS NOT NULL)
           SELECT key_id AS "key_id!" FROM used WHERE key_id IS NOT NULL"#
    )
    .all(tx.conn())
    .await?;
    Ok(ids)
}
