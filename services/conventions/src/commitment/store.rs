//! Commitments in the database.

use nonrecours_kernel::{CommitmentName, ConventionName, Id, IdSource, OperatorId, ProgrammeId};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Commitment, Evidence, REMINDER_BEFORE, State};
use crate::{
    convention::{domain::Convention, terms::Commitment as Worded},
    error::Error,
    stored::damaged,
};

/// Overdue commitments shown with a report, at most; a convention words 50 at most.
const MAX_OVERDUE: i64 = 200;

/// Which commitments are listed.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// One operator's only.
    pub operator: Option<OperatorId>,
    /// One convention's only.
    pub convention: Option<Uuid>,
    /// One programme's only.
    pub programme: Option<ProgrammeId>,
    /// By what is due.
    pub due: Due,
}

/// What is due on a day.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// Whatever is.
    Any,
    /// Late on that day.
    Overdue(Date),
    /// To be reminded of on that day.
    Reminder(Date),
}

impl Due {
    /// Last due date, and first where there is one, of those not done that are listed.
    const fn until_from(self) -> (Option<Date>, Option<Date>) {
        match self {
            Self::Any => (None, None),
            Self::Overdue(today) => (Some(today.saturating_sub(Duration::DAY)), None),
            Self::Reminder(today) => (Some(today.saturating_add(REMINDER_BEFORE)), Some(today)),
        }
    }
}

/// Follows what a convention, or its amendment, coming into force words: one commitment each, due on the indicative end.
pub async fn follow(
    tx: &mut Tx,
    convention: &Convention,
    worded: &[&Worded],
    ids: &IdSource,
) -> Result<(), Error> {
    let made: Vec<Uuid> = worded
        .iter()
        .map(|_| ids.next::<nonrecours_kernel::id::Commitment>().uuid())
        .collect();
    let codes: Vec<&str> = worded.iter().map(|it| it.code.as_str()).collect();
    let texts: Vec<&str> = worded.iter().map(|it| it.text.as_str()).collect();
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO commitment (operator_id, convention_id, commitment_id, code, text, due_date, state, revision,
                                 create_time, update_time)
         SELECT $1, $2, worded.id, worded.code, worded.text, $6, 'PENDING', 1, $7, $7
         FROM UNNEST($3::uuid[], $4::text[], $5::text[]) AS worded (id, code, text)",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        &made,
        &codes as &[&str],
        &texts as &[&str],
        convention.terms.indicative_end,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One commitment. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &CommitmentName) -> Result<Commitment, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM commitment WHERE operator_id = $1 AND convention_id = $2 AND commitment_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.commitment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one commitment and reads it.
pub async fn lock(tx: &mut Tx, name: &CommitmentName) -> Result<Commitment, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM commitment WHERE operator_id = $1 AND convention_id = $2 AND commitment_id = $3 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.commitment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks the commitments of a convention and reads them.
pub async fn lock_all(tx: &mut Tx, convention: &ConventionName) -> Result<Vec<Commitment>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM commitment WHERE operator_id = $1 AND convention_id = $2 ORDER BY commitment_id FOR UPDATE",
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Commitment::try_from)
        .collect::<Result<_, _>>()?)
}

/// Commitments after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Commitment>, Error> {
    let (until, from) = filter.due.until_from();
    let rows = sqlx::query_as!(
        Row,
        "SELECT commitment.* FROM commitment
         JOIN convention USING (operator_id, convention_id)
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR convention_id = $2)
           AND ($3::uuid IS NULL OR commitment_id > $3)
           -- What is due is due under a convention that runs: an ended one asks for nothing more.
           AND ($4::date IS NULL OR (commitment.state IN ('PENDING', 'EVIDENCED') AND due_date <= $4
                                     AND convention.state IN ('IN_FORCE', 'COMPLETED')))
           AND ($5::date IS NULL OR due_date >= $5)
           AND ($6::uuid IS NULL OR programme_id = $6)
         ORDER BY commitment_id LIMIT $7",
        filter.operator.map(OperatorId::uuid),
        filter.convention,
        after,
        until,
        from,
        filter.programme.map(|programme| programme.uuid()),
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Commitment::try_from)
        .collect::<Result<_, _>>()?)
}

/// Commitments of a convention that are late on that day, the longest overdue first, whatever became of the convention.
pub async fn overdue(
    tx: &mut Tx,
    convention: &ConventionName,
    today: Date,
) -> Result<Vec<Commitment>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM commitment
         WHERE operator_id = $1 AND convention_id = $2 AND state IN ('PENDING', 'EVIDENCED') AND due_date < $3
         ORDER BY due_date, commitment_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        today,
        MAX_OVERDUE
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Commitment::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes due date and state of a locked commitment.
pub async fn update(tx: &mut Tx, commitment: &Commitment) -> Result<(), Error> {
    let evidence = commitment.state.evidence();
    let (validated, reopened) = match &commitment.state {
        State::Pending { reopened } => (None, reopened.as_deref()),
        State::Evidenced { .. } | State::Released => (None, None),
        State::Done { time, by, .. } => (Some((*time, by.as_str())), None),
    };
    let (validate_time, validated_by) = validated.unzip();
    let updated = sqlx::query!(
        "UPDATE commitment
         SET due_date = $4, state = $5, evidence_text = $6, evidence_ref = $7, evidence_time = $8, evidence_by = $9,
             validate_time = $10, validated_by = $11, reopen_reason = $12, revision = $13, update_time = $14
         WHERE operator_id = $1 AND convention_id = $2 AND commitment_id = $3",
        commitment.name.operator.uuid(),
        commitment.name.convention.uuid(),
        commitment.name.commitment.uuid(),
        commitment.due,
        commitment.state.as_str(),
        evidence.map(|evidence| evidence.text.as_str()),
        evidence.map(|evidence| evidence.reference.as_str()),
        evidence.map(|evidence| evidence.time),
        evidence.map(|evidence| evidence.by.as_str()),
        validate_time,
        validated_by,
        reopened,
        commitment.revision,
        commitment.update_time
    )
    .execute(tx.conn())
    .await;
    updated?;
    Ok(())
}

/// Whether the convention, as amended, still words a commitment so.
pub async fn is_agreed(tx: &mut Tx, commitment: &Commitment) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM convention, UNNEST(commitment_codes, commitment_texts) AS agreed (code, text)
                          WHERE operator_id = $1 AND convention_id = $2 AND agreed.code = $3 AND agreed.text = $4)
           AS "agreed!""#,
        commitment.name.operator.uuid(),
        commitment.name.convention.uuid(),
        commitment.code,
        commitment.text
    )
    .fetch_one(tx.conn())
    .await?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    commitment_id: Uuid,
    code: String,
    text: String,
    due_date: Date,
    state: String,
    evidence_text: Option<String>,
    evidence_ref: Option<String>,
    evidence_time: Option<OffsetDateTime>,
    evidence_by: Option<String>,
    validate_time: Option<OffsetDateTime>,
    validated_by: Option<String>,
    reopen_reason: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Commitment {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let evidence = (|| {
            Some(Evidence {
                text: row.evidence_text?,
                reference: row.evidence_ref?,
                time: row.evidence_time?,
                by: row.evidence_by?,
            })
        })();
        let validated = row.validate_time.zip(row.validated_by);
        let state = match (row.state.as_str(), evidence, validated) {
            ("PENDING", None, None) => State::Pending {
                reopened: row.reopen_reason,
            },
            ("EVIDENCED", Some(evidence), None) => State::Evidenced { evidence },
            ("DONE", Some(evidence), Some((time, by))) => State::Done { evidence, time, by },
            ("RELEASED", None, None) => State::Released,
            (state, ..) => return Err(damaged(format_args!("a commitment in state {state}"))),
        };
        Ok(Self {
            name: CommitmentName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                commitment: Id::from_uuid(row.commitment_id),
            },
            code: row.code,
            text: row.text,
            due: row.due_date,
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
