//! Recoveries in the database.

use std::collections::HashMap;

use nonrecours_kernel::{
    BudgetYear, ConventionId, ConventionName, InstalmentId, InstalmentName, Money, OperatorId,
    ProgrammeId, RecoveryId, RecoveryName,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Act, ActKind, Breach, Cause, Notification, Recovery};
use crate::{instalment::Step, payment_plan};

/// The next number of a budget year, whose register is locked: given back with a transaction that fails.
pub async fn next_number(
    tx: &mut Tx,
    programme: ProgrammeId,
    year: BudgetYear,
) -> Result<i32, Error> {
    let row = sqlx::query!(
        "UPDATE slip_register SET last_recovery = last_recovery + 1
         WHERE programme_id = $1 AND budget_year = $2
         RETURNING last_recovery",
        programme.uuid(),
        year.get()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(row.last_recovery)
}

/// The programme of a convention that has a plan, once known.
pub async fn programme(
    tx: &mut Tx,
    convention: &ConventionName,
) -> Result<Option<Option<ProgrammeId>>, Error> {
    let row = sqlx::query!(
        "SELECT programme_id FROM payment_plan WHERE operator_id = $1 AND convention_id = $2",
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.programme_id.map(ProgrammeId::from_uuid)))
}

/// One recovery.
pub async fn get(tx: &mut Tx, name: &RecoveryName) -> Result<Option<Recovery>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, convention_id, recovery_id, programme_id, budget_year, number, cause, amount, issue_date,
                breach_decision, breach_date, breach_kept_amount, breach_remaining_days, breach_period_days,
                issue_actor, issue_actor_name, issue_time,
                notification_date, notification_actor, notification_actor_name, notification_time,
                revision, create_time, update_time
         FROM recovery WHERE operator_id = $1 AND convention_id = $2 AND recovery_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.recovery.uuid()
    )
    .all(tx.conn())
    .await?;
    Ok(with_acts(tx, rows).await?.pop())
}

/// The recoveries of these conventions, oldest first.
pub async fn of(tx: &mut Tx, conventions: &[ConventionName]) -> Result<Vec<Recovery>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query_as!(
        Row,
        "SELECT recovery.operator_id, recovery.convention_id, recovery_id, programme_id, budget_year, number, cause, amount,
                issue_date, breach_decision, breach_date, breach_kept_amount, breach_remaining_days, breach_period_days,
                issue_actor, issue_actor_name, issue_time,
                notification_date, notification_actor, notification_actor_name, notification_time,
                revision, create_time, update_time
         FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
              JOIN recovery USING (operator_id, convention_id)
         ORDER BY recovery_id",
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    with_acts(tx, rows).await
}

/// A page of recoveries, oldest first: those of a convention, or all of the scope.
pub async fn list(
    tx: &mut Tx,
    convention: Option<ConventionName>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Recovery>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT operator_id, convention_id, recovery_id, programme_id, budget_year, number, cause, amount, issue_date,
                breach_decision, breach_date, breach_kept_amount, breach_remaining_days, breach_period_days,
                issue_actor, issue_actor_name, issue_time,
                notification_date, notification_actor, notification_actor_name, notification_time,
                revision, create_time, update_time
         FROM recovery
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR convention_id = $2)
           AND ($3::uuid IS NULL OR recovery_id > $3)
         ORDER BY recovery_id LIMIT $4",
        convention.map(|name| name.operator.uuid()),
        convention.map(|name| name.convention.uuid()),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    with_acts(tx, rows).await
}

/// Writes an issued recovery.
pub async fn insert(tx: &mut Tx, recovery: &Recovery) -> Result<(), Error> {
    let breach = match &recovery.cause {
        Cause::RepublicanCommitment(breach) => Some(breach),
        Cause::Termination | Cause::Overpayment | Cause::Decision => None,
    };
    let too_long = |_| Error::Damaged(format!("the period of {}", recovery.name));
    let count = |days: fn(&Breach) -> u32| {
        let days = breach.map(|breach| i32::try_from(days(breach)));
        days.transpose().map_err(too_long)
    };
    sqlx::query!(
        "INSERT INTO recovery (operator_id, convention_id, recovery_id, programme_id, budget_year, number, cause, amount,
                               issue_date, breach_decision, breach_date, breach_kept_amount, breach_remaining_days,
                               breach_period_days, issue_actor, issue_actor_name, issue_time, revision, create_time,
                               update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        recovery.name.operator.uuid(),
        recovery.name.convention.uuid(),
        recovery.name.recovery.uuid(),
        recovery.programme.uuid(),
        recovery.budget_year.get(),
        recovery.number,
        cause_code(&recovery.cause),
        recovery.amount.amount(),
        recovery.issue_date,
        breach.map(|breach| breach.decision.as_str()),
        breach.map(|breach| breach.date),
        breach.map(|breach| breach.kept.amount()),
        count(|breach| breach.remaining_days)?,
        count(|breach| breach.period_days)?,
        recovery.issue.actor,
        recovery.issue.actor_name,
        recovery.issue.time,
        recovery.revision,
        recovery.create_time,
        recovery.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes what a step made of a recovery whose plan is locked: its notification, and the act added, if one was.
pub async fn update(tx: &mut Tx, recovery: &Recovery, act: Option<&Act>) -> Result<(), Error> {
    let notification = recovery.notification.as_ref();
    let step = notification.map(|notification| &notification.step);
    sqlx::query!(
        "UPDATE recovery
         SET notification_date = $4, notification_actor = $5, notification_actor_name = $6, notification_time = $7,
             revision = $8, update_time = $9
         WHERE operator_id = $1 AND convention_id = $2 AND recovery_id = $3",
        recovery.name.operator.uuid(),
        recovery.name.convention.uuid(),
        recovery.name.recovery.uuid(),
        notification.map(|notification| notification.date),
        step.map(|step| step.actor.as_str()),
        step.map(|step| step.actor_name.as_str()),
        step.map(|step| step.time),
        recovery.revision,
        recovery.update_time
    )
    .execute(tx.conn())
    .await?;
    let Some(act) = act else { return Ok(()) };
    let position = i16::try_from(recovery.acts.len())
        .map_err(|_| Error::Damaged(format!("the acts of {}", recovery.name)))?;
    sqlx::query!(
        "INSERT INTO recovery_act (operator_id, convention_id, recovery_id, position, kind, amount, act_date, reference,
                                   instalment_convention_id, instalment_id, issue_actor, actor, actor_name, act_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        recovery.name.operator.uuid(),
        recovery.name.convention.uuid(),
        recovery.name.recovery.uuid(),
        position,
        act.kind.code(),
        act.amount.amount(),
        act.date,
        act.reference,
        act.instalment.map(|name| name.convention.uuid()),
        act.instalment.map(|name| name.instalment.uuid()),
        recovery.issue.actor,
        act.step.actor,
        act.step.actor_name,
        act.step.time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was set off against an instalment so far.
pub async fn set_off(tx: &mut Tx, instalment: &InstalmentName) -> Result<Money, Error> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(amount), 0) AS "amount!" FROM recovery_act
           WHERE operator_id = $1 AND instalment_convention_id = $2 AND instalment_id = $3 AND kind = 'OFFSET'"#,
        instalment.operator.uuid(),
        instalment.convention.uuid(),
        instalment.instalment.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let damaged = |_| Error::Damaged(format!("what was set off against {instalment}"));
    Money::try_from(row.amount).map_err(damaged)
}

/// These recoveries with their acts: one statement more, however many they are.
async fn with_acts(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Recovery>, Error> {
    let operators: Vec<Uuid> = rows.iter().map(|row| row.operator_id).collect();
    let conventions: Vec<Uuid> = rows.iter().map(|row| row.convention_id).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.recovery_id).collect();
    let found = sqlx::query_as!(
        ActRow,
        "SELECT act.operator_id, act.recovery_id, kind, amount, act_date, reference, instalment_convention_id, instalment_id,
                actor, actor_name, act_time
         FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (operator_id, convention_id, recovery_id)
              JOIN recovery_act AS act USING (operator_id, convention_id, recovery_id)
         ORDER BY position",
        &operators,
        &conventions,
        &ids
    )
    .all(tx.conn())
    .await?;
    let mut acts: HashMap<Uuid, Vec<Act>> = HashMap::with_capacity(rows.len());
    for row in found {
        let id = row.recovery_id;
        let damaged = || Error::Damaged(format!("the acts of recovery {id}"));
        let act = row.act().ok_or_else(damaged)?;
        acts.entry(id).or_default().push(act);
    }
    rows.into_iter()
        .map(|row| {
            let id = row.recovery_id;
            let acts = acts.remove(&id).unwrap_or_default();
            row.recovery(acts)
                .ok_or_else(|| Error::Damaged(format!("recovery {id}")))
        })
        .collect()
}

/// A recovery as it is read.
struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    recovery_id: Uuid,
    programme_id: Uuid,
    budget_year: i16,
    number: i32,
    cause: String,
    amount: Decimal,
    issue_date: Date,
    breach_decision: Option<String>,
    breach_date: Option<Date>,
    breach_kept_amount: Option<Decimal>,
    breach_remaining_days: Option<i32>,
    breach_period_days: Option<i32>,
    issue_actor: String,
    issue_actor_name: String,
    issue_time: OffsetDateTime,
    notification_date: Option<Date>,
    notification_actor: Option<String>,
    notification_actor_name: Option<String>,
    notification_time: Option<OffsetDateTime>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

/// An act as it is read.
struct ActRow {
    operator_id: Uuid,
    recovery_id: Uuid,
    kind: String,
    amount: Decimal,
    act_date: Date,
    reference: String,
    instalment_convention_id: Option<Uuid>,
    instalment_id: Option<Uuid>,
    actor: String,
    actor_name: String,
    act_time: OffsetDateTime,
}

impl ActRow {
    /// Nothing when it is none that the table's constraints allow.
    fn act(self) -> Option<Act> {
        let kind = ActKind::ALL
            .into_iter()
            .find(|kind| kind.code() == self.kind)?;
        let operator = OperatorId::from_uuid(self.operator_id);
        let instalment = self.instalment_convention_id.zip(self.instalment_id);
        Some(Act {
            kind,
            amount: Money::try_from(self.amount).ok()?,
            date: self.act_date,
            reference: self.reference,
            instalment: instalment.map(|(convention, instalment)| InstalmentName {
                operator,
                convention: ConventionId::from_uuid(convention),
                instalment: InstalmentId::from_uuid(instalment),
            }),
            step: Step {
                actor: self.actor,
                actor_name: self.actor_name,
                time: self.act_time,
            },
        })
    }
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn recovery(self, acts: Vec<Act>) -> Option<Recovery> {
        Some(Recovery {
            name: RecoveryName {
                operator: OperatorId::from_uuid(self.operator_id),
                convention: ConventionId::from_uuid(self.convention_id),
                recovery: RecoveryId::from_uuid(self.recovery_id),
            },
            programme: ProgrammeId::from_uuid(self.programme_id),
            budget_year: BudgetYear::try_from(self.budget_year).ok()?,
            number: self.number,
            amount: Money::try_from(self.amount).ok()?,
            issue_date: self.issue_date,
            issue: Step {
                actor: self.issue_actor,
                actor_name: self.issue_actor_name,
                time: self.issue_time,
            },
            cause: match self.cause.as_str() {
                "TERMINATION" => Cause::Termination,
                "OVERPAYMENT" => Cause::Overpayment,
                "DECISION" => Cause::Decision,
                "REPUBLICAN_COMMITMENT" => Cause::RepublicanCommitment(Breach {
                    decision: self.breach_decision?,
                    date: self.breach_date?,
                    kept: Money::try_from(self.breach_kept_amount?).ok()?,
                    remaining_days: u32::try_from(self.breach_remaining_days?).ok()?,
                    period_days: u32::try_from(self.breach_period_days?).ok()?,
                }),
                _ => return None,
            },
            notification: match self.notification_date {
                None => None,
                Some(date) => Some(Notification {
                    date,
                    step: Step {
                        actor: self.notification_actor?,
                        actor_name: self.notification_actor_name?,
                        time: self.notification_time?,
                    },
                }),
            },
            acts,
            revision: self.revision,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }
}

const fn cause_code(cause: &Cause) -> &'static str {
    match cause {
        Cause::Termination => "TERMINATION",
        Cause::RepublicanCommitment(_) => "REPUBLICAN_COMMITMENT",
        Cause::Overpayment => "OVERPAYMENT",
        Cause::Decision => "DECISION",
    }
}
