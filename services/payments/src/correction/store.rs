//! Corrections in the database.

use std::collections::HashMap;

use nonrecours_kernel::{
    BudgetYear, ConventionId, InstalmentId, InstalmentName, Money, OperatorId, ProgrammeId, SlipId,
    SlipName,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Acceptance, Correction, CorrectionKey, Previous};
use crate::{
    return_file::{KnownOrder, Named, Target},
    slip::{Reason, Slip, Stage},
};

/// What a correction of an instalment's last order starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Version of the posting codes that the order was issued under.
    pub posting_codes_version: i32,
    /// Its last correction.
    pub previous: Option<Previous>,
}

/// Of each of these instalments that has an order: what a correction of the last one starts from.
pub async fn standings(
    tx: &mut Tx,
    instalments: &[InstalmentName],
) -> Result<HashMap<InstalmentName, Standing>, Error> {
    let column =
        |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> { instalments.iter().map(id).collect() };
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (orders.operator_id, orders.convention_id, orders.instalment_id)
                  orders.operator_id, orders.convention_id, orders.instalment_id, posting_codes_version,
                  correction.round AS "round?", correction.piece AS "piece?", correction.state AS "state?"
           FROM slip_order AS orders
           JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (operator_id, convention_id, instalment_id)
                USING (operator_id, convention_id, instalment_id)
           JOIN slip USING (programme_id, slip_id)
           LEFT JOIN slip_correction AS correction
                ON correction.operator_id = orders.operator_id AND correction.convention_id = orders.convention_id
                   AND correction.instalment_id = orders.instalment_id AND correction.attempt = orders.attempt
           ORDER BY orders.operator_id, orders.convention_id, orders.instalment_id, orders.attempt DESC,
                    correction.round DESC NULLS LAST"#,
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid())
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = InstalmentName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
                instalment: InstalmentId::from_uuid(row.instalment_id),
            };
            let previous = match (row.round, row.piece, row.state) {
                (Some(round), Some(piece), Some(state)) => Some(Previous {
                    round,
                    piece,
                    stage: stage(&state).ok_or_else(|| damaged(&name))?,
                }),
                _ => None,
            };
            let standing = Standing {
                posting_codes_version: row.posting_codes_version,
                previous,
            };
            Ok((name, standing))
        })
        .collect()
}

/// Writes the corrections of a slip: a hundred at most.
pub async fn insert(tx: &mut Tx, slip: &Slip) -> Result<(), Error> {
    for (position, correction) in (1_i16..).zip(&slip.corrections) {
        let (instalment, attempt) = &correction.order;
        sqlx::query!(
            "INSERT INTO slip_correction (operator_id, convention_id, instalment_id, attempt, round, programme_id, slip_id,
                                          position, piece, amount, cancels, motive, state, reason_code, reason_text,
                                          call_actor, certification_actor, issue_actor)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
            instalment.operator.uuid(),
            instalment.convention.uuid(),
            instalment.instalment.uuid(),
            attempt,
            correction.round,
            slip.name.programme.uuid(),
            slip.name.slip.uuid(),
            position,
            correction.piece,
            correction.amount.amount(),
            correction.cancels,
            correction.motive,
            correction.stage.code(),
            correction.reason.code,
            correction.reason.text,
            correction.caller,
            correction.certifier,
            correction.issuer
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// The corrections of these slips of a programme, in their order.
pub async fn of_slips(
    tx: &mut Tx,
    programme: ProgrammeId,
    slips: &[Uuid],
) -> Result<Vec<(SlipName, Correction)>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, convention_id, instalment_id, attempt, round, correction.programme_id, correction.slip_id,
                orders.piece AS corrected_piece, correction.piece, correction.amount, cancels, motive, correction.state,
                correction.reason_code, correction.reason_text, call_actor, certification_actor, issue_actor,
                acceptance_actor, acceptance_time
         FROM slip_correction AS correction
              JOIN slip_order AS orders USING (operator_id, convention_id, instalment_id, attempt)
         WHERE correction.programme_id = $1 AND correction.slip_id = ANY ($2)
         ORDER BY correction.slip_id, correction.position",
        programme.uuid(),
        slips
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Row::correction).collect()
}

/// These corrections, each with its slip, in the order of their keys.
pub async fn get(
    tx: &mut Tx,
    keys: &[CorrectionKey],
) -> Result<Vec<(SlipName, Correction)>, Error> {
    let column = |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> {
        keys.iter().map(|((name, _), _)| id(name)).collect()
    };
    let attempts: Vec<i16> = keys.iter().map(|((_, attempt), _)| *attempt).collect();
    let rounds: Vec<i16> = keys.iter().map(|(_, round)| *round).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, convention_id, instalment_id, attempt, round, correction.programme_id, correction.slip_id,
                orders.piece AS corrected_piece, correction.piece, correction.amount, cancels, motive, correction.state,
                correction.reason_code, correction.reason_text, call_actor, certification_actor, issue_actor,
                acceptance_actor, acceptance_time
         FROM slip_correction AS correction
              JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[])
                   AS wanted (operator_id, convention_id, instalment_id, attempt, round)
                   USING (operator_id, convention_id, instalment_id, attempt, round)
              JOIN slip_order AS orders USING (operator_id, convention_id, instalment_id, attempt)
         ORDER BY operator_id, convention_id, instalment_id, attempt, round",
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid()),
        &attempts,
        &rounds
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(Row::correction).collect()
}

/// The corrections of a programme as files name them, the newest slips first: as many as one file can be about.
pub async fn known(
    tx: &mut Tx,
    programme: ProgrammeId,
    limit: i64,
) -> Result<Vec<KnownOrder>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, instalment_id, attempt, round, budget_year, number, piece, file_name
         FROM slip_correction JOIN slip USING (programme_id, slip_id)
         WHERE programme_id = $1
         ORDER BY slip_id DESC, position LIMIT $2",
        programme.uuid(),
        limit
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let instalment = InstalmentName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
                instalment: InstalmentId::from_uuid(row.instalment_id),
            };
            Ok(KnownOrder {
                target: Target::Correction(((instalment, row.attempt), row.round)),
                budget_year: BudgetYear::try_from(row.budget_year)
                    .map_err(|_| damaged(&instalment))?,
                as_named: Named::ByAccountant {
                    slip: row.number,
                    piece: row.piece,
                    file_name: row.file_name,
                },
            })
        })
        .collect()
}

/// Those of these instalments a correction of whose order waits for the accountant, with what it takes off.
pub async fn open(
    tx: &mut Tx,
    instalments: &[InstalmentName],
) -> Result<HashMap<InstalmentName, Money>, Error> {
    let column =
        |id: fn(&InstalmentName) -> Uuid| -> Vec<Uuid> { instalments.iter().map(id).collect() };
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, instalment_id, amount
         FROM slip_correction
         JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (operator_id, convention_id, instalment_id)
              USING (operator_id, convention_id, instalment_id)
         WHERE state IN ('TRANSMITTED', 'ACKNOWLEDGED', 'PENDING')",
        &column(|name| name.operator.uuid()),
        &column(|name| name.convention.uuid()),
        &column(|name| name.instalment.uuid())
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = InstalmentName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
                instalment: InstalmentId::from_uuid(row.instalment_id),
            };
            let amount = Money::try_from(row.amount).map_err(|_| damaged(&name))?;
            Ok((name, amount))
        })
        .collect()
}

/// Writes what has become of a correction, under the lock of its register.
pub async fn update(tx: &mut Tx, correction: &Correction) -> Result<(), Error> {
    let (instalment, attempt) = &correction.order;
    let acceptance = correction.acceptance.as_ref();
    sqlx::query!(
        "UPDATE slip_correction
         SET state = $6, reason_code = $7, reason_text = $8, acceptance_actor = $9, acceptance_time = $10
         WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3 AND attempt = $4 AND round = $5",
        instalment.operator.uuid(),
        instalment.convention.uuid(),
        instalment.instalment.uuid(),
        attempt,
        correction.round,
        correction.stage.code(),
        correction.reason.code,
        correction.reason.text,
        acceptance.map(|acceptance| acceptance.actor.as_str()),
        acceptance.map(|acceptance| acceptance.time)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn stage(code: &str) -> Option<Stage> {
    Stage::ALL.into_iter().find(|stage| stage.code() == code)
}

fn damaged(name: &InstalmentName) -> Error {
    Error::Damaged(format!("a correction of {name}"))
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    instalment_id: Uuid,
    attempt: i16,
    round: i16,
    programme_id: Uuid,
    slip_id: Uuid,
    corrected_piece: i32,
    piece: i32,
    amount: Decimal,
    cancels: bool,
    motive: String,
    state: String,
    reason_code: String,
    reason_text: String,
    call_actor: Option<String>,
    certification_actor: String,
    issue_actor: String,
    acceptance_actor: Option<String>,
    acceptance_time: Option<OffsetDateTime>,
}

impl Row {
    fn correction(self) -> Result<(SlipName, Correction), Error> {
        let instalment = InstalmentName {
            operator: OperatorId::from_uuid(self.operator_id),
            convention: ConventionId::from_uuid(self.convention_id),
            instalment: InstalmentId::from_uuid(self.instalment_id),
        };
        let slip = SlipName {
            programme: ProgrammeId::from_uuid(self.programme_id),
            slip: SlipId::from_uuid(self.slip_id),
        };
        let acceptance = self.acceptance_actor.zip(self.acceptance_time);
        let correction = Correction {
            order: (instalment, self.attempt),
            round: self.round,
            corrected_piece: self.corrected_piece,
            piece: self.piece,
            amount: Money::try_from(self.amount).map_err(|_| damaged(&instalment))?,
            cancels: self.cancels,
            motive: self.motive,
            stage: stage(&self.state).ok_or_else(|| damaged(&instalment))?,
            reason: Reason {
                code: self.reason_code,
                text: self.reason_text,
            },
            caller: self.call_actor,
            certifier: self.certification_actor,
            issuer: self.issue_actor,
            acceptance: acceptance.map(|(actor, time)| Acceptance { actor, time }),
        };
        Ok((slip, correction))
    }
}
