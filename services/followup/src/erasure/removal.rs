//! SQL of what goes with a person who is erased.

use nonrecours_kernel::{BeneficiaryId, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

use crate::record::Reference;

/// A person about to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Id of the record.
    pub id: BeneficiaryId,
    /// The operator's own reference of it.
    pub reference: Reference,
    /// Its revision.
    pub revision: i64,
}

/// Holds persons of an operator until the transaction ends, in the order of their ids: nobody writes about them
/// meanwhile. Those that are not there any more are left out.
pub async fn lock(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[BeneficiaryId],
) -> Result<Vec<Person>, Error> {
    let persons: Vec<Uuid> = persons.iter().map(|person| person.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT beneficiary_id, external_reference, revision FROM beneficiary
         WHERE operator_id = $1 AND beneficiary_id = ANY($2) ORDER BY beneficiary_id FOR UPDATE",
        operator.uuid(),
        &persons
    )
    .all(tx.conn())
    .await?;
    let persons = rows.into_iter().map(|row| Person {
        id: BeneficiaryId::from_uuid(row.beneficiary_id),
        reference: Reference::stored(row.external_reference),
        revision: row.revision,
    });
    Ok(persons.collect())
}

/// A duplicate that was merged into a person.
pub struct Aside {
    /// The person that it leads to.
    pub into: BeneficiaryId,
    /// The duplicate.
    pub person: Person,
}

/// The duplicates that were merged into these persons, by whichever merges.
pub async fn aside(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<Vec<Aside>, Error> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE led (into_id, beneficiary_id, external_reference, revision) AS (
               SELECT survivor_id, beneficiary_id, external_reference, revision FROM merged_beneficiary
               WHERE operator_id = $1 AND survivor_id = ANY($2)
               UNION
               SELECT led.into_id, next.beneficiary_id, next.external_reference, next.revision
               FROM led JOIN merged_beneficiary AS next
                 ON next.operator_id = $1 AND next.survivor_id = led.beneficiary_id
           )
           SELECT into_id AS "into_id!", beneficiary_id AS "beneficiary_id!",
                  external_reference AS "external_reference!", revision AS "revision!"
           FROM led ORDER BY 2"#,
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    let aside = rows.into_iter().map(|row| Aside {
        into: BeneficiaryId::from_uuid(row.into_id),
        person: Person {
            id: BeneficiaryId::from_uuid(row.beneficiary_id),
            reference: Reference::stored(row.external_reference),
            revision: row.revision,
        },
    });
    Ok(aside.collect())
}

/// The merges that one of these persons was in, with their revisions.
pub async fn merges(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<Vec<(Uuid, i64)>, Error> {
    let rows = sqlx::query!(
        "SELECT merge_id, revision FROM beneficiary_merge
         WHERE operator_id = $1 AND (survivor_id = ANY($2) OR duplicate_id = ANY($2)) ORDER BY merge_id",
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.merge_id, row.revision))
        .collect())
}

/// Removes merges with what they put aside.
pub async fn delete_merges(
    tx: &mut Tx,
    operator: OperatorId,
    merges: &[Uuid],
) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM merged_record WHERE operator_id = $1 AND merge_id = ANY($2)",
        operator.uuid(),
        merges
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM merged_beneficiary WHERE operator_id = $1 AND merge_id = ANY($2)",
        operator.uuid(),
        merges
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM beneficiary_merge WHERE operator_id = $1 AND merge_id = ANY($2)",
        operator.uuid(),
        merges
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A record that hangs on a person.
pub struct Held {
    /// On whom.
    pub beneficiary: Uuid,
    /// Its id.
    pub id: Uuid,
    /// Its revision.
    pub revision: i64,
    /// What it is.
    pub kind: Kind,
}

/// What hangs on a person.
pub enum Kind {
    /// A right.
    Entitlement,
    /// An act of support.
    Step,
    /// A note.
    Note,
    /// An alert about one of their rights.
    RenewalAlert,
    /// A referral.
    Referral {
        /// The operator that received it.
        recipient: Option<OperatorId>,
    },
    /// A legal hold.
    LegalHold,
    /// A notice before an erasure.
    RetentionNotice,
}

impl Kind {
    /// Its name where records of all kinds stand together.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Entitlement => "ENTITLEMENT",
            Self::Step => "STEP",
            Self::Note => "NOTE",
            Self::RenewalAlert => "RENEWAL_ALERT",
            Self::Referral { .. } => "REFERRAL",
            Self::LegalHold => "LEGAL_HOLD",
            Self::RetentionNotice => "RETENTION_NOTICE",
        }
    }
}

/// Whatever hangs on these persons, in a fixed order.
pub async fn records_of(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
) -> Result<Vec<Held>, Error> {
    let rows = sqlx::query!(
        r#"WITH person AS (
               SELECT operator_id, convention_id, beneficiary_id FROM beneficiary
               WHERE operator_id = $1 AND beneficiary_id = ANY($2)
           ), claim AS (
               SELECT beneficiary_id, entitlement_id, revision FROM person
               JOIN entitlement USING (operator_id, convention_id, beneficiary_id)
           )
           SELECT 1 AS "kind!", beneficiary_id AS "beneficiary_id!", entitlement_id AS "id!", revision AS "revision!",
                  NULL::uuid AS recipient_id
           FROM claim
           UNION ALL
           SELECT 2, beneficiary_id, step_id, revision, NULL FROM person
           JOIN step USING (operator_id, convention_id, beneficiary_id)
           UNION ALL
           SELECT 3, beneficiary_id, note_id, revision, NULL FROM person
           JOIN note USING (operator_id, convention_id, beneficiary_id)
           UNION ALL
           SELECT 4, claim.beneficiary_id, alert_id, alert.revision, NULL FROM claim
           JOIN renewal_alert AS alert ON alert.operator_id = $1 AND alert.entitlement_id = claim.entitlement_id
           UNION ALL
           SELECT 5, beneficiary_id, referral_id, revision, recipient_id FROM person
           JOIN referral USING (operator_id, beneficiary_id)
           UNION ALL
           SELECT 6, beneficiary_id, hold_id, revision, NULL FROM person
           JOIN legal_hold USING (operator_id, beneficiary_id)
           UNION ALL
           SELECT 7, beneficiary_id, notice_id, revision, NULL FROM person
           JOIN retention_notice USING (operator_id, beneficiary_id)
           ORDER BY 1, 3"#,
        operator.uuid(),
        persons
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = match row.kind {
                1 => Kind::Entitlement,
                2 => Kind::Step,
                3 => Kind::Note,
                4 => Kind::RenewalAlert,
                6 => Kind::LegalHold,
                7 => Kind::RetentionNotice,
                _ => Kind::Referral {
                    recipient: row.recipient_id.map(OperatorId::from_uuid),
                },
            };
            Ok(Held {
                beneficiary: row.beneficiary_id,
                id: row.id,
                revision: row.revision,
                kind,
            })
        })
        .collect()
}

/// Removes persons with whatever hangs on them, the keys of what was sealed for them included.
pub async fn delete(tx: &mut Tx, operator: OperatorId, persons: &[Uuid]) -> Result<(), Error> {
    // What refers to something goes before it.
    sqlx::query!(
        "DELETE FROM note_text AS text USING note, beneficiary AS person
         WHERE person.operator_id = $1 AND person.beneficiary_id = ANY($2) AND note.operator_id = person.operator_id
           AND note.convention_id = person.convention_id AND note.beneficiary_id = person.beneficiary_id
           AND text.operator_id = note.operator_id AND text.note_id = note.note_id",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM note USING beneficiary AS person
         WHERE person.operator_id = $1 AND person.beneficiary_id = ANY($2) AND note.operator_id = person.operator_id
           AND note.convention_id = person.convention_id AND note.beneficiary_id = person.beneficiary_id",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM step USING beneficiary AS person
         WHERE person.operator_id = $1 AND person.beneficiary_id = ANY($2) AND step.operator_id = person.operator_id
           AND step.convention_id = person.convention_id AND step.beneficiary_id = person.beneficiary_id",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM renewal_alert AS alert USING entitlement AS claim, beneficiary AS person
         WHERE person.operator_id = $1 AND person.beneficiary_id = ANY($2) AND claim.operator_id = person.operator_id
           AND claim.convention_id = person.convention_id AND claim.beneficiary_id = person.beneficiary_id
           AND alert.operator_id = claim.operator_id AND alert.entitlement_id = claim.entitlement_id",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM entitlement AS claim USING beneficiary AS person
         WHERE person.operator_id = $1 AND person.beneficiary_id = ANY($2) AND claim.operator_id = person.operator_id
           AND claim.convention_id = person.convention_id AND claim.beneficiary_id = person.beneficiary_id",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM referral WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM legal_hold WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM retention_notice WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM identity WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM person_key WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM beneficiary WHERE operator_id = $1 AND beneficiary_id = ANY($2)",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Empties what the history and the feed show of these resources. That something happened, when and by whom, stays.
pub async fn empty_history(tx: &mut Tx, resources: &[(OperatorId, &str)]) -> Result<(), Error> {
    let operators: Vec<Uuid> = resources.iter().map(|(of, _)| of.uuid()).collect();
    let names: Vec<&str> = resources.iter().map(|(_, name)| *name).collect();
    sqlx::query!(
        "UPDATE outbox SET snapshot = '', why = ''
         FROM UNNEST($1::uuid[], $2::text[]) AS gone (operator_id, resource)
         WHERE outbox.operator_id = gone.operator_id AND outbox.resource = gone.resource",
        &operators,
        &names as &[&str]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets the answers kept for requests sent again that name one of these resources. A few thousand at most are kept
/// ([`nonrecours_pg::REPLAY_RETENTION`]): pushes keep none.
pub async fn forget_answers(tx: &mut Tx, resources: &[Uuid]) -> Result<(), Error> {
    let ids: Vec<String> = resources.iter().map(Uuid::to_string).collect();
    sqlx::query!(
        "DELETE FROM request_replay
         WHERE EXISTS (SELECT FROM UNNEST($1::text[]) AS gone (id)
                       WHERE position(convert_to(gone.id, 'UTF8') IN response) > 0)",
        &ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what would be answered to batches sent again that tells of these words: ids, and references of the operator. Its
/// stream then goes on from an earlier batch, which changes nothing.
pub async fn forget_batches(
    tx: &mut Tx,
    operator: OperatorId,
    words: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM push_batch
         WHERE operator_id = $1
           AND EXISTS (SELECT FROM UNNEST($2::text[]) AS gone (word)
                       WHERE position(convert_to(gone.word, 'UTF8') IN answer) > 0)",
        operator.uuid(),
        words
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
