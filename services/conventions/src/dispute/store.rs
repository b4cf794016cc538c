//! Disputes in the database.

use nonrecours_kernel::{ConventionName, DisputeName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Dated, Dispute, Steps};
use crate::{
    convention::party::Party,
    error::Error,
    stored::{damaged, one_of},
};

/// Adds one.
pub async fn insert(tx: &mut Tx, dispute: &Dispute) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO dispute (operator_id, convention_id, dispute_id, party, subject, open_date, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        dispute.name.operator.uuid(),
        dispute.name.convention.uuid(),
        dispute.name.dispute.uuid(),
        dispute.party.as_str(),
        dispute.subject,
        dispute.opened,
        dispute.state(),
        dispute.revision,
        dispute.create_time,
        dispute.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads one. Refuses one that does not exist. Whoever writes one has locked its convention.
pub async fn get(tx: &mut Tx, name: &DisputeName) -> Result<Dispute, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM dispute WHERE operator_id = $1 AND convention_id = $2 AND dispute_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.dispute.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes how far one has come.
pub async fn update(tx: &mut Tx, dispute: &Dispute) -> Result<(), Error> {
    let day = |step: Option<&Dated>| step.map(|step| step.on);
    let what = |step: Option<&Dated>| step.map(|step| step.what.clone());
    sqlx::query!(
        "UPDATE dispute SET state = $4, amicable_date = $5, amicable_step = $6, referral_date = $7, court = $8, close_date = $9, outcome = $10, revision = $11, update_time = $12
         WHERE operator_id = $1 AND convention_id = $2 AND dispute_id = $3",
        dispute.name.operator.uuid(),
        dispute.name.convention.uuid(),
        dispute.name.dispute.uuid(),
        dispute.state(),
        day(dispute.amicable()),
        what(dispute.amicable()),
        day(dispute.referral()),
        what(dispute.referral()),
        day(dispute.ending.as_ref()),
        what(dispute.ending.as_ref()),
        dispute.revision,
        dispute.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Dispute>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM dispute
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR dispute_id > $3)
         ORDER BY dispute_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Dispute::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    dispute_id: Uuid,
    party: String,
    subject: String,
    open_date: Date,
    state: String,
    amicable_date: Option<Date>,
    amicable_step: Option<String>,
    referral_date: Option<Date>,
    court: Option<String>,
    close_date: Option<Date>,
    outcome: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Dispute {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let name = DisputeName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
            dispute: Id::from_uuid(row.dispute_id),
        };
        let dated = |on: Option<Date>, what: Option<String>| {
            Some(Dated {
                on: on?,
                what: what?,
            })
        };
        let amicable = dated(row.amicable_date, row.amicable_step);
        let steps = match (amicable, dated(row.referral_date, row.court)) {
            (None, None) => Steps::None,
            (Some(amicable), None) => Steps::Amicable(amicable),
            (Some(amicable), Some(referral)) => Steps::InCourt { amicable, referral },
            (None, Some(_)) => return Err(damaged(name)),
        };
        let dispute = Self {
            name,
            party: one_of(&Party::ALL, Party::as_str, &row.party)?,
            subject: row.subject,
            opened: row.open_date,
            steps,
            ending: dated(row.close_date, row.outcome),
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        };
        if dispute.state() == row.state {
            Ok(dispute)
        } else {
            Err(damaged(name))
        }
    }
}
