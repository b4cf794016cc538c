//! SQL of identities and pseudonyms.

use std::collections::HashMap;

use nonrecours_kernel::{BeneficiaryId, BeneficiaryIdentityName, BeneficiaryName, OperatorId};
use nonrecours_pg::{All as _, Error as PgError, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::Identity;
use crate::{
    error::Error,
    record::only_all,
    vault::{KeyRing, Label, SealError, seal::Wrapped, store as keys},
};

/// An identity as it is stored, with what opens it.
pub struct Sealed {
    /// Whose.
    pub person: BeneficiaryName,
    wrapped: Wrapped,
    sealed: Vec<u8>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was first stored.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

impl Sealed {
    /// Who the person is.
    pub fn open(&self, ring: &KeyRing) -> Result<Identity, SealError> {
        let key = ring.unwrap(&self.person, &self.wrapped)?;
        let record = self.person.beneficiary.uuid();
        let bytes = key.open(Label::Identity, &self.person, record, &self.sealed)?;
        Identity::from_bytes(&bytes).ok_or(SealError::Altered)
    }
}

struct Row {
    operator_id: Uuid,
    beneficiary_id: Uuid,
    key_id: String,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl From<Row> for Sealed {
    fn from(row: Row) -> Self {
        Self {
            person: BeneficiaryName {
                operator: OperatorId::from_uuid(row.operator_id),
                beneficiary: BeneficiaryId::from_uuid(row.beneficiary_id),
            },
            wrapped: Wrapped {
                key_id: row.key_id,
                bytes: row.wrapped,
            },
            sealed: row.sealed,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        }
    }
}

/// One identity; none when its key has been erased.
pub async fn get(tx: &mut Tx, name: &BeneficiaryIdentityName) -> Result<Option<Sealed>, PgError> {
    let person = name.parent();
    // That of a merged duplicate stays sealed, and is nobody's for now.
    let exists = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = $2) AS "exists!""#,
        person.operator.uuid(),
        person.beneficiary.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    if !exists {
        return Ok(None);
    }
    let mut found = held(tx, person.operator, &[person.beneficiary]).await?;
    Ok(found.remove(&person.beneficiary))
}

/// The identities held of these persons.
pub async fn held(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[BeneficiaryId],
) -> Result<HashMap<BeneficiaryId, Sealed>, PgError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, beneficiary_id, key.key_id, key.wrapped, identity.sealed, identity.revision,
                identity.create_time, identity.update_time
         FROM identity JOIN person_key AS key USING (operator_id, beneficiary_id)
         WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        &uuids(persons)
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Sealed::from)
        .map(|sealed| (sealed.person.beneficiary, sealed))
        .collect())
}

/// Seals and stores identities in the place of those held, with their pseudonyms. The persons' own rows are held by
/// the transaction.
pub async fn write(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    identities: &[(BeneficiaryId, &Identity)],
) -> Result<(), Error> {
    if identities.is_empty() {
        return Ok(());
    }
    let persons: Vec<BeneficiaryId> = identities.iter().map(|(person, _)| *person).collect();
    let keys = keys::for_sealing(tx, ring, operator, &persons).await?;
    let mut sealed = Vec::with_capacity(identities.len());
    for (beneficiary, identity) in identities {
        let person = BeneficiaryName {
            operator,
            beneficiary: *beneficiary,
        };
        // There is one for each.
        let key = keys.get(beneficiary).ok_or(SealError::Altered)?;
        let text = identity.to_bytes();
        sealed.push(key.seal(Label::Identity, &person, beneficiary.uuid(), &text)?);
    }
    upsert(tx, operator, &uuids(&persons), &sealed).await?;
    let persons: Vec<_> = identities
        .iter()
        .map(|(person, identity)| (*person, *identity))
        .collect();
    Ok(repseudonymise(tx, ring, operator, &persons).await?)
}

async fn upsert(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
    sealed: &[Vec<u8>],
) -> Result<(), PgError> {
    let now = tx.now();
    let done = sqlx::query!(
        "INSERT INTO identity AS old (operator_id, beneficiary_id, sealed, revision, create_time, update_time)
         SELECT $1, new.id, new.sealed, 1, $2, $2 FROM UNNEST($3::uuid[], $4::bytea[]) AS new (id, sealed)
         ON CONFLICT (operator_id, beneficiary_id) DO UPDATE
         SET sealed = excluded.sealed, revision = old.revision + 1, update_time = excluded.update_time",
        operator.uuid(),
        now,
        persons,
        sealed
    )
    .execute(tx.conn())
    .await?;
    only_all(done.rows_affected(), persons.len())
}

/// Writes the pseudonyms of persons anew, under every live key.
async fn repseudonymise(
    tx: &mut Tx,
    ring: &KeyRing,
    operator: OperatorId,
    identities: &[(BeneficiaryId, &Identity)],
) -> Result<(), PgError> {
    let persons: Vec<Uuid> = identities.iter().map(|(person, _)| person.uuid()).collect();
    sqlx::query!(
        "DELETE FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    let mut new = Pseudonyms::default();
    for (person, identity) in identities {
        new.add(ring, operator, *person, identity);
    }
    new.insert(tx).await
}

/// Rows of pseudonyms, column by column.
#[derive(Default)]
pub struct Pseudonyms {
    operators: Vec<Uuid>,
    persons: Vec<Uuid>,
    key_ids: Vec<String>,
    pseudonyms: Vec<Vec<u8>>,
}

impl Pseudonyms {
    /// Those of a person under every live key; none when not all is known that makes one.
    pub fn add(
        &mut self,
        ring: &KeyRing,
        operator: OperatorId,
        person: BeneficiaryId,
        identity: &Identity,
    ) {
        let Some(traits) = identity.traits() else {
            return;
        };
        for (key_id, pseudonym) in ring.pseudonyms(&traits) {
            self.operators.push(operator.uuid());
            self.persons.push(person.uuid());
            self.key_ids.push(key_id.to_owned());
            self.pseudonyms.push(pseudonym.to_vec());
        }
    }

    /// Stores them; leaves alone those that are there.
    pub async fn insert(self, tx: &mut Tx) -> Result<(), PgError> {
        if self.persons.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO pseudonym (operator_id, beneficiary_id, key_id, pseudonym)
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])
             ON CONFLICT (operator_id, beneficiary_id, key_id) DO NOTHING",
            &self.operators,
            &self.persons,
            &self.key_ids,
            &self.pseudonyms
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// Erases identities and pseudonyms, and the keys under which nothing else is sealed.
pub async fn erase(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[BeneficiaryId],
) -> Result<(), PgError> {
    if persons.is_empty() {
        return Ok(());
    }
    let persons = uuids(persons);
    sqlx::query!(
        "DELETE FROM identity WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM person_key AS key WHERE key.operator_id = $1 AND key.beneficiary_id = ANY($2)
             AND NOT EXISTS (SELECT FROM note_text AS text
                             WHERE text.operator_id = key.operator_id AND text.beneficiary_id = key.beneficiary_id)",
        operator.uuid(),
        &persons
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Identities whose persons have a pseudonym under another key than this one, and none under this one; at most `limit`,
/// held until the transaction ends.
pub async fn without_pseudonym(
    tx: &mut Tx,
    key_id: &str,
    limit: i64,
) -> Result<Vec<Sealed>, PgError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT identity.operator_id, identity.beneficiary_id, key.key_id, key.wrapped, identity.sealed,
                  identity.revision, identity.create_time, identity.update_time
           FROM identity JOIN person_key AS key USING (operator_id, beneficiary_id)
           WHERE EXISTS (SELECT FROM pseudonym AS other
                         WHERE other.operator_id = identity.operator_id
                               AND other.beneficiary_id = identity.beneficiary_id AND other.key_id <> $1)
                 AND NOT EXISTS (SELECT FROM pseudonym AS own
                                 WHERE own.operator_id = identity.operator_id
                                       AND own.beneficiary_id = identity.beneficiary_id AND own.key_id = $1)
           LIMIT $2
           FOR UPDATE OF identity SKIP LOCKED"#,
        key_id,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Sealed::from).collect())
}

/// Whether [`without_pseudonym`] has passed over somebody.
pub async fn lacks_pseudonym(tx: &mut Tx, key_id: &str) -> Result<bool, PgError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM identity
               WHERE EXISTS (SELECT FROM pseudonym AS other
                             WHERE other.operator_id = identity.operator_id
                                   AND other.beneficiary_id = identity.beneficiary_id AND other.key_id <> $1)
                     AND NOT EXISTS (SELECT FROM pseudonym AS own
                                     WHERE own.operator_id = identity.operator_id
                                           AND own.beneficiary_id = identity.beneficiary_id AND own.key_id = $1)
           ) AS "lacks!""#,
        key_id
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Removes pseudonyms under keys that are not live any more, at most `limit`; says how many.
pub async fn retire(tx: &mut Tx, live: &[&str], limit: i64) -> Result<u64, PgError> {
    let done = sqlx::query!(
        "DELETE FROM pseudonym WHERE (operator_id, beneficiary_id, key_id) IN (
             SELECT operator_id, beneficiary_id, key_id FROM pseudonym WHERE key_id <> ALL($1) LIMIT $2)",
        live as &[&str],
        limit
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

fn uuids(persons: &[BeneficiaryId]) -> Vec<Uuid> {
    persons.iter().map(|person| person.uuid()).collect()
}
