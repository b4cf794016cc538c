//! What a batch stands on, in one look.

use nonrecours_kernel::ConventionName;
use nonrecours_pg::{Error, Tx};

/// The convention of a batch, and whether there is anything to ask about references that lead to no record: most operators
/// have merged and erased nobody yet.
pub struct Ground {
    /// Whether the convention is in force; `None` when it is unknown.
    pub in_force: Option<bool>,
    /// References may lead to the survivor of a merge.
    pub merges: bool,
    /// References may be of persons who were erased.
    pub erasures: bool,
}

impl Ground {
    /// To be asked for after the records were looked for: whoever was merged or erased before that is noticed here. The
    /// convention stays as it is until the transaction ends, and no limit of processing begins for a person of the operator
    /// ([`limit`](crate::subject_request::limit)); batches do not wait for each other.
    pub async fn hold(tx: &mut Tx, name: &ConventionName) -> Result<Self, Error> {
        let row = sqlx::query!(
            r#"SELECT in_force,
                      EXISTS (SELECT FROM merged_beneficiary WHERE operator_id = $1) AS "merges!",
                      EXISTS (SELECT FROM erasure_key WHERE operator_id = $1) AS "erasures!",
                      pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 0))::text AS "held!"
               FROM convention WHERE operator_id = $1 AND convention_id = $2 FOR SHARE"#,
            name.operator.uuid(),
            name.convention.uuid()
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(match row {
            Some(row) => Self {
                in_force: Some(row.in_force),
                merges: row.merges,
                erasures: row.erasures,
            },
            None => Self {
                in_force: None,
                merges: false,
                erasures: false,
            },
        })
    }
}
