//! Instalments in the database.

use std::collections::{BTreeMap, BTreeSet};

use nonrecours_kernel::{
    BankAccountId, ConventionId, ConventionName, InstalmentId, InstalmentName, Money, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    Call, Certified, Destination, Instalment, Kind, Ordered, Paid, Schedule, Stage, State, Step,
    document_store,
};
use crate::{
    bank_account::{Details, Standing},
    payment_plan::{self, Cause, Payee},
};

/// The plan of a convention with its instalments, locked until the end of the transaction. None when there is no plan.
pub async fn lock(tx: &mut Tx, convention: &ConventionName) -> Result<Option<Schedule>, Error> {
    if !payment_plan::store::lock(tx, convention).await? {
        return Ok(None);
    }
    // Nobody ends an account while something is decided on what it is now.
    sqlx::query!(
        "SELECT account.bank_account_id
         FROM bank_account AS account JOIN instalment USING (operator_id, bank_account_id)
         WHERE operator_id = $1 AND convention_id = $2 AND instalment.state IN ('CALLED', 'CERTIFIED', 'ORDERED')
         ORDER BY account.bank_account_id FOR SHARE OF account",
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .all(tx.conn())
    .await?;
    schedule(tx, convention).await
}

/// The same, only to be read.
pub async fn schedule(tx: &mut Tx, convention: &ConventionName) -> Result<Option<Schedule>, Error> {
    let conventions = std::slice::from_ref(convention);
    Ok(schedules(tx, conventions).await?.pop())
}

/// The plans of these conventions with their instalments, in the order of the conventions' ids: five statements, however
/// many they are.
pub async fn schedules(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<Vec<Schedule>, Error> {
    let plans = payment_plan::store::all(tx, conventions).await?;
    let operators: BTreeSet<_> = plans.iter().map(|plan| plan.convention.operator).collect();
    let operators: Vec<_> = operators.into_iter().collect();
    let payees = payment_plan::store::payees(tx, &operators).await?;
    let mut instalments = instalments(tx, conventions).await?;
    let mut requirements = document_store::requirements(tx, conventions).await?;
    plans
        .into_iter()
        .map(|plan| {
            let name = plan.convention;
            let of = |payee: &&Payee| payee.operator == name.operator;
            let unknown = || Error::Damaged(format!("the operator of {name} is not known"));
            Ok(Schedule {
                payee: payees.iter().find(of).cloned().ok_or_else(unknown)?,
                requirements: requirements.remove(&name).unwrap_or_default(),
                instalments: instalments.remove(&name).unwrap_or_default(),
                plan,
            })
        })
        .collect()
}

/// The instalments of these conventions, by position: 99 of each at most, a constraint bounds the positions.
async fn instalments(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<BTreeMap<ConventionName, Vec<Instalment>>, Error> {
    let mut documents = document_store::of(tx, conventions).await?;
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT instalment.operator_id, instalment.convention_id, instalment_id, position, kind, amount, instalment.state,
                  instalment.iban, instalment.bic, instalment.holder, instalment.bank_account_id,
                  account.state AS "account_state?",
                  call_reference, call_actor, call_actor_name, call_time,
                  certification_actor, certification_actor_name, certification_time,
                  order_actor, order_actor_name, order_time,
                  confirmation_actor, confirmation_actor_name, confirmation_time, transfer_date,
                  cancel_cause, cancel_time, instalment.revision, instalment.create_time, instalment.update_time
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN instalment USING (operator_id, convention_id)
                LEFT JOIN bank_account AS account ON account.operator_id = instalment.operator_id
                     AND account.bank_account_id = instalment.bank_account_id
           ORDER BY position"#,
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let id = row.instalment_id;
        let mut instalment = row
            .instalment()
            .ok_or_else(|| Error::Damaged(format!("instalment {id}")))?;
        instalment.documents = documents.remove(&id).unwrap_or_default();
        let of = found.entry(instalment.name.parent());
        of.or_default().push(instalment);
    }
    Ok(found)
}

/// Writes a planned instalment, and its step: what it was from then on.
pub async fn insert(tx: &mut Tx, instalment: &Instalment) -> Result<(), Error> {
    sqlx::query!(
        "WITH written AS (
             INSERT INTO instalment (operator_id, convention_id, instalment_id, position, kind, amount, state, revision,
                                     create_time, update_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             RETURNING operator_id, convention_id, instalment_id, revision, state, amount, update_time)
         INSERT INTO instalment_step (operator_id, convention_id, instalment_id, revision, state, amount, step_time)
         SELECT * FROM written",
        instalment.name.operator.uuid(),
        instalment.name.convention.uuid(),
        instalment.name.instalment.uuid(),
        instalment.position,
        kind_code(instalment.kind),
        instalment.amount.amount(),
        stage_code(instalment.state.stage()),
        instalment.revision,
        instalment.create_time,
        instalment.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the state and the amount of an instalment whose plan is locked, and its step.
pub async fn update(tx: &mut Tx, instalment: &Instalment) -> Result<(), Error> {
    let state = &instalment.state;
    let (account, call, paid) = (state.account(), state.call(), state.paid());
    let called = call.map(|call| &call.step);
    let certified = state.certified().map(|state| &state.certification);
    let ordered = state.ordered().map(|state| &state.order);
    let confirmed = paid.map(|state| &state.confirmation);
    let cancelled = match state {
        State::Cancelled { cause, time } => Some((*cause, *time)),
        _ => None,
    };
    let actor = |step: Option<&Step>| step.map(|step| step.actor.clone());
    let actor_name = |step: Option<&Step>| step.map(|step| step.actor_name.clone());
    let time = |step: Option<&Step>| step.map(|step| step.time);
    sqlx::query!(
        "WITH written AS (
             UPDATE instalment
             SET state = $4, iban = $5, bic = $6, holder = $7,
                 call_reference = $8, call_actor = $9, call_actor_name = $10, call_time = $11,
                 certification_actor = $12, certification_actor_name = $13, certification_time = $14,
                 order_actor = $15, order_actor_name = $16, order_time = $17,
                 confirmation_actor = $18, confirmation_actor_name = $19, confirmation_time = $20, transfer_date = $21,
                 revision = $22, update_time = $23, amount = $24, cancel_cause = $25, cancel_time = $26,
                 bank_account_id = $27
             WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3
             RETURNING operator_id, convention_id, instalment_id, revision, state, amount, update_time)
         INSERT INTO instalment_step (operator_id, convention_id, instalment_id, revision, state, amount, step_time)
         SELECT * FROM written",
        instalment.name.operator.uuid(),
        instalment.name.convention.uuid(),
        instalment.name.instalment.uuid(),
        stage_code(state.stage()),
        account.map(|account| account.details.iban.as_str()),
        account.map(|account| account.details.bic.as_str()),
        account.map(|account| account.details.holder.as_str()),
        call.map(|call| call.reference.as_str()),
        actor(called),
        actor_name(called),
        time(called),
        actor(certified),
        actor_name(certified),
        time(certified),
        actor(ordered),
        actor_name(ordered),
        time(ordered),
        actor(confirmed),
        actor_name(confirmed),
        time(confirmed),
        paid.map(|paid| paid.transfer_date),
        instalment.revision,
        instalment.update_time,
        instalment.amount.amount(),
        cancelled.map(|(cause, _)| cause_code(cause)),
        cancelled.map(|(_, time)| time),
        account.and_then(|account| account.account).map(|account| account.uuid())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A row as it is read.
struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    instalment_id: Uuid,
    position: i16,
    kind: String,
    amount: Decimal,
    state: String,
    iban: Option<String>,
    bic: Option<String>,
    holder: Option<String>,
    bank_account_id: Option<Uuid>,
    account_state: Option<String>,
    call_reference: Option<String>,
    call_actor: Option<String>,
    call_actor_name: Option<String>,
    call_time: Option<OffsetDateTime>,
    certification_actor: Option<String>,
    certification_actor_name: Option<String>,
    certification_time: Option<OffsetDateTime>,
    order_actor: Option<String>,
    order_actor_name: Option<String>,
    order_time: Option<OffsetDateTime>,
    confirmation_actor: Option<String>,
    confirmation_actor_name: Option<String>,
    confirmation_time: Option<OffsetDateTime>,
    transfer_date: Option<Date>,
    cancel_cause: Option<String>,
    cancel_time: Option<OffsetDateTime>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl Row {
    /// Nothing when the row is none that the table's constraints allow.
    fn instalment(self) -> Option<Instalment> {
        Some(Instalment {
            name: InstalmentName {
                operator: OperatorId::from_uuid(self.operator_id),
                convention: ConventionId::from_uuid(self.convention_id),
                instalment: InstalmentId::from_uuid(self.instalment_id),
            },
            kind: kind_of(&self.kind)?,
            position: self.position,
            amount: Money::try_from(self.amount).ok()?,
            revision: self.revision,
            create_time: self.create_time,
            update_time: self.update_time,
            documents: Vec::new(),
            state: self.state()?,
        })
    }

    /// The state, built up from its steps.
    fn state(self) -> Option<State> {
        let stage = self.state.as_str();
        if stage == stage_code(Stage::Planned) {
            return Some(State::Planned);
        }
        if stage == stage_code(Stage::Cancelled) {
            return Some(State::Cancelled {
                cause: cause_of(self.cancel_cause.as_deref()?)?,
                time: self.cancel_time?,
            });
        }
        let account = Destination {
            details: Details {
                iban: self.iban?.parse().ok()?,
                bic: self.bic?.parse().ok()?,
                holder: self.holder?,
            },
            account: self.bank_account_id.map(BankAccountId::from_uuid),
            standing: match self.account_state {
                Some(code) => Standing::of(&code)?,
                // Called before accounts were kept: nobody has approved it.
                None => Standing::Entered,
            },
        };
        let call = step(self.call_actor, self.call_actor_name, self.call_time)
            .zip(self.call_reference)
            .map(|(step, reference)| Call { step, reference });
        if stage == stage_code(Stage::Called) {
            return Some(State::Called {
                call: call?,
                account,
            });
        }
        let certified = Certified {
            call,
            account,
            certification: step(
                self.certification_actor,
                self.certification_actor_name,
                self.certification_time,
            )?,
        };
        if stage == stage_code(Stage::Certified) {
            return Some(State::Certified(certified));
        }
        let ordered = Ordered {
            certified,
            order: step(self.order_actor, self.order_actor_name, self.order_time)?,
        };
        if stage == stage_code(Stage::Ordered) {
            return Some(State::Ordered(ordered));
        }
        (stage == stage_code(Stage::Paid)).then_some(())?;
        Some(State::Paid(Paid {
            ordered,
            confirmation: step(
                self.confirmation_actor,
                self.confirmation_actor_name,
                self.confirmation_time,
            )?,
            transfer_date: self.transfer_date?,
        }))
    }
}

fn step(
    actor: Option<String>,
    actor_name: Option<String>,
    time: Option<OffsetDateTime>,
) -> Option<Step> {
    Some(Step {
        actor: actor?,
        actor_name: actor_name?,
        time: time?,
    })
}

/// The kind that a code stands for.
pub(crate) fn kind_of(code: &str) -> Option<Kind> {
    [Kind::Advance, Kind::Interim, Kind::Balance]
        .into_iter()
        .find(|kind| kind_code(*kind) == code)
}

/// The code of a kind in the tables.
pub(crate) const fn kind_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Advance => "ADVANCE",
        Kind::Interim => "INTERIM",
        Kind::Balance => "BALANCE",
    }
}

const fn stage_code(stage: Stage) -> &'static str {
    match stage {
        Stage::Planned => "PLANNED",
        Stage::Called => "CALLED",
        Stage::Certified => "CERTIFIED",
        Stage::Ordered => "ORDERED",
        Stage::Paid => "PAID",
        Stage::Cancelled => "CANCELLED",
    }
}

/// The stage that a code stands for.
pub(crate) fn stage_of(code: &str) -> Option<Stage> {
    [
        Stage::Planned,
        Stage::Called,
        Stage::Certified,
        Stage::Ordered,
        Stage::Paid,
        Stage::Cancelled,
    ]
    .into_iter()
    .find(|stage| stage_code(*stage) == code)
}

fn cause_of(code: &str) -> Option<Cause> {
    [Cause::Amendment, Cause::Decision]
        .into_iter()
        .find(|cause| cause_code(*cause) == code)
}

const fn cause_code(cause: Cause) -> &'static str {
    match cause {
        Cause::Amendment => "AMENDMENT",
        Cause::Decision => "DECISION",
    }
}
