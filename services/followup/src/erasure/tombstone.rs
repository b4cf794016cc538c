//! References that lead to nobody any more. Only their digest is kept, under a key of the operator's own that a key of the
//! ring wraps: who holds the database cannot tell which references they were.

use hashbrown::HashSet;
use nonrecours_kernel::{ErasureId, ErasureName, OperatorId};
use nonrecours_pg::{All as _, Error as PgError, Tx};
use uuid::Uuid;

use crate::{
    error::Error,
    record::Reference,
    vault::{ErasureKey, KeyRing, seal::Wrapped},
};

/// Those among these references, of which none is stored, whose persons were erased. Asked after the records were looked
/// for: whoever was erased before that is found here.
pub async fn among(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    references: HashSet<&Reference>,
) -> Result<HashSet<Reference>, Error> {
    if references.is_empty() {
        return Ok(HashSet::new());
    }
    // Most operators have erased nobody yet: they pay for one look.
    let Some(key) = key(tx, ring, operator).await? else {
        return Ok(HashSet::new());
    };
    let digests: Vec<(Vec<u8>, &Reference)> = references
        .into_iter()
        .map(|reference| (key.digest(reference.as_str()).to_vec(), reference))
        .collect();
    let asked: Vec<&[u8]> = digests
        .iter()
        .map(|(digest, _)| digest.as_slice())
        .collect();
    let erased: HashSet<Vec<u8>> = sqlx::query_scalar!(
        "SELECT digest FROM erased_reference WHERE operator_id = $1 AND digest = ANY($2)",
        operator.uuid(),
        &asked as &[&[u8]]
    )
    .all(tx.conn())
    .await
    .map_err(PgError::from)?
    .into_iter()
    .collect();
    Ok(digests
        .into_iter()
        .filter(|(digest, _)| erased.contains(digest))
        .map(|(_, reference)| reference.clone())
        .collect())
}

/// Keeps that these references lead to nobody, each with its erasure.
pub async fn set(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    references: &[(&str, Uuid)],
) -> Result<(), Error> {
    let key = match key(tx, ring, operator).await? {
        Some(key) => key,
        None => make_key(tx, ring, operator).await?,
    };
    let digests: Vec<Vec<u8>> = references
        .iter()
        .map(|(reference, _)| key.digest(reference).to_vec())
        .collect();
    let erasures: Vec<Uuid> = references.iter().map(|(_, erasure)| *erasure).collect();
    sqlx::query!(
        "INSERT INTO erased_reference (operator_id, digest, erasure_id)
         SELECT $1, new.digest, new.erasure FROM UNNEST($2::bytea[], $3::uuid[]) AS new (digest, erasure)",
        operator.uuid(),
        &digests,
        &erasures
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from)?;
    Ok(())
}

/// Lets a reference be used anew; gives the erasure it belonged to, none when it leads somewhere or nowhere.
pub async fn release(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    reference: &Reference,
) -> Result<Option<ErasureName>, Error> {
    let Some(key) = key(tx, ring, operator).await? else {
        return Ok(None);
    };
    let digest = key.digest(reference.as_str());
    let erasure = sqlx::query_scalar!(
        "DELETE FROM erased_reference WHERE operator_id = $1 AND digest = $2 RETURNING erasure_id",
        operator.uuid(),
        &digest[..]
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(PgError::from)?;
    Ok(erasure.map(|erasure| ErasureName {
        operator,
        erasure: ErasureId::from_uuid(erasure),
    }))
}

/// The operator's key, that of a kept journal when the database has none.
pub async fn key_or(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    kept: Wrapped,
) -> Result<ErasureKey, Error> {
    if let Some(key) = key(tx, ring, operator).await? {
        return Ok(key);
    }
    let key = ring.unwrap_erasure_key(operator, &kept)?;
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO erasure_key (operator_id, key_id, wrapped, create_time) VALUES ($1, $2, $3, $4)",
        operator.uuid(),
        kept.key_id,
        kept.bytes,
        now
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from)?;
    Ok(key)
}

/// Makes the digests of these erasures exactly those given, each with its erasure: no more, no fewer.
pub async fn settle(
    tx: &mut Tx,
    operator: OperatorId,
    of: &[Uuid],
    digests: &[(Vec<u8>, Uuid)],
) -> Result<(), Error> {
    let (all, erasures): (Vec<Vec<u8>>, Vec<Uuid>) = digests.iter().cloned().unzip();
    sqlx::query!(
        "DELETE FROM erased_reference WHERE operator_id = $1 AND (erasure_id = ANY($2) OR digest = ANY($3))",
        operator.uuid(),
        of,
        &all
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from)?;
    sqlx::query!(
        "INSERT INTO erased_reference (operator_id, digest, erasure_id)
         SELECT $1, new.digest, new.erasure FROM UNNEST($2::bytea[], $3::uuid[]) AS new (digest, erasure)",
        operator.uuid(),
        &all,
        &erasures
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from)?;
    Ok(())
}

async fn key(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
) -> Result<Option<ErasureKey>, Error> {
    let row = sqlx::query!(
        "SELECT key_id, wrapped FROM erasure_key WHERE operator_id = $1",
        operator.uuid()
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(PgError::from)?;
    let Some(row) = row else { return Ok(None) };
    let wrapped = Wrapped {
        key_id: row.key_id,
        bytes: row.wrapped,
    };
    Ok(Some(ring.unwrap_erasure_key(operator, &wrapped)?))
}

/// Conflict when another transaction has just made it: the request may be sent again.
async fn make_key(tx: &mut Tx, ring: &KeyRing, operator: OperatorId) -> Result<ErasureKey, Error> {
    let key = ErasureKey::generate()?;
    let wrapped = ring.wrap_erasure_key(operator, &key)?;
    let now = tx.now();
    let made = sqlx::query!(
        "INSERT INTO erasure_key (operator_id, key_id, wrapped, create_time) VALUES ($1, $2, $3, $4)
         ON CONFLICT (operator_id) DO NOTHING",
        operator.uuid(),
        wrapped.key_id,
        wrapped.bytes,
        now
    )
    .execute(tx.conn())
    .await
    .map_err(PgError::from)?;
    crate::record::only_all(made.rows_affected(), 1)?;
    Ok(key)
}

/// Ids of the keys that wrap a key of erasures: there is one an operator at most.
pub async fn keys_in_use(tx: &mut Tx) -> Result<Vec<String>, PgError> {
    Ok(
        sqlx::query_scalar!("SELECT DISTINCT key_id FROM erasure_key")
            .all(tx.conn())
            .await?,
    )
}

/// Wraps under the newest key what these keys of the ring wrap, at most `limit`; says how many. Those that others hold
/// are passed over.
pub async fn rewrap(tx: &mut Tx, ring: &KeyRing, limit: i64) -> Result<usize, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, key_id, wrapped FROM erasure_key WHERE key_id = ANY($1)
         ORDER BY operator_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
        &ring.older() as &[&str],
        limit
    )
    .all(tx.conn())
    .await
    .map_err(PgError::from)?;
    let rewrapped = rows.len();
    for row in rows {
        let operator = OperatorId::from_uuid(row.operator_id);
        let wrapped = Wrapped {
            key_id: row.key_id,
            bytes: row.wrapped,
        };
        let key = ring.unwrap_erasure_key(operator, &wrapped)?;
        let wrapped = ring.wrap_erasure_key(operator, &key)?;
        sqlx::query!(
            "UPDATE erasure_key SET key_id = $2, wrapped = $3 WHERE operator_id = $1",
            operator.uuid(),
            wrapped.key_id,
            wrapped.bytes
        )
        .execute(tx.conn())
        .await
        .map_err(PgError::from)?;
    }
    Ok(rewrapped)
}
