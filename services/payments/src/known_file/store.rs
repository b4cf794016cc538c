//! Files of `conventions` in the database.

use nonrecours_kernel::Digest;
use nonrecours_pg::{Error, Tx};

use super::FileName;

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Its name as people see it.
    pub file_name: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Whether it counts no more.
    pub withdrawn: bool,
}

/// Learns of a file. Once withdrawn it stays so, whatever comes late.
pub async fn learn(tx: &mut Tx, name: &FileName, file: &KnownFile) -> Result<(), Error> {
    let convention = name.convention();
    sqlx::query!(
        "INSERT INTO known_file (operator_id, convention_id, file_id, collection, file_name, sha256, withdrawn)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (operator_id, convention_id, file_id)
         DO UPDATE SET withdrawn = known_file.withdrawn OR excluded.withdrawn",
        convention.operator.uuid(),
        convention.convention.uuid(),
        name.id(),
        name.collection(),
        file.file_name,
        file.digest.as_bytes(),
        file.withdrawn
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is known of a file; nothing while its change is still on its way.
pub async fn get(tx: &mut Tx, name: &FileName) -> Result<Option<KnownFile>, Error> {
    let convention = name.convention();
    let row = sqlx::query!(
        "SELECT file_name, sha256, withdrawn FROM known_file
         WHERE operator_id = $1 AND convention_id = $2 AND file_id = $3 AND collection = $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        name.id(),
        name.collection()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(KnownFile {
            file_name: row.file_name,
            digest: digest(&row.sha256)
                .ok_or_else(|| Error::Damaged(format!("the digest of {name}")))?,
            withdrawn: row.withdrawn,
        })
    })
    .transpose()
}

/// A digest as the database has it.
pub fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}
